"""Averaged weights (EMA) with a warm-up, and the raw weights' accuracy beside theirs."""

from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor
from torchmetrics.classification import MulticlassAccuracy
from typing_extensions import override


def warmed_up_decay(decay: float, updates: int) -> float:
    """Decay after `updates` updates: min(decay, (1 + updates) / (10 + updates)).

    Source: `num_updates` of tf.train.ExponentialMovingAverage, which the released code sets.
    Without it an average of decay 0.9999 is mostly the random start for tens of epochs.
    """
    return min(decay, (1 + updates) / (10 + updates))


class ExponentialMovingAverage(WeightAveraging):
    """Lightning's weight averaging with a warmed-up decay; validates the raw weights too.

    Validation and checkpoints use the averaged weights. `val/top1_raw` is the accuracy of the
    weights in training: in the first epochs it is the higher one, and an average that looks
    broken then is not.
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
        """Make the averages, in the precision that the network will have."""
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
        """Count the raw weights' hits; they wait in the averaged model while it validates."""
        if self._average_model is None:
            return
        images, labels = batch
        raw = self._average_model.module.eval()  # only ever evaluated
        with trainer.strategy.precision_plugin.val_step_context():
            logits = raw(images)
        self.raw_top1.to(logits.device).update(logits.float(), labels)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Log the raw weights' accuracy and put them back."""
        if self._average_model is not None:
            pl_module.log("val/top1_raw", self.raw_top1.compute(), sync_dist=True)
            self.raw_top1.reset()
        super().on_validation_epoch_end(trainer, pl_module)

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Forget the averages after the training, which has left them in the network.

        Or a validation that follows would put the network's weights in their place.
        """
        self._average_model = None
