"""Runs in one tidy table: a row for each run and condition.

table = load(["runs"])
clean_rows(table.frame)  # of `columns`: each finished run once, on clean images as it was trained
table.skipped  # what could not be read, and why
"""

from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import pandas as pd

from lit_effnet.results.figures.files import ending
from lit_effnet.results.frame.columns import frame_of
from lit_effnet.results.frame.folders import Search, Skipped, printable
from lit_effnet.results.frame.records import Row, rows_of
from lit_effnet.results.frame.shipped import read_shipped
from lit_effnet.results.frame.wandb_log import rows_of_log
from lit_effnet.runs.csv_text import csv_text
from lit_effnet.runs.files import write_whole
from lit_effnet.runs.paths import is_url

FORMATS = ("parquet", "csv")


@dataclass(frozen=True)
class Table:
    """Runs of any status, and what could not be read.

    Args:
        frame: The columns of `COLUMNS`.
        skipped: Folders, files and lines that are not in it, and why.
    """

    frame: pd.DataFrame
    skipped: tuple[Skipped, ...]


def load(paths: Iterable[str | Path]) -> Table:
    """Load runs into a table; a run without scores has empty cells.

    Args:
        paths: Run directories, folders that hold them at any depth down to five, folders of
            offline W&B runs, and results files, in any mix. Duplicates are read once; the
            W&B copy of a run directory is ignored.
    """
    search = Search()
    skipped = search.skipped
    shipped: dict[Path, pd.DataFrame] = {}
    for path in paths:
        if is_url(str(path)) or not str(path).endswith(".json"):
            search.add(path)
            continue
        file = Path(path)
        try:
            shipped.setdefault(file.resolve(), read_shipped(file))
        except ValueError as error:
            reason = str(error).removeprefix(f"{file.name}: ")
            skipped.append(Skipped(printable(str(path)), reason))
    rows: list[Row] = []
    for folder in search.runs:
        try:
            found, bad = (rows_of if "run.json" in folder.files else rows_of_log)(folder)
        except ValueError as error:
            skipped.append(Skipped(printable(folder.path), str(error)))
        else:
            rows += found
            skipped += bad
    frames = [one for one in (frame_of(rows), *shipped.values()) if len(one)]
    return Table(pd.concat(frames, ignore_index=True) if frames else frame_of([]), tuple(skipped))


def write(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as .parquet or .csv, by the ending; it is written whole.

    Raises:
        ValueError: another ending.
        OSError: it cannot be written; an old file is as it was.
    """
    content = BytesIO()
    if ending(path, FORMATS) == "parquet":
        frame.to_parquet(content, index=False)
    else:
        content.write(csv_of(frame).encode())
    write_whole(path, content.getvalue())


def csv_of(frame: pd.DataFrame) -> str:
    """Return a frame as CSV without formulas: see `lit_effnet.runs.csv_text`."""
    cells = frame.astype(object).where(frame.notna(), None)
    return csv_text([*frame.columns], cells.itertuples(index=False))
