"""Record a training in its run folder: status, cost, and metrics of each epoch."""

import math
import os
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from lit_effnet.runs.folder import (
    FAILED,
    FINISHED,
    HEADLINE,
    INTERRUPTED,
    OF_FINAL_WEIGHTS,
    RUNNING,
    RunFolder,
)

PREFIXES = {"validation": "val/", "test": "test/"}  # of metrics, by split


def is_first_process() -> bool:
    """Return whether this is rank 0, which writes the run folder."""
    return getattr(rank_zero_only, "rank", 0) == 0


def lock_folder(folder: RunFolder) -> AbstractContextManager[None]:
    """Lock the folder against a second training; rank 0 holds the lock."""
    return folder.only_process() if is_first_process() else nullcontext()


def processor_seconds() -> float:
    """Return the CPU time of this process and of its children that have ended."""
    return sum(os.times()[:4])


class RunRecorder(Callback):
    """Keeps `run.json` and `metrics.csv` of a run up to date, in rank 0 only.

    Args:
        folder: Run folder.
        record: Content of `run.json` before the training; of a resumed run, its old content.
    """

    def __init__(self, folder: RunFolder, record: dict[str, Any]) -> None:
        self.folder = folder
        self.record = record
        self.rows: list[dict[str, Any]] = [*folder.read_metrics()]
        cost = record.get("cost", {})
        self.seconds_before = float(cost.get("seconds", 0))
        self.processor_before = float(cost.get("processor_seconds", 0))
        self.images = int(cost.get("images", 0))
        self.started: float | None = None
        self.processor_started = 0.0
        self.validated = self.trained = False
        # Whether the latest scores are those of the current weights; None without a validation.
        last = bool(self.rows and self.rows[-1].get(HEADLINE))
        self.of_final_weights: bool | None = record.get(OF_FINAL_WEIGHTS, last)

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Record flags of the trainer under which the run is only a trial of the program."""
        if stage != "fit":
            return
        for name in ("fast_dev_run", "overfit_batches"):
            if value := getattr(trainer, name):
                self.record.setdefault("narrowed", {})["training"] = f"{name} {value}".lower()
        if trainer.limit_val_batches == 0:
            self.of_final_weights = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock, and record that the run is running."""
        self.started, self.processor_started = time.monotonic(), processor_seconds()
        self.record["processes"] = trainer.world_size
        self.record["peak_learning_rate"] = getattr(pl_module, "peak_learning_rate", None)
        # Remove the rows of epochs that are trained again.
        self.rows = [row for row in self.rows if int(row["epoch"]) < trainer.current_epoch]
        self.write(RUNNING)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Count the images of all processes; the weights now differ from the validated ones."""
        self.images += len(batch[1]) * trainer.world_size
        self.of_final_weights = self.of_final_weights and False

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that this epoch has scores of its own; Lightning keeps earlier ones too."""
        if not trainer.sanity_checking:
            self.validated = self.of_final_weights = True

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the epoch's row."""
        row: dict[str, Any] = {"epoch": trainer.current_epoch, "step": trainer.global_step}
        for name, value in sorted(trainer.callback_metrics.items()):
            if self.validated or not name.startswith("val/"):
                row[name] = float(value)
        self.validated = False
        row["seconds"] = round(self.seconds, 3)
        self.rows.append(row)
        if is_first_process():
            self.folder.write_metrics(self.rows)
        self.write(RUNNING)

    def add_final_scores(self, scores: Mapping[str, float]) -> None:
        """Replace the scores of the last epoch by those of the final weights."""
        row = {name: v for name, v in self.rows[-1].items() if not name.startswith("val/")}
        self.rows[-1] = row | {name: float(value) for name, value in scores.items()}
        if is_first_process():
            self.folder.write_metrics(self.rows)
        self.write(FINISHED)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that the training ran to its end."""
        self.trained = True

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record that the run finished, or failed because there was nothing to train.

        A run that was killed after its last epoch gets here without training.
        """
        if self.trained or trainer.current_epoch >= (trainer.max_epochs or 0):
            self.write(FINISHED)
        else:
            self.record["error"] = "the trainer's limits leave nothing to train on"
            self.write(FAILED)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Record that the training was interrupted or failed.

        An evaluation that is stopped after it leaves the training finished.
        """
        if trainer.testing or trainer.validating:
            return
        stopped = isinstance(exception, KeyboardInterrupt | SystemExit)
        self.record["error"] = f"{type(exception).__name__}: {exception}".strip(": ")
        # On a full disk, the record keeps its last state; the error is reported anyway.
        with suppress(OSError):
            self.write(INTERRUPTED if stopped else FAILED)

    @property
    def seconds(self) -> float:
        """Seconds of training and validation, of this process and those that it resumes."""
        now = 0.0 if self.started is None else time.monotonic() - self.started
        return self.seconds_before + now

    @property
    def processor_seconds(self) -> float:
        """CPU seconds of the same, which other load on the machine does not increase."""
        now = 0.0 if self.started is None else processor_seconds() - self.processor_started
        return self.processor_before + now

    def write(self, status: str) -> None:
        """Update the record, and write it in rank 0."""
        self.record["status"] = status
        if status in (RUNNING, FINISHED):
            self.record.pop("error", None)
        self.record["cost"] = {
            "seconds": round(self.seconds, 3),
            "processor_seconds": round(self.processor_seconds, 3),
            "images": self.images,
            "epochs": len(self.rows),
        }
        numbers = [{k: float(v) for k, v in row.items() if v != ""} for row in self.rows]
        scored = [row for row in numbers if HEADLINE in row]
        latest = {name: value for row in numbers for name, value in row.items() if "/" in name}
        # All scores come from one validation; not each of them has every score.
        latest = {name: value for name, value in latest.items() if not name.startswith("val/")}
        latest |= {n: v for row in scored[-1:] for n, v in row.items() if n.startswith("val/")}
        # JSON has no NaN and no infinity.
        self.record["metrics"] = {k: v if math.isfinite(v) else None for k, v in latest.items()}
        if scored:
            best = max(scored, key=lambda row: row[HEADLINE])
            self.record["best"] = {"epoch": int(best["epoch"]), HEADLINE: best[HEADLINE]}
        self.record[OF_FINAL_WEIGHTS] = self.of_final_weights
        self.record["narrowed"] = self._narrowed()
        if is_first_process():
            self.folder.write(self.record)

    def _narrowed(self) -> dict[str, str]:
        """Return why scores are no full result of the run, by `training` or the split's name."""
        old = self.record.get("narrowed", {})
        reasons = {name: why for name, why in old.items() if name == "training"}
        scores = {**self.record["metrics"], **self.record.get("test", {})}
        for split, prefix in PREFIXES.items():
            images, whole = scores.get(f"{prefix}images"), self.record["data"]["images"].get(split)
            if images is not None and whole is not None and images < whole:
                reasons[split] = f"{images:,.0f} of {whole:,} images"
        if self.of_final_weights is False and HEADLINE in scores:
            reasons["validation"] = "scores of earlier weights"
        return reasons
