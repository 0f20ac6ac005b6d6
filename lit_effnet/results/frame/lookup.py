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
    """The project's folder, seen from it or from a folder in it; else where one is.

    Args:
        start: Where to look first; null for the working directory.
    """
    here = (start or Path.cwd()).resolve()
    above = (here, *here.parents)
    return next((p for p in above if (p / "lit_effnet").is_dir() and (p / "sweeps").is_dir()), here)


def read_runs(name: str, root: Path | None = None) -> pd.DataFrame:
    """The table of a sweep's runs: of `runs/NAME` or `runs/NAME_photos`, else as it ships.

    Runs that are not finished are in it, where others are.

    Args:
        name: Of a sweep, or of a group of runs.
        root: The project's folder; null for where one is.

    Raises:
        ValueError: there is no finished run, and which command makes them.
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
    """Rows of measurements: of `runs/NAME.jsonl`, else as they ship.

    Args:
        name: Of the measurements.
        root: The project's folder; null for where one is.

    Raises:
        ValueError: there is none, and which command makes them.
    """
    top = root or project_root()
    if (file := top / RUNS / f"{name}.jsonl").is_file():
        return _lines(file)
    if (file := top / RESULTS / f"{name}.json").is_file():
        return read_shipped_rows(file)
    raise _missing(name, "measurement")


def read_int8_rows(name: str = INT8, root: Path | None = None) -> list[Row]:
    """What `quantize` wrote of the run that it saw last, else what ships of it.

    Args:
        name: Of the file that ships.
        root: The project's folder; null for where one is.

    Raises:
        ValueError: there is none, and which command makes them.
    """
    top = root or project_root()
    files = sorted((top / RUNS).glob("*/*/evaluations.jsonl"))
    found = [rows for file in files if (rows := [row for row in _lines(file) if _timed(row)])]
    if found:
        return max(found, key=lambda rows: max(str(row.get("evaluated")) for row in rows))
    return [row for row in read_rows(name, top) if _timed(row)]


def newest_run(group: str = "photos", root: Path | None = None) -> Path:
    """The finished run of a group that began last and has its weights.

    Args:
        group: Folder of the run folders.
        root: The project's folder; null for where one is.

    Raises:
        ValueError: there is none, and which command makes one.
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
    """Whether it is a row of `quantize`, which times what it evaluates."""
    return isinstance(row.get("latency"), dict) and "agreement" in row


def _lines(file: Path) -> list[Row]:
    """The objects of a file of JSON lines; one that is cut is left out, as in the table of runs."""
    return [row for _, row in json_rows(read_text(file)) if isinstance(row, dict)]


def _missing(name: str, what: str) -> ValueError:
    sweep = f"python -m lit_effnet.sweep sweeps/{name}.yaml --on photos"
    command = COMMANDS.get(name, sweep)
    return ValueError(f"{name}: no {what} in {RUNS}/ or {RESULTS}/; `{command}` makes them")
