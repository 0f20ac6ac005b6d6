"""Exponential moving average (EMA) of the weights, with a warm-up of its decay."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy
from typing_extensions import override


def warmed_up_decay(decay: float, updates: int) -> float:
    """Return the decay after `updates` updates: min(decay, (1 + updates) / (10 + updates)).

    Source: `num_updates` of tf.train.ExponentialMovingAverage, which the released code sets.
    Without it, an average with decay 0.9999 mostly consists of the random weights for tens of
    epochs.
    """
    return min(decay, (1 + updates) / (10 + updates))


class ExponentialMovingAverage(WeightAveraging):
    """Lightning's weight averaging with a warmed-up decay, which also validates the raw weights.

    Validation and checkpoints use the averaged weights. `val/top1_raw` is the accuracy of the raw
    weights. In the first epochs it is higher, since the average lags behind.

    Args:
        decay: Decay of the average after its warm-up.
        num_classes: Number of classes.
    """

    def __init__(self, decay: float, num_classes: int) -> None:
        def update(averages: list[Tensor], values: list[Tensor], updates: Tensor) -> None:
            if not averages[0].is_floating_point():  # batch norm's counters
                torch._foreach_copy_(averages, values)
                return
            weight = 1 - warmed_up_decay(decay, int(updates))
            torch._foreach_lerp_(averages, values, weight)

        super().__init__(multi_avg_fn=update)
        self.raw_top1 = MulticlassAccuracy(num_classes, average="micro")

    @override
    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Create the averages, in the precision of the network."""
        super().setup(trainer, pl_module, stage)
        if self._average_model is not None:
            trainer.strategy.precision_plugin.convert_module(self._average_model)

    @override
    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Update the raw weights' accuracy; `_average_model` holds them during validation."""
        if self._average_model is None:
            return
        images, labels = batch
        raw = self._average_model.module.eval()
        with trainer.strategy.precision_plugin.val_step_context():
            logits = raw(images)
        self.raw_top1.to(logits.device).update(logits.float(), labels)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the raw weights' accuracy, and swap the weights back."""
        if self._average_model is not None:
            pl_module.log("val/top1_raw", self.raw_top1.compute(), sync_dist=True)
            self.raw_top1.reset()
        super().on_validation_epoch_end(trainer, pl_module)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Drop the averages after the training, which has copied them into the network.

        A later validation would swap them with the network's weights again.
        """
        self._average_model = None
