"""The run folder: the only record of a run, in files that are written whole.

runs/<group>/<id>/config.yaml    from which the run can be repeated
                  run.json       status, identity, cost and metrics
                  metrics.csv    one row for each epoch
                  checkpoints/   last.ckpt and best.ckpt
"""

import csv
import io
import json
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

RUNNING, FINISHED, FAILED, INTERRUPTED = "running", "finished", "failed", "interrupted"
HEADLINE = "val/top1"


def write_whole(path: Path, text: str) -> None:
    """Write a file under a temporary name and rename it, so that no reader sees half of it."""
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        try:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        except OSError:
            Path(file.name).unlink(missing_ok=True)
            raise
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run."""

    path: Path

    @property
    def config(self) -> Path:
        """The run's configuration."""
        return self.path / "config.yaml"

    @property
    def checkpoints(self) -> Path:
        """Where checkpoints go."""
        return self.path / "checkpoints"

    @property
    def last_checkpoint(self) -> Path:
        """The checkpoint of the last whole epoch."""
        return self.checkpoints / "last.ckpt"

    def read(self) -> dict[str, Any]:
        """What `run.json` says.

        Raises:
            ValueError: there is no such file, or it is no run record.
        """
        file = self.path / "run.json"
        try:
            record = json.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ValueError(f"{self.path}: no run folder (it has no run.json)") from None
        except (OSError, ValueError) as error:
            raise ValueError(f"{file}: cannot be read as a run record ({error})") from error
        if not isinstance(record, dict):
            raise ValueError(f"{file}: cannot be read as a run record")
        return record

    def write(self, record: dict[str, Any]) -> None:
        """Replace `run.json`."""
        write_whole(self.path / "run.json", json.dumps(record, indent=2) + "\n")

    def read_metrics(self) -> list[dict[str, str]]:
        """Rows of `metrics.csv`, if there are any yet."""
        file = self.path / "metrics.csv"
        if not file.exists():
            return []
        with file.open(encoding="utf-8", newline="") as lines:
            return list(csv.DictReader(lines))

    def write_metrics(self, rows: list[dict[str, Any]]) -> None:
        """Replace `metrics.csv`."""
        names = list(dict.fromkeys(name for row in rows for name in row))
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_whole(self.path / "metrics.csv", text.getvalue())


class RunRecord(Callback):
    """Keeps `run.json` and `metrics.csv` of a run up to date, on the first process only.

    Args:
        folder: Where the run is recorded.
        record: What is known before the training; a resumed run hands on its old record.
    """

    def __init__(self, folder: RunFolder, record: dict[str, Any]) -> None:
        self.folder = folder
        self.record = record
        self.rows: list[dict[str, Any]] = []
        self.seconds_before = 0.0
        self.images = 0
        self.started = time.monotonic()

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Take over what earlier processes of this run did, and say that it is running."""
        cost = self.record.get("cost", {})
        self.seconds_before = cost.get("seconds", 0.0)
        self.images = cost.get("images", 0)
        self.started = time.monotonic()
        # An epoch that is about to be trained again must not stand there twice.
        epoch = trainer.current_epoch
        self.rows = [row for row in self.folder.read_metrics() if int(row["epoch"]) < epoch]
        self._write(trainer, RUNNING)

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Count the images of all processes."""
        self.images += len(batch[1]) * trainer.world_size

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Add the epoch's row."""
        row: dict[str, Any] = {"epoch": trainer.current_epoch, "step": trainer.global_step}
        row |= {name: float(value) for name, value in sorted(trainer.callback_metrics.items())}
        row["seconds"] = round(self.seconds, 3)
        self.rows.append(row)
        if trainer.is_global_zero:
            self.folder.write_metrics(self.rows)
        self._write(trainer, RUNNING)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The training ran to its end."""
        self._write(trainer, FINISHED)

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """The training was stopped, from outside or by an error."""
        stopped = isinstance(exception, KeyboardInterrupt | SystemExit)
        self.record["error"] = f"{type(exception).__name__}: {exception}".strip(": ")
        try:
            self._write(trainer, INTERRUPTED if stopped else FAILED)
        except OSError:
            # A full disk is told of by the error itself; the record stays as it last was.
            self.record["status"] = FAILED

    @property
    def seconds(self) -> float:
        """Time spent training and validating, by this process and those it resumes."""
        return self.seconds_before + time.monotonic() - self.started

    def _write(self, trainer: Trainer, status: str) -> None:
        if not trainer.is_global_zero:
            return
        self.record["status"] = status
        if status == RUNNING:
            self.record.pop("error", None)
        self.record["cost"] = {
            "seconds": round(self.seconds, 3),
            "images": self.images,
            "epochs": len(self.rows),
        }
        if self.rows:
            numbers = [{k: float(v) for k, v in row.items() if v != ""} for row in self.rows]
            self.record["metrics"] = {k: v for k, v in numbers[-1].items() if "/" in k}
            scored = [row for row in numbers if HEADLINE in row]
            if scored:
                best = max(scored, key=lambda row: row[HEADLINE])
                self.record["best"] = {"epoch": int(best["epoch"]), HEADLINE: best[HEADLINE]}
        self.folder.write(self.record)
