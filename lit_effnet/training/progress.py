"""What a person sees of a training: a bar for the epoch that runs, a line for each that ended."""

import sys
import time
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import TQDMProgressBar

from lit_effnet.runs.folder import HEADLINE
from lit_effnet.training.recorder import RunRecord


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)


class EpochLines(Callback):
    """Prints one line for each epoch; needs no terminal, so logs stay readable.

    Args:
        recorder: Keeps the rows that the lines show.
    """

    def __init__(self, recorder: RunRecord) -> None:
        self.recorder = recorder
        self.started = 0.0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Say where a resumed run goes on."""
        if trainer.is_global_zero and trainer.current_epoch:
            say(f"resume   at epoch {trainer.current_epoch + 1} of {trainer.max_epochs}")

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the epoch's clock."""
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Print the epoch's line, above the bar if there is one."""
        if not trainer.is_global_zero:
            return
        seconds = time.monotonic() - self.started
        whole = self.recorder.record["data"]["images"].get("validation")
        line = epoch_line(self.recorder.rows[-1], trainer.max_epochs or 0, seconds, whole)
        if isinstance(bar := trainer.progress_bar_callback, EpochBar) and bar.is_enabled:
            bar.print(line)
        else:
            say(line)


def epoch_line(row: dict[str, Any], epochs: int, seconds: float, whole: int | None = None) -> str:
    """Epoch, training loss, top-1 of averaged and raw weights, and time.

    Args:
        row: Of `metrics.csv`.
        epochs: How many there are.
        seconds: What this one took.
        whole: Images of the validation split.
    """
    parts = [f"epoch {row['epoch'] + 1:{len(str(epochs))}d}/{epochs}"]
    if "train/loss" in row:
        parts.append(f"loss {row['train/loss']:.3f}")
    if HEADLINE in row:
        raw = f" (raw weights {percent(row['val/top1_raw'])})" if "val/top1_raw" in row else ""
        seen = row.get("val/images", whole)
        part = f" on {seen:,.0f} of {whole:,} images" if seen != whole else ""
        parts.append(f"val top-1 {percent(row[HEADLINE])}{part}{raw}")
    parts.append(f"{seconds:.1f} s")
    return "  ".join(parts)


def percent(fraction: float) -> str:
    """A fraction as a percentage with one decimal."""
    return f"{100 * fraction:.1f} %"


class EpochBar(TQDMProgressBar):
    """Lightning's bar for the epoch that runs, gone when it ends; on a terminal only."""

    def __init__(self) -> None:
        super().__init__(leave=False)
        if not sys.stdout.isatty():
            self.disable()

    def on_train_epoch_start(self, trainer: Trainer, *_: Any) -> None:
        """Count epochs from one, as the lines do."""
        super().on_train_epoch_start(trainer)
        self.train_progress_bar.set_description(
            f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs}"
        )

    def on_train_end(self, *_: Any) -> None:
        """Take the bar away; Lightning would leave the last one."""
        self.train_progress_bar.leave = False
        self.train_progress_bar.close()

    def get_metrics(self, trainer: Trainer, pl_module: LightningModule) -> dict[str, Any]:
        """The metrics beside the bar, without Lightning's version number."""
        metrics: dict[str, Any] = super().get_metrics(trainer, pl_module)
        metrics.pop("v_num", None)
        return metrics
