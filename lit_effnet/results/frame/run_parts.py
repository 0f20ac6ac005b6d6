"""Parts of each run in a file of results: flags, recipe, versions and epochs.

Parts have the names of the files of a run directory. A run in a file of results has the path
`results/NAME.json#GROUP/ID`.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from lit_effnet.runs.csv_text import csv_text, read_rows
from lit_effnet.runs.documents import load_json, load_yaml, read_json, read_text

Part = dict[str, Any]

INSIDE = ".json#"
RECORD, CONFIG, POINT, METRICS = "run.json", "config.yaml", "parameters.json", "metrics.csv"
OF_RECORD = ("recipe", "versions", "threads")


def text_of(run: str, name: str) -> str:
    """Return the text of a file of a run, from its run directory or from a results file.

    Raises:
        OSError: There is no such file.
        ValueError: The file is not text, or the results file is invalid.
    """
    if INSIDE in run:
        return _shipped_text(run, name)
    return read_text(f"{run}/{name}")


def command_of(run: str) -> str | None:
    """Return the command that made the runs of a results file; None for a run directory."""
    if INSIDE not in run:
        return None
    return str(_content(*_place(run)[:2])["command"])


def config_of(run: str) -> Part:
    """Return the flags of a run by their dotted names; empty if none are recorded."""
    try:
        content = _shipped_part(run, CONFIG) if INSIDE in run else load_yaml(text_of(run, CONFIG))
    except (OSError, ValueError):
        return {}
    sections = content.items() if isinstance(content, Mapping) else ()
    return {
        f"{section}.{name}": value
        for section, flags in sections
        if isinstance(flags, Mapping)
        for name, value in flags.items()
    }


def parts_of(run: str) -> dict[str, Part]:
    """Return the readable parts of a run directory."""
    parts: dict[str, Part] = {}
    for name, parse in _PARSERS.items():
        try:
            content = parse(text_of(run, name))
        except (OSError, ValueError):
            continue
        if isinstance(content, dict):
            parts[name] = content
    record = parts.get(RECORD, {})
    parts[RECORD] = {name: record[name] for name in OF_RECORD if name in record}
    return {name: part for name, part in parts.items() if part}


def check_parts(file: Path) -> None:
    """Check that a file of results has its parts as `text_of` writes them again.

    Raises:
        ValueError: It has not; which run and which file of it.
    """
    content = _content(*_place(f"{file}#")[:2])
    if not isinstance(content.get("command", ""), str):
        raise ValueError(f"{file.name}: command: must be a text")
    for name in ("same_in_runs", "runs"):
        if not isinstance(content[name], dict):
            raise ValueError(f"{file.name}: {name}: must be an object")
    for run, own in content["runs"].items():
        parts = joined(content["same_in_runs"], own) if isinstance(own, dict) else {run: own}
        for name, part in parts.items():
            if not isinstance(part, dict) or (name == METRICS and not _are_columns(part)):
                raise ValueError(f"{file.name}: runs.{run:.60}: {name:.60}: is no part of a run")


def _are_columns(part: Part) -> bool:
    """Return whether the values are lists of numbers of equal length."""
    if not all(isinstance(cells, list) for cells in part.values()):
        return False
    cells = [cell for column in part.values() for cell in column]
    return len({len(column) for column in part.values()}) <= 1 and all(
        cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool))
        for cell in cells
    )


def common(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the entries that all nested mappings share."""
    first, *others = parts
    merged: dict[str, Any] = {}
    for name, value in first.items():
        if not all(name in other for other in others):
            continue
        if all(isinstance(part[name], Mapping) for part in parts):
            merged[name] = common([part[name] for part in parts])
        elif all(_same(other[name], value) for other in others):
            merged[name] = value
    return merged


def without(part: Mapping[str, Any], same: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a nested mapping that are not shared by all."""
    merged = {}
    for name, value in part.items():
        if name not in same:
            merged[name] = value
        elif isinstance(value, Mapping) and (own := without(value, same[name])):
            merged[name] = own
    return merged


def joined(same: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return the nested mapping from its shared and its own entries; undoes `without`."""
    merged = dict(same)
    for name, value in own.items():
        inner = merged.get(name)
        both = isinstance(inner, Mapping) and isinstance(value, Mapping)
        merged[name] = joined(inner, value) if both else value  # type: ignore[arg-type]
    return merged


def _same(first: Any, second: Any) -> bool:
    return type(first) is type(second) and first == second  # 1 and True are equal


def _columns(text: str) -> Part:
    """Return the columns of a CSV file; numbers are parsed, and an empty cell is None."""
    rows = read_rows(text)
    return {name: [_number(row[name]) for row in rows] for name in (rows[0] if rows else ())}


def _number(text: str) -> float | int | None:
    if not text:
        return None
    return int(text) if text.isdigit() else float(text)


def _csv(columns: Part) -> str:
    return csv_text([*columns], zip(*columns.values(), strict=True))


_PARSERS: dict[str, Callable[[str], Any]] = {
    CONFIG: load_yaml,
    RECORD: load_json,
    POINT: load_json,
    METRICS: _columns,
}


_WRITERS: dict[str, Callable[[Part], str]] = {
    CONFIG: lambda part: str(yaml.safe_dump(part, sort_keys=False)),
    METRICS: _csv,
}


def _shipped_text(run: str, name: str) -> str:
    part, write = _shipped_part(run, name), _WRITERS.get(name)
    return json.dumps(part) if write is None else write(part)


def _shipped_part(run: str, name: str) -> Part:
    file, state, place = _place(run)
    content = _content(file, state)
    own = content["runs"].get(place)
    if own is None or name not in (parts := joined(content["same_in_runs"], own)):
        raise FileNotFoundError(f"{file}: has no {name} of {place}")
    part: Part = parts[name]
    return part


def _place(run: str) -> tuple[str, tuple[int, int], str]:
    """Return the results file that holds a run, its state on disk, and the index of the run."""
    stem, _, place = run.partition(INSIDE)
    file = f"{stem}.json"
    status = Path(file).stat()
    return file, (status.st_mtime_ns, status.st_size), place


@cache
def _content(file: str, _state: tuple[int, int]) -> dict[str, Any]:
    """Return a results file, which is read again only if it has changed."""
    content = read_json(file)
    return {"same_in_runs": {}, "runs": {}, **content}
