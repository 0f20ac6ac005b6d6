"""What a person sees of a training: a bar for the epoch that runs, a line for each that ended."""

import sys
import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar


class EpochLines(Callback):
    """Prints one line for each epoch; needs no terminal, so logs stay readable."""

    def __init__(self) -> None:
        self.started = 0.0

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the epoch's clock."""
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the epoch's line."""
        if trainer.is_global_zero:
            seconds = time.monotonic() - self.started
            print(epoch_line(trainer, seconds), flush=True)


def epoch_line(trainer: Trainer, seconds: float) -> str:
    """Epoch, training loss, top-1 of averaged and raw weights, and time."""
    metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
    digits = len(str(trainer.max_epochs))
    parts = [f"epoch {trainer.current_epoch + 1:{digits}d}/{trainer.max_epochs}"]
    if "train/loss" in metrics:
        parts.append(f"loss {metrics['train/loss']:.3f}")
    if "val/top1" in metrics:
        top1 = f"val top-1 {percent(metrics['val/top1'])}"
        raw = metrics.get("val/top1_raw")
        parts.append(top1 if raw is None else f"{top1} (raw weights {percent(raw)})")
    parts.append(f"{seconds:.1f} s")
    return "  ".join(parts)


def percent(fraction: float) -> str:
    """A fraction as a percentage with one decimal."""
    return f"{100 * fraction:5.1f} %"


class EpochBar(TQDMProgressBar):
    """Lightning's bar for the epoch that runs, gone when it ends; on a terminal only."""

    def __init__(self) -> None:
        super().__init__(leave=False)
        if not sys.stderr.isatty():
            self.disable()

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """The metrics beside the bar, without Lightning's version number."""
        metrics: dict[str, Any] = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        return metrics
