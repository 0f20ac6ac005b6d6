"""Read and write a run folder: the only record of a run, in files that are replaced atomically.

runs/<group>/<id>/config.yaml    from which the run can be repeated
                  run.json       status, identity, cost and metrics
                  metrics.csv    one row for each epoch
                  checkpoints/   last.ckpt and best.ckpt
                  evaluations.jsonl   one row per condition under which the weights were evaluated
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from lit_effnet.runs.csv_text import csv_text, read_rows
from lit_effnet.runs.documents import json_rows, read_json, read_text, read_yaml
from lit_effnet.runs.files import reason, remove_leftovers, write_whole
from lit_effnet.runs.paths import Location, local
from lit_effnet.runs.provenance import cpu_name, git_commit

RUNNING, FINISHED, FAILED, INTERRUPTED = "running", "finished", "failed", "interrupted"
HEADLINE = "val/top1"
OF_FINAL_WEIGHTS = "scores_of_final_weights"  # null in run.json if the run is not validated

# A killed training can leave temporary files of these.
FILES = (
    *("config.yaml", "run.json", "metrics.csv", "evaluations.jsonl", "traceback.txt"),
    *("checkpoints/last.ckpt", "checkpoints/best.ckpt"),
)


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run; for a folder in a store, URLs with the same methods."""

    path: Location

    @property
    def local_path(self) -> Path:
        """Its path on this machine, for locks and logs.

        Raises:
            ValueError: It lies in a store.
        """
        return local(str(self.path), "run folder")

    @property
    def config(self) -> Location:
        """The run's configuration."""
        return self.path / "config.yaml"

    @property
    def checkpoints(self) -> Location:
        """The folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def last_checkpoint(self) -> Location:
        """The checkpoint of the last whole epoch."""
        return self.checkpoints / "last.ckpt"

    def read(self) -> dict[str, Any]:
        """Return the content of `run.json`.

        Raises:
            ValueError: There is no such file, or it is not a run record.
        """
        file = self.path / "run.json"
        try:
            record = read_json(file)
        except FileNotFoundError:
            raise ValueError(f"{self.path}: no run folder (it has no run.json)") from None
        except (OSError, ValueError) as error:
            why = reason(error).removeprefix(f"{file}: ")
            raise ValueError(f"{file}: cannot be read as a run record ({why})") from error
        if not isinstance(record, dict):
            raise ValueError(f"{file}: cannot be read as a run record")
        return record

    def write(self, record: dict[str, Any]) -> None:
        """Replace `run.json`."""
        write_whole(self.path / "run.json", json.dumps(record, indent=2, allow_nan=False) + "\n")

    @contextmanager
    def only_process(self) -> Iterator[None]:
        """Lock the folder against a second process; a folder in a store has no lock.

        Raises:
            ValueError: Another process is training the run.
        """
        if not isinstance(self.path, Path):
            yield
            return
        lock = FileLock(self.path / ".lock", timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise ValueError(f"{self.path}: another process is training this run") from None
        try:
            for name in FILES:
                remove_leftovers(self.path / name)
            yield
        finally:
            lock.release()

    def read_metrics(self) -> list[dict[str, str]]:
        """Return the rows of `metrics.csv`; none before the first epoch.

        Raises:
            ValueError: It is not CSV.
        """
        file = self.path / "metrics.csv"
        return read_rows(read_text(file), str(file)) if file.exists() else []

    def due(self, record: dict[str, Any]) -> list[str]:
        """Return the requested evaluations after the training that the record still lacks.

        `validation` is one of them if the recorded scores are of earlier weights than the last.

        Raises:
            ValueError: The record or the configuration is invalid.
        """
        if "asked" in record:
            asked = record["asked"]
            if not (isinstance(asked, list) and all(isinstance(name, str) for name in asked)):
                raise ValueError(f"{self.path / 'run.json'}: asked: must be a list of names")
        elif self.config.exists():  # records of earlier versions lack the key
            config = read_yaml(self.config)
            options = config.get("run", {}) if isinstance(config, dict) else None
            if not isinstance(options, dict):
                raise ValueError(f"{self.config}: run: must be a mapping")
            asked = ["test"] if options.get("test") else []
        else:
            asked = []
        stale = record.get(OF_FINAL_WEIGHTS) is False
        return ["validation"] * stale + [name for name in asked if name not in record]

    def read_evaluations(self) -> list[dict[str, Any]]:
        """Return the rows of `evaluations.jsonl`; none if there is no such file.

        Raises:
            ValueError: A line is not a JSON object.
        """
        file = self.path / "evaluations.jsonl"
        if not file.exists():
            return []
        rows = []
        for number, row in json_rows(read_text(file)):
            if not isinstance(row, dict):
                raise ValueError(
                    f"{file}: line {number} is not an evaluation; remove that line to read the rest"
                )
            rows.append(row)
        return rows

    def add_evaluation(self, row: dict[str, Any]) -> None:
        """Add a row to `evaluations.jsonl`; replace one of the same id.

        The row records the commit and processor of the evaluation, which may differ from those of
        the training. Two processes at once lose no row, except in a store, which has no locks.
        """
        path = self.path
        with FileLock(path / ".evaluations.lock") if isinstance(path, Path) else nullcontext():
            rows = [old for old in self.read_evaluations() if old.get("id") != row["id"]]
            made = {"git_commit": git_commit(), "processor": cpu_name(), **row}
            text = "".join(json.dumps(row, allow_nan=False) + "\n" for row in (*rows, made))
            write_whole(path / "evaluations.jsonl", text)

    def write_metrics(self, rows: list[dict[str, Any]]) -> None:
        """Replace `metrics.csv`."""
        names = list(dict.fromkeys(name for row in rows for name in row))
        text = csv_text(names, ([row.get(name) for name in names] for row in rows))
        write_whole(self.path / "metrics.csv", text)
