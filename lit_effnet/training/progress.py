"""Progress of a training: a bar for the running epoch, a line for each finished one."""

import sys
import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar

from lit_effnet.cli import format as formats
from lit_effnet.cli.progress import say
from lit_effnet.runs.folder import HEADLINE
from lit_effnet.training.recorder import RunRecorder


class EpochPrinter(Callback):
    """Prints one line for each epoch, also into a log file.

    Args:
        recorder: Recorder of the run, whose rows the lines show.
    """

    def __init__(self, recorder: RunRecorder) -> None:
        self.recorder = recorder
        self.started = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the epoch at which a resumed run starts."""
        if trainer.is_global_zero and trainer.current_epoch:
            say(f"resume   at epoch {trainer.current_epoch + 1} of {trainer.max_epochs}")

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the epoch's clock."""
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the epoch's line, above the progress bar if there is one."""
        if not trainer.is_global_zero:
            return
        seconds = time.monotonic() - self.started
        images = self.recorder.record["data"]["images"].get("validation")
        row, epochs = self.recorder.rows[-1], trainer.max_epochs or 0
        line = epoch_line(row, epochs, seconds, images=images)
        if isinstance(bar := trainer.progress_bar_callback, EpochProgressBar) and bar.is_enabled:
            bar.print(line)
        else:
            say(line)


def epoch_line(
    row: dict[str, Any], epochs: int, seconds: float, *, images: int | None = None
) -> str:
    """Return epoch, training loss, top-1 of averaged and raw weights, and time.

    Args:
        row: Row of `metrics.csv`.
        epochs: Number of epochs of the training.
        seconds: Duration of the epoch.
        images: Number of images of the validation split.
    """
    parts = [f"epoch {row['epoch'] + 1:{len(str(epochs))}d}/{epochs}"]
    if "train/loss" in row:
        parts.append(f"loss {row['train/loss']:.3f}")
    if HEADLINE in row:
        raw = f" (raw weights {percent(row['val/top1_raw'])})" if "val/top1_raw" in row else ""
        used = row.get("val/images", images)
        part = f" on {used:,.0f} of {images:,} images" if used != images else ""
        parts.append(f"val top-1 {percent(row[HEADLINE])}{part}{raw}")
    parts.append(f"{seconds:.1f} s")
    return "  ".join(parts)


def percent(fraction: float) -> str:
    """Return a fraction as a percentage with one decimal and the sign."""
    return f"{formats.percent(fraction)} %"


class EpochProgressBar(TQDMProgressBar):
    """Lightning's progress bar, on a terminal only; it disappears when the epoch ends."""

    def __init__(self) -> None:
        super().__init__(leave=False)
        if not sys.stdout.isatty():
            self.disable()

    def on_train_epoch_start(self, trainer: Trainer, *_: Any) -> None:
        """Count epochs from one, as the printed lines do."""
        super().on_train_epoch_start(trainer)
        self.train_progress_bar.set_description(
            f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        )

    def on_train_end(self, *_: Any) -> None:
        """Remove the bar; Lightning would leave the last one."""
        self.train_progress_bar.leave = False
        self.train_progress_bar.close()

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """Return the metrics beside the bar, without Lightning's version number."""
        metrics: dict[str, Any] = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        return metrics
