"""Small files of results that ship with the project, numbers only: `results/NAME.json`.

A file has the command that made its runs, what all of its rows have in common, and a row for each
run and condition, or for each measurement. Rows have commit, device, seed, duration and the hash
of the configuration, and each run has its configuration, resolved recipe, versions and epochs;
paths of the machine that made them are cut to their last part.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath
from typing import Any

import pandas as pd

from lit_effnet.results.frame.columns import COLUMNS, NUMBER, TEXT, TIME, TRUTH, WHOLE, frame_of
from lit_effnet.results.frame.folders import get
from lit_effnet.results.frame.records import FINISHED, WORDS
from lit_effnet.results.frame.run_parts import METRICS, check_parts, common, parts_of, without
from lit_effnet.runs.documents import DocumentError, load_json, read_text
from lit_effnet.runs.files import write_whole

Row = dict[str, Any]

RESULTS = Path(__file__).parents[3] / "results"
FORMAT = 1
RUNS, ROWS = "runs", "rows"
HOLDS = {RUNS: "runs of a sweep", ROWS: "measurements"}
CELLS = {TEXT: str, TIME: str, WHOLE: int, NUMBER: float, TRUTH: bool}
DONE = (FINISHED, "released")
EMPTY: Mapping[str, Row] = {}
SMALL = 1e-2
DIGITS = 6  # after the point: of an accuracy, a hundredth of an image in 10,000
# Where a file lies, and what only its own machine knows.
LEFT_OUT = ("reason", "training_images_per_s")


def ship(frame: pd.DataFrame, path: Path, command: str, note: str = "") -> None:
    """Write finished runs to a results file.

    Args:
        frame: Rows of runs, from `table.load`.
        path: File to write, `results/NAME.json`.
        command: Command that repeats the runs.
        note: Remark for readers, such as why a column is empty.

    Raises:
        ValueError: There is no run, a run has not finished, or two runs have the same ID.
        OSError: The file cannot be written; an old file is kept.
    """
    if frame.empty:
        raise ValueError("frame: must have a finished run, and has no row")
    if not frame["status"].isin(DONE).all():
        statuses = ", ".join(sorted(frame["status"].unique()))
        raise ValueError(f"frame: must have finished runs only, and has {statuses}")
    places = frame["group"].astype("str") + "/" + frame["id"].astype("str")
    runs = dict(zip(places, frame["run"], strict=True))
    if places.isna().any() or len(runs) != frame["run"].nunique():
        raise ValueError("frame: must have runs of one GROUP/ID each, and has two of one, or none")
    kept = frame.drop(columns=[*LEFT_OUT]).assign(run=places)
    rows = [
        {str(name): _plain(value) for name, value in row.items() if not pd.isna(value)}
        for row in kept.to_dict("records")
    ]
    parts = {
        place: {
            name: _plain(part) if name == METRICS else _plain(part, whole=True)
            for name, part in parts_of(run).items()
        }
        for place, run in runs.items()
    }
    _write(path, RUNS, (command, note), rows, parts)


def read_shipped(path: Path) -> pd.DataFrame:
    """Return the runs of a results file, in the columns of `table.load`.

    Raises:
        ValueError: The file is not a results file.
    """
    rows = [_checked(row, f"{path.name}: row {n}") for n, row in enumerate(_read(path, RUNS), 1)]
    check_parts(path)
    return frame_of([{**row, "run": f"{path}#{row['run']}"} for row in rows])


def _checked(row: Row, place: str) -> Row:
    """Return a row after checking the types of its cells.

    Raises:
        ValueError: A cell has another type, or an identifying cell is missing.
    """
    if unknown := row.keys() - COLUMNS.keys():
        raise ValueError(f"{place}: must have columns of the table, and has {min(unknown)!r:.60}")
    try:
        cells = {
            name: get(row, name, CELLS[kind], needed=name in ("run", *WORDS))
            for name, (kind, _) in COLUMNS.items()
        }
        parameters = load_json(cells["condition_parameters"] or "{}")
        if not isinstance(parameters, dict):
            raise ValueError("condition_parameters: must be an object, as JSON")
        get(parameters, "sigma", float)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from error
    return cells


def ship_rows(rows: Iterable[Mapping[str, Any]], path: Path, command: str, note: str = "") -> None:
    """Write rows of `measure` or `quantize` to a results file.

    Args:
        rows: Rows as the command writes them.
        path: File to write, `results/NAME.json`.
        command: Command that repeats the measurements.
        note: Remark for readers.

    Raises:
        ValueError: There are no rows.
        OSError: The file cannot be written; an old file is kept.
    """
    kept = [{name: _plain(value) for name, value in row.items()} for row in rows]
    if not kept:
        raise ValueError("rows: must have one at least, and has none")
    _write(path, ROWS, (command, note), kept)


def read_shipped_rows(path: Path) -> list[Row]:
    """Return the rows of a results file of measurements.

    Raises:
        ValueError: The file is not such a results file.
    """
    return _read(path, ROWS)


def _write(
    path: Path,
    kind: str,
    about: tuple[str, str],
    rows: list[Row],
    parts: Mapping[str, Row] = EMPTY,
) -> None:
    """Write a file, one row a line, so that a change of it can be read."""
    names = [name for name in rows[0] if all(name in row for row in rows)]
    same = {name: rows[0][name] for name in names if len(rows) > 1 and _one(rows, name)}
    own = [{name: value for name, value in row.items() if name not in same} for row in rows]
    head = {"format": FORMAT, "kind": kind, "command": about[0], "note": about[1], "same": same}
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in head.items()]
    body = ",\n".join(f"  {json.dumps(row)}" for row in own)
    lines.append(f'"rows": [\n{body}\n]')
    if parts:
        in_all = common([*parts.values()])
        own_parts = {place: without(part, in_all) for place, part in parts.items()}
        runs = ",\n".join(f"  {json.dumps(k)}: {json.dumps(part)}" for k, part in own_parts.items())
        lines += [f'"same_in_runs": {json.dumps(in_all)}', f'"runs": {{\n{runs}\n}}']
    text = "{\n" + ",\n".join(lines) + "\n}\n"
    write_whole(path, text.encode())


def _one(rows: list[Row], name: str) -> bool:
    return all(row[name] == rows[0][name] for row in rows)


def _read(path: Path, kind: str) -> list[Row]:
    try:
        content = load_json(read_text(path))
        written = (content["format"], content["kind"])
        same, rows = dict(content["same"]), [dict(row) for row in content["rows"]]
    except OSError as error:
        raise ValueError(f"{path.name}: cannot be read ({error.strerror or error})") from error
    except DocumentError as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise ValueError(f"{path.name}: is no file of results ({reason})") from error
    except (ValueError, KeyError, TypeError) as error:
        needed = "must be an object with format, kind, same and rows"
        raise ValueError(f"{path.name}: is no file of results: {needed}") from error
    if written[0] == FORMAT and written[1] != kind and written[1] in tuple(HOLDS):
        raise ValueError(f"{path.name}: holds {HOLDS[written[1]]}, and no {HOLDS[kind]}")
    if written != (FORMAT, kind):
        actual = f"{written[1]!r:.40} of format {written[0]!r:.40}"
        raise ValueError(f"{path.name}: must be {kind} of format {FORMAT}, and is {actual}")
    return [same | row for row in rows]


def _plain(value: Any, *, whole: bool = False) -> Any:
    """Return a value as JSON holds it, without paths of this machine; `whole` keeps all digits."""
    if isinstance(value, Mapping):
        return {name: _plain(inner, whole=whole) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner, whole=whole) for inner in value]
    if isinstance(value, pd.Timestamp):
        return f"{value:%Y-%m-%dT%H:%M:%SZ}"
    if isinstance(value, float) and not whole:
        # A relative error of a millionth would be left with one digit.
        return float(f"{value:.{DIGITS}g}") if abs(value) < SMALL else round(value, DIGITS)
    if isinstance(value, str):
        return PurePath(value).name if PurePath(value).is_absolute() else value
    return value
