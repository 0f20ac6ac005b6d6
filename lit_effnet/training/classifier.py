"""`LitClassifier`: any network with any recipe, and the metrics of a classification."""

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

LOOK_AT_LOSS_EVERY = 50  # steps, where looking costs

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
    """Set the weight of the newest batch in all batch norms' running statistics."""
    for module in batch_norms(network):
        module.momentum = momentum


class LitClassifier(LightningModule):
    """Trains `network` (images `[N, 3, H, W]` to logits `[N, num_classes]`) by `recipe`.

    Args:
        network: What is trained.
        recipe: Optimiser, schedule and loss.
        num_classes: Number of classes.
        batch_size: Images in a batch on each device; sets the learning rate.

    Raises:
        ValueError: the recipe's optimiser is unknown.
    """

    def __init__(
        self, network: nn.Module, recipe: Recipe, num_classes: int, batch_size: int
    ) -> None:
        super().__init__()
        check_optimizer(recipe.optimizer)
        # Batches are channels-last. At maps of one pixel their strides no longer tell so, and with
        # weights in the usual layout torch would go on in that one, at half the speed
        # (benchmarks/small_maps.py).
        self.network = network.to(memory_format=torch.channels_last)
        self.recipe = recipe
        self.told: dict[str, Any] = {}  # of the network, beside its tensors; in each checkpoint
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
        """Logits `[N, K]`."""
        logits: Tensor = self.network(images)
        return logits

    def freeze_features(self, frozen: bool) -> None:
        """Stop or start learning in all but the classifier, batch norm's statistics included."""
        self.frozen = frozen
        self.network.requires_grad_(not frozen)
        self._classifier.requires_grad_(True)
        self.train(self.training)

    @property
    def _classifier(self) -> nn.Module:
        classifier: nn.Module = self.network.get_classifier()  # type: ignore[operator] # as timm
        return classifier

    def train(self, mode: bool = True) -> "LitClassifier":
        """Switch to training, but for what is frozen."""
        super().train(mode)
        if mode and self.frozen:
            self.network.eval()
            self._classifier.train()
        return self

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        """Let all learn once the classifier's part is over; also after a resume."""
        frozen = self.global_step < self.head_steps
        if frozen != self.frozen:
            self.freeze_features(frozen)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add what no tensor tells, so that a checkpoint can be used without its run folder."""
        if self.told:
            checkpoint["lit_effnet"] = self.told

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        """Smoothed cross entropy of one batch.

        Raises:
            NonFiniteLossError: the loss is NaN or infinite.
        """
        images, labels = batch
        logits = at_least_float32(self(images))
        loss = F.cross_entropy(logits, labels, label_smoothing=self.recipe.label_smoothing)
        # Looking at the loss makes a GPU wait, so there it is looked at now and then only.
        every = 1 if loss.device.type == "cpu" else LOOK_AT_LOSS_EVERY
        if batch_idx % every == 0:
            self._check_loss(loss, f"batch {batch_idx + 1}")
        self.log(
            "train/loss", loss, on_step=False, on_epoch=True, batch_size=len(labels), sync_dist=True
        )
        return loss

    def on_train_epoch_end(self) -> None:
        """Look at the epoch's mean loss, which shows every batch that was not looked at.

        Raises:
            NonFiniteLossError: it is NaN or infinite.
        """
        self._check_loss(self.trainer.callback_metrics["train/loss"], "its mean")

    def _check_loss(self, loss: Tensor, where: str) -> None:
        if not torch.isfinite(loss):
            raise NonFiniteLossError(
                f"the loss became {loss.item()} in epoch {self.current_epoch + 1}, {where}"
            )

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """Metrics of one validation batch."""
        self._evaluate(batch, self.val_metrics, self.val_loss, "val/")

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        """Metrics of one test batch."""
        self._evaluate(batch, self.test_metrics, self.test_loss, "test/")

    def _evaluate(
        self, batch: Batch, metrics: MetricCollection, loss: MeanMetric, prefix: str
    ) -> None:
        images, labels = batch
        logits = at_least_float32(self(images))
        metrics.update(logits.softmax(1), labels)  # logits in [0, 1] would be taken for it
        loss.update(F.cross_entropy(logits, labels), len(labels))
        size = len(labels)
        self.log(f"{prefix}loss", loss, batch_size=size)
        self.log_dict(metrics, batch_size=size)
        # Of all processes: how much of the split the trainer's limits left.
        counted: dict[str, Any] = {"reduce_fx": "sum", "sync_dist": True, "batch_size": size}
        self.log(f"{prefix}images", float(size), **counted)

    def configure_optimizers(self) -> Any:
        """timm's optimiser without decay on norms and biases; warm-up and cosine by step."""
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
        for group in optimizer.param_groups:  # timm leaves a layer's factor to its own scheduler
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
