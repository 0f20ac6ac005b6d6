"""`LitClassifier`: trains any network with any recipe, and computes classification metrics."""

import math
from difflib import get_close_matches
from typing import Any

import torch
from lightning.pytorch import LightningModule
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics import MeanMetric, MetricCollection

from lit_effnet.metrics.classification import classification_metrics
from lit_effnet.training.distributed.batch_norm import batch_norms
from lit_effnet.training.precision import at_least_float32
from lit_effnet.training.recipe import Recipe, warmup_cosine

CHECK_LOSS_EVERY = 50  # steps, on a GPU, where a check waits for the device

Batch = tuple[Tensor, Tensor]  # images float32 [N, 3, H, W], labels int64 [N]


class NonFiniteLossError(ArithmeticError):
    """The training loss became NaN or infinite."""


def check_optimizer(name: str) -> None:
    """Raise ValueError for a name that timm does not know."""
    from timm.optim import list_optimizers

    known = [str(optimizer) for optimizer in list_optimizers()]
    if name not in known:
        near = get_close_matches(name, known, n=3) or ["rmsproptf", "sgd", "adamw"]
        raise ValueError(f"optimizer {name!r}: must be one of timm's; nearest: {', '.join(near)}")


def set_bn_momentum(network: nn.Module, momentum: float) -> None:
    """Set the momentum of all batch norms: the weight of the newest batch."""
    for module in batch_norms(network):
        module.momentum = momentum


class LitClassifier(LightningModule):
    """Trains a network (images `[N, 3, H, W]` to logits `[N, num_classes]`) with a recipe.

    Args:
        network: Network to train; it has timm's method `get_classifier`.
        recipe: Optimiser, schedule and loss.
        num_classes: Number of classes.
        batch_size: Images in a batch of each process; the learning rate is proportional to it.

    Raises:
        ValueError: timm does not know the recipe's optimiser.
    """

    def __init__(
        self, network: nn.Module, recipe: Recipe, num_classes: int, batch_size: int
    ) -> None:
        super().__init__()
        check_optimizer(recipe.optimizer)
        # Batches are channels-last. For maps of one pixel the strides do not show that, and with
        # contiguous weights torch would continue in that layout, at half the speed
        # (benchmarks/small_maps.py).
        self.network = network.to(memory_format=torch.channels_last)
        self.recipe = recipe
        self.description: dict[str, Any] = {}  # saved in each checkpoint, beside the tensors
        if recipe.bn_momentum:
            set_bn_momentum(network, recipe.bn_momentum)
        self.frozen = False
        self.head_steps = 0
        if recipe.head_only == 1:
            self.freeze_features(True)
        self.batch_size = batch_size
        self.peak_learning_rate: float | None = None  # known when the trainer is
        self.val_metrics = classification_metrics(num_classes, "val/")
        self.test_metrics = classification_metrics(num_classes, "test/")
        # Lightning's own mean over processes rounds the number of images of an odd split.
        self.val_loss, self.test_loss = MeanMetric(), MeanMetric()

    def forward(self, images: Tensor) -> Tensor:
        """Return logits `[N, K]`."""
        logits: Tensor = self.network(images)
        return logits

    def freeze_features(self, frozen: bool) -> None:
        """Freeze or unfreeze everything but the classifier, batch norm's statistics included."""
        self.frozen = frozen
        self.network.requires_grad_(not frozen)
        self._classifier.requires_grad_(True)
        self.train(self.training)

    @property
    def _classifier(self) -> nn.Module:
        classifier: nn.Module = self.network.get_classifier()  # type: ignore[operator] # as timm
        return classifier

    def train(self, mode: bool = True) -> "LitClassifier":
        """Set training mode; frozen parts stay in evaluation mode."""
        super().train(mode)
        if mode and self.frozen:
            self.network.eval()
            self._classifier.train()
        return self

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Unfreeze the network after the steps in which only the classifier learns."""
        frozen = self.global_step < self.head_steps
        if frozen != self.frozen:
            self.freeze_features(frozen)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the description, so that a checkpoint can be used without its run folder."""
        if self.description:
            checkpoint["lit_effnet"] = self.description

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Return the cross entropy of one batch, with label smoothing.

        Raises:
            NonFiniteLossError: the loss is NaN or infinite.
        """
        images, labels = batch
        logits = at_least_float32(self(images))
        loss = F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)
        # Reading the loss waits for the GPU, so it is checked only now and then there.
        every = 1 if loss.device.type == "cpu" else CHECK_LOSS_EVERY
        if batch_idx % every == 0:
            self._check_loss(loss, f"batch {batch_idx + 1}")
        self.log(
            "train/loss", loss, on_step=False, on_epoch=True, batch_size=len(labels), sync_dist=True
        )
        return loss

    def on_train_epoch_end(self) -> None:
        """Check the epoch's mean loss, which covers the batches that were not checked.

        Raises:
            NonFiniteLossError: the mean is NaN or infinite.
        """
        self._check_loss(self.trainer.callback_metrics["train/loss"], "its mean")

    def _check_loss(self, loss: Tensor, where: str) -> None:
        if not torch.isfinite(loss):
            raise NonFiniteLossError(
                f"the loss became {loss.item()} in epoch {self.current_epoch + 1}, {where}"
            )

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Update the metrics with one validation batch."""
        self._evaluate(batch, self.val_metrics, self.val_loss, "val/")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Update the metrics with one test batch."""
        self._evaluate(batch, self.test_metrics, self.test_loss, "test/")

    def _evaluate(
        self, batch: Batch, metrics: MetricCollection, loss: MeanMetric, prefix: str
    ) -> None:
        images, labels = batch
        logits = at_least_float32(self(images))
        metrics.update(
            logits.softmax(1), labels
        )  # torchmetrics would take logits in [0, 1] for probabilities
        loss.update(F.cross_entropy(logits, labels), len(labels))
        size = len(labels)
        self.log(f"{prefix}loss", loss, batch_size=size)
        self.log_dict(metrics, batch_size=size)
        # Images of all processes: the trainer's limits may leave a part of the split only.
        counted: dict[str, Any] = {"reduce_fx": "sum", "sync_dist": True, "batch_size": size}
        self.log(f"{prefix}images", float(size), **counted)

    def configure_optimizers(self) -> Any:
        """Return timm's optimiser, without decay of norms and biases, and the schedule by step."""
        from timm.optim import create_optimizer_v2

        recipe, trainer = self.recipe, self.trainer
        total_steps = int(trainer.estimated_stepping_batches)  # sets up the data first
        epoch_steps = math.ceil(trainer.num_training_batches / trainer.accumulate_grad_batches)
        self.head_steps = head_steps = round(recipe.head_only * total_steps)
        if not recipe.bn_momentum:
            set_bn_momentum(self.network, min(0.1, 10 / max(1, epoch_steps)))
        images_per_step = self.batch_size * trainer.world_size * trainer.accumulate_grad_batches
        self.peak_learning_rate = recipe.learning_rate * images_per_step / 256
        optimizer = create_optimizer_v2(
            self.network,
            opt=recipe.optimizer,
            lr=self.peak_learning_rate,
            weight_decay=recipe.weight_decay,
            momentum=recipe.momentum,
            layer_decay=None if recipe.layer_decay == 1 else recipe.layer_decay,
            **recipe.optimizer_options,
        )
        for (
            group
        ) in optimizer.param_groups:  # timm would apply the layer's factor in its own scheduler
            group["lr"] *= group.pop("lr_scale", 1.0)

        def part_of_peak(step: int) -> float:
            begin, end = (0, head_steps) if step < head_steps else (head_steps, total_steps)
            # A part shorter than its warm-up would never reach the recipe's learning rate.
            warmup_steps = min(recipe.warmup_epochs * epoch_steps, (end - begin) / 2)
            return warmup_cosine(step - begin, warmup_steps, end - begin)

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, part_of_peak)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }
