"""Results by their name: of this project's runs, else of the files that ship with it."""

from pathlib import Path
from typing import Any

import pandas as pd

from lit_effnet.results.frame.records import FINISHED
from lit_effnet.results.frame.shipped import read_shipped, read_shipped_rows
from lit_effnet.results.frame.table import load
from lit_effnet.runs.documents import json_rows, read_text

Row = dict[str, Any]

RUNS, RESULTS = "runs", "results"
# Of `sweep --on`, the quickest first.
SETTINGS = ("photos", "cifar10", "imagenette", "cifar100", "imagenet")
INT8 = "int8"
# What makes results that no sweep of their name makes.
COMMANDS = {
    "efficiency": "python -m lit_effnet.measure b0 b4 resnet50 --output runs/efficiency.jsonl",
    INT8: "python -m lit_effnet.quantize runs/photos/RUN",
    "photos": "make fit",
}


def project_root(start: Path | None = None) -> Path:
    """Return the folder of the project.

    Args:
        start: Folder to search upwards from; None for the working directory.
    """
    here = (start or Path.cwd()).resolve()
    above = (here, *here.parents)
    return next((p for p in above if (p / "lit_effnet").is_dir() and (p / "sweeps").is_dir()), here)


def read_runs(name: str, root: Path | None = None) -> pd.DataFrame:
    """Load the runs of a sweep from `runs/`, or the shipped results if there are none.

    Runs that have not finished are included if others have.

    Args:
        name: Name of a sweep or of a group of runs.
        root: Folder of the project; None to search for it.

    Raises:
        ValueError: No run has finished; the message names the command that makes some.
    """
    top = root or project_root()
    names = (name, *(f"{name}_{setting}" for setting in SETTINGS))
    for group in names:
        if (folder := top / RUNS / group).is_dir() and _scored(frame := load([folder]).frame):
            return frame
    for group in names:
        if (file := top / RESULTS / f"{group}.json").is_file():
            return read_shipped(file)
    raise _missing(name, "finished run")


def read_rows(name: str, root: Path | None = None) -> list[Row]:
    """Load measurements from `runs/NAME.jsonl`, or the shipped ones if there are none.

    Args:
        name: Name of the measurements.
        root: Folder of the project; None to search for it.

    Raises:
        ValueError: There are no measurements; the message names the command that makes some.
    """
    top = root or project_root()
    if (file := top / RUNS / f"{name}.jsonl").is_file():
        return _lines(file)
    if (file := top / RESULTS / f"{name}.json").is_file():
        return read_shipped_rows(file)
    raise _missing(name, "measurement")


def read_int8_rows(name: str = INT8, root: Path | None = None) -> list[Row]:
    """Load the rows of the latest `quantize`, or the shipped ones if there are none.

    Args:
        name: Name of the shipped file.
        root: Folder of the project; None to search for it.

    Raises:
        ValueError: There are no rows; the message names the command that makes some.
    """
    top = root or project_root()
    files = sorted((top / RUNS).glob("*/*/evaluations.jsonl"))
    found = [rows for file in files if (rows := [row for row in _lines(file) if _timed(row)])]
    if found:
        return max(found, key=lambda rows: max(str(row.get("evaluated")) for row in rows))
    return [row for row in read_rows(name, top) if _timed(row)]


def newest_run(group: str = "photos", root: Path | None = None) -> Path:
    """Return the finished run of a group that started last and still has its weights.

    Args:
        group: Folder of the run directories.
        root: Folder of the project; None to search for it.

    Raises:
        ValueError: There is no such run; the message names the command that makes one.
    """
    folder = (root or project_root()) / RUNS / group
    if folder.is_dir():
        frame = load([folder]).frame
        finished = frame[frame["status"] == FINISHED].sort_values("started", ascending=False)
        for run in map(Path, finished["run"]):
            if (run / "checkpoints" / "last.ckpt").is_file():
                return run
    raise _missing(group, "finished run")


def _scored(frame: pd.DataFrame) -> bool:
    return bool(((frame["status"] == FINISHED) & frame["top1"].notna()).any())


def _timed(row: Row) -> bool:
    """Return whether a row comes from `quantize`, which times each network that it evaluates."""
    return isinstance(row.get("latency"), dict) and "agreement" in row


def _lines(file: Path) -> list[Row]:
    """Return the objects of a JSON-lines file; a truncated line is skipped."""
    return [row for _, row in json_rows(read_text(file)) if isinstance(row, dict)]


def _missing(name: str, what: str) -> ValueError:
    sweep = f"python -m lit_effnet.sweep sweeps/{name}.yaml --on photos"
    command = COMMANDS.get(name, sweep)
    return ValueError(f"{name}: no {what} in {RUNS}/ or {RESULTS}/; `{command}` makes them")
