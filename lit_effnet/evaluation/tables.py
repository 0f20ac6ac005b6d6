"""What a person sees of an evaluation: a network under conditions, and networks side by side."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean
from typing import TYPE_CHECKING, Any

from rich.table import Table
from rich.text import Text

from lit_effnet.data.schema import WHOLE
from lit_effnet.evaluation.conditions import CLEAN
from lit_effnet.evaluation.evaluator import TRAINED
from lit_effnet.evaluation.target import EvaluationTarget
from lit_effnet.metrics.robustness import (
    BENCHMARK,
    MeanCorruptionError,
    corruption_errors,
    mean_corruption_error,
)

if TYPE_CHECKING:
    import pandas as pd

MOST_CLASSES = 20  # in a table on the screen

Row = Mapping[str, Any]
Reference = tuple[str, Mapping[str, float]] | None


def percent(fraction: float) -> str:
    """A fraction as a percentage with one decimal."""
    return f"{100 * fraction:.1f}"


def levels_table(subject: EvaluationTarget, rows: Sequence[Row]) -> Table:
    """One row for clean images and for each level of a corruption."""
    name = subject.arm if subject.arm == subject.name else f"{subject.name}: {subject.arm}"
    table = Table(title=f"{name}, {subject.data.image_size} px", title_justify="left")
    table.add_column("condition", no_wrap=True)
    for heading in ("top-1, %", "top-5, %", "calibration\nerror, %", "error above\nclean, points"):
        table.add_column(heading, justify="right")
    clean = {row["id"]: row for row in rows if row["condition"] == CLEAN}
    for row in rows:
        if row["severity"] is None:
            compared = clean.get(row["clean"])
            above = "" if compared is None else f"{100 * (compared['top1'] - row['top1']):.1f}"
            scores = (row["top1"], row["top5"], row["calibration_error"])
            table.add_row(label(row), *map(percent, scores), above)
    return table


def severities_table(rows: Sequence[Row]) -> Table | None:
    """Top-1 of each corruption by severity, and its mean error; null where there is none."""
    names = list(dict.fromkeys(row["condition"] for row in rows if row["severity"] is not None))
    if not names:
        return None
    table = Table("corruption, top-1 in %")
    for severity in range(1, 6):
        table.add_column(f"{severity}", justify="right")
    table.add_column("mean\nerror, %", justify="right")
    for name in names:
        by_severity = {
            row["severity"]: row["top1"]
            for row in rows
            if row["condition"] == name and row["severity"] is not None
        }
        cells = [percent(by_severity[s]) if s in by_severity else "" for s in range(1, 6)]
        whole = len(by_severity) == 5
        table.add_row(name, *cells, percent(1 - mean(by_severity.values())) if whole else "")
    return table


def class_table(title: str, classes: "pd.DataFrame") -> Table:
    """Return the accuracy of each class, of many of the lowest ones only.

    Args:
        title: The condition.
        classes: As `predictions.per_class` gives them.
    """
    there = classes[classes["images"] > 0].sort_values("accuracy", kind="stable")
    part = f", the {MOST_CLASSES} lowest of {len(there)}" if len(there) > MOST_CLASSES else ""
    table = Table("class", title=f"{title}, by class{part}", title_justify="left")
    for heading in ("images", "correct", "top-1, %"):
        table.add_column(heading, justify="right")
    table.add_column("most often taken for")
    for row in there[:MOST_CLASSES].to_dict("records"):
        mistaken = f"{row['mistaken_for']} ({row['mistakes']})" if row["mistakes"] else ""
        counts = (f"{row['images']:,}", f"{row['correct']:,}", percent(row["accuracy"]))
        table.add_row(Text(row["name"]), *counts, Text(mistaken))
    if absent := len(classes) - len(there):
        table.caption = f"{absent} class{'es' * (absent > 1)} without images"
    return table


def label(row: Row) -> str:
    """The condition with its level."""
    if row["condition"] == CLEAN and row["made_at"]:
        return f"{CLEAN}, by way of {row['made_at_px']} px"
    level = ":".join(f"{key}={value:g}" for key, value in row["parameters"].items())
    return f"{row['condition']}:{level}" if level else str(row["condition"])


def notes(rows: Sequence[Row], subject: EvaluationTarget, reference: Reference) -> Iterator[str]:
    """What the numbers are of, and the mean corruption errors."""
    first = rows[0]
    count, data, split = f"{first['images']:,} images", first["data"], first["split"]
    shown = f"all {count} of {data}" if split == WHOLE else f"{count} of {data} {split}"
    yield (f"{shown}, device {first['device']}; rows in {subject.folder.path}/evaluations.jsonl")
    if subject.note:
        yield subject.note
    corrupted = [row for row in rows if row["condition"] != CLEAN]
    if corrupted:
        made = corrupted[0]
        owner = "data set" if made["made_at"] == "reference" else "network"
        resized = made["image_size"] != made["made_at_px"]
        then = f", then resized to {made['image_size']} px" if resized else ""
        scales = dict.fromkeys(row["severities"] for row in corrupted if row["severities"])
        constants = f"; severities of {', '.join(scales)}" if scales else ""
        yield f"Corrupted at the {owner}'s {made['made_at_px']} px{then}{constants}."
    if first["not_own"]:
        yield f"Not the network's own view: {'; '.join(first['not_own'])}."
    if first["batch_norm"] != TRAINED:
        yield f"Batch norm {first['batch_norm']} of each condition's images, without labels."
    errors = corruption_errors(rows)
    yield from map(mean_error, mean_errors(errors, reference))


def mean_errors(errors: Mapping[str, float], reference: Reference) -> Iterator[MeanCorruptionError]:
    """The mean corruption error, plain and relative, where none but frost is missing."""
    if set(BENCHMARK) - set(errors) - {"frost"}:
        return
    if (plain := mean_corruption_error(errors)) is not None:
        yield plain
    if reference is not None:
        relative = mean_corruption_error(errors, *reference)
        if relative is not None:
            yield relative


def mean_error(found: MeanCorruptionError) -> str:
    """One mean corruption error in words."""
    kind = f"relative to {found.reference}" if found.reference else "plain mean, not divided"
    count = len(BENCHMARK) - len(found.missing)
    without = f", without {', '.join(found.missing)}: not the benchmark's" if found.missing else ""
    return (
        f"mCE {100 * found.value:.1f} % ({kind}; {count} of {len(BENCHMARK)} corruptions{without})"
    )


def networks_tables(
    networks: Sequence[tuple[str, str, int, Sequence[Row]]], width: int
) -> Iterator[Table]:
    """Top-1 of every network under every condition, in as many tables as `width` asks for.

    Args:
        networks: Arm, run, MACs and rows of each.
        width: Columns of the screen.
    """
    cells = [_means(rows) for *_, rows in networks]
    columns = list(dict.fromkeys(column for found in cells for column in found))
    names = Table("", "arm", "network", "MACs, M", title="networks", title_justify="left")
    for number, (arm, run, macs, _) in enumerate(networks, start=1):
        names.add_row(f"{number}", arm, Text(run, overflow="fold"), f"{macs / 1e6:,.1f}")
    yield names
    used = 4  # the column of numbers
    some: list[str] = []
    for column in [*columns, None]:
        wide = 3 + max(map(len, column.splitlines())) if column else 0
        if some and (column is None or used + wide > width):
            yield _part(some, cells)
            some, used = [], 4
        if column:
            some.append(column)
            used += wide


def _part(columns: Sequence[str], cells: Sequence[Mapping[str, float]]) -> Table:
    table = Table("", title="top-1, %", title_justify="left")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    for number, found in enumerate(cells, start=1):
        texts = [percent(found[column]) if column in found else "" for column in columns]
        table.add_row(f"{number}", *texts)
    return table


def _means(rows: Sequence[Row]) -> dict[str, float]:
    """Top-1 by what is compared: a level, or a corruption made in one way over its severities."""
    compared = {row["clean"]: row for row in rows if row["made_at"] == "reference" and row["clean"]}
    found: dict[str, float] = {}
    groups: dict[tuple[Any, ...], dict[int, float]] = {}
    for row in rows:
        if row["condition"] == CLEAN:
            if row["made_at"] is None:
                found[CLEAN] = row["top1"]
            if row["id"] in compared:  # seen at the reference size, if only because it is its own
                found[f"{CLEAN}\nat {compared[row['id']]['made_at_px']} px"] = row["top1"]
        elif row["severity"] is None:
            found[label(row).replace(":", "\n", 1)] = row["top1"]
        else:
            key = (row["condition"], row["severities"], row["made_at"], row["made_at_px"])
            groups.setdefault(key, {})[row["severity"]] = row["top1"]
    for (name, severities, made_at, pixels), by_severity in groups.items():
        whole = len(by_severity) == 5
        levels = "mean of 1-5" if whole else ",".join(map(str, sorted(by_severity)))
        where = f"{pixels} px" if made_at == "reference" else "input"
        found[f"{name}\n{levels}\n{severities}, {where}"] = mean(by_severity.values())
    return found
