"""Tables of an evaluation: a network under conditions, its classes, and networks side by side."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import mean
from typing import TYPE_CHECKING, Any, NamedTuple

from lit_effnet.cli.format import count, millions, percent, points
from lit_effnet.cli.tables import Column, PlainTable, tabulate
from lit_effnet.data.corruptions.registry import SEVERITIES
from lit_effnet.data.schema import WHOLE
from lit_effnet.evaluation.conditions import CLEAN
from lit_effnet.evaluation.row import TRAINED
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


class ReferenceErrors(NamedTuple):
    """Errors by corruption of the network that a mean corruption error is relative to."""

    name: str
    errors: Mapping[str, float]


class EvaluatedNetwork(NamedTuple):
    """A network with its rows."""

    arm: str
    name: str
    macs: int
    rows: Sequence[Row]


def condition_of(row: Row) -> str:
    """Return the condition with its parameters, such as `gaussian_noise:sigma=0.1`."""
    if row["condition"] == CLEAN and row["made_at"]:
        return f"{CLEAN}, resized by way of {row['made_at_px']} px"
    level = ":".join(f"{key}={value:g}" for key, value in row["parameters"].items())
    return f"{row['condition']}:{level}" if level else str(row["condition"])


LEVELS = (
    Column(heading="condition", value=condition_of, left=True),
    Column(heading="top-1", unit="%", value="top1", write=percent),
    Column(heading="top-5", unit="%", value="top5", write=percent),
    Column(heading="calibration error", unit="%", value="calibration_error", write=percent),
    Column(heading="change from clean", unit="points", value="change", write=points),
)

CLASSES = (
    Column(heading="class", value="name", left=True),
    Column(heading="images", value="images", write=count),
    Column(heading="correct", value="correct", write=count),
    Column(heading="top-1", unit="%", value="accuracy", write=percent),
    Column(
        heading="most frequent error",
        value=lambda row: f"{row['mistaken_for']} ({row['mistakes']})" if row["mistakes"] else "",
        left=True,
    ),
)

NUMBER = Column(heading="", value="number")
NETWORKS = (
    NUMBER,
    Column(heading="arm", value="arm", left=True),
    Column(heading="network", value="network", left=True),
    Column(heading="MACs", unit="M", value="macs", write=millions),
)


def levels_table(target: EvaluationTarget, rows: Sequence[Row]) -> PlainTable:
    """Return the scores on clean images and at each level of a corruption."""
    name = target.arm if target.arm == target.name else f"{target.name}: {target.arm}"
    clean = {row["id"]: row["top1"] for row in rows if row["condition"] == CLEAN}
    shown = [
        {**row, "change": row["top1"] - clean[row["clean"]] if row["clean"] in clean else None}
        for row in rows
        if row["severity"] is None
    ]
    return tabulate(LEVELS, shown, title=f"{name}, {target.data.image_size} px")


def severities_table(rows: Sequence[Row]) -> PlainTable | None:
    """Return top-1 of each corruption by severity, and its mean error; None without severities."""
    corruptions: dict[str, dict[int, float]] = {}
    for row in rows:
        if row["severity"] is not None:
            corruptions.setdefault(row["condition"], {})[row["severity"]] = row["top1"]
    if not corruptions:
        return None
    columns = [
        Column(heading="corruption", value="corruption", left=True),
        *(Column(heading=f"{s}", value=f"{s}", write=percent) for s in SEVERITIES),
        Column(heading="mean error", unit="%", value="error", write=percent),
    ]
    shown = [
        {
            "corruption": name,
            **{f"{severity}": top1 for severity, top1 in by_severity.items()},
            "error": 1 - mean(by_severity.values()) if len(by_severity) == 5 else None,
        }
        for name, by_severity in corruptions.items()
    ]
    return tabulate(columns, shown, title="top-1 by severity, %")


def class_table(title: str, classes: "pd.DataFrame") -> PlainTable:
    """Return the accuracy of each class, of the `MOST_CLASSES` lowest if there are more.

    Args:
        title: The condition.
        classes: The frame of `predictions.per_class`.
    """
    present = classes[classes["images"] > 0].sort_values("accuracy", kind="stable")
    part = f", the {MOST_CLASSES} lowest of {len(present)}" if len(present) > MOST_CLASSES else ""
    absent = len(classes) - len(present)
    notes = [f"{absent} class{'es' * (absent > 1)} without images"] if absent else []
    rows = [
        {str(key): value for key, value in row.items()}
        for row in present[:MOST_CLASSES].to_dict("records")
    ]
    return tabulate(CLASSES, rows, title=f"{title}, by class{part}", notes=notes)


def notes(
    rows: Sequence[Row], target: EvaluationTarget, reference: ReferenceErrors | None
) -> Iterator[str]:
    """Yield the images, views and files of the rows, and the mean corruption errors."""
    first = rows[0]
    images, data, split = f"{first['images']:,} images", first["data"], first["split"]
    shown = f"all {images} of {data}" if split == WHOLE else f"{images} of {data} {split}"
    yield f"{shown}, device {first['device']}; rows in {target.folder.path}/evaluations.jsonl"
    if target.note:
        yield target.note
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
    yield from map(_sentence, mean_errors(corruption_errors(rows), reference))


def mean_errors(
    errors: Mapping[str, float], reference: ReferenceErrors | None
) -> Iterator[MeanCorruptionError]:
    """Yield the mean corruption error, plain and relative, if at most frost is missing."""
    if set(BENCHMARK) - set(errors) - {"frost"}:
        return
    if (plain := mean_corruption_error(errors)) is not None:
        yield plain
    if reference is not None:
        relative = mean_corruption_error(errors, *reference)
        if relative is not None:
            yield relative


def _sentence(error: MeanCorruptionError) -> str:
    kind = f"relative to {error.reference}" if error.reference else "plain mean, not divided"
    number = len(BENCHMARK) - len(error.missing)
    without = f", without {', '.join(error.missing)}: not the benchmark's" if error.missing else ""
    return (
        f"mCE {percent(error.value)} % ({kind}; {number} of {len(BENCHMARK)} corruptions{without})"
    )


def networks_tables(networks: Sequence[EvaluatedNetwork], width: int) -> Iterator[PlainTable]:
    """Yield the networks, then their top-1 under every condition in tables of at most `width`.

    Args:
        networks: At least two.
        width: Width of the screen in characters.
    """
    named = [
        {"number": number, "arm": one.arm, "network": one.name, "macs": one.macs}
        for number, one in enumerate(networks, start=1)
    ]
    yield tabulate(NETWORKS, named, title="networks")
    rows = [
        {"number": number, **_top1_by_column(network.rows)}
        for number, network in enumerate(networks, start=1)
    ]
    headings = [key for key in dict.fromkeys(key for row in rows for key in row) if key != "number"]
    columns = [Column(heading=heading, value=heading, write=percent) for heading in headings]
    used, part = 4, [NUMBER]
    for column in columns:
        wide = 3 + max(map(len, column.heading.replace(", ", "\n").splitlines()))
        if len(part) > 1 and used + wide > width:
            yield tabulate(part, rows, title="top-1, %")
            used, part = 4, [NUMBER]
        part.append(column)
        used += wide
    yield tabulate(part, rows, title="top-1, %")


def _top1_by_column(rows: Sequence[Row]) -> dict[str, float]:
    """Return top-1 by heading: a level, or the mean of a corruption over its severities."""
    compared = {row["clean"]: row for row in rows if row["made_at"] == "reference" and row["clean"]}
    top1: dict[str, float] = {}
    groups: dict[tuple[Any, ...], dict[int, float]] = {}
    for row in rows:
        if row["condition"] == CLEAN:
            if row["made_at"] is None:
                top1[CLEAN] = row["top1"]
            if row["id"] in compared:  # the reference size may be the network's own
                top1[f"{CLEAN}\nat {compared[row['id']]['made_at_px']} px"] = row["top1"]
        elif row["severity"] is None:
            top1[condition_of(row).replace(":", "\n", 1)] = row["top1"]
        else:
            key = (row["condition"], row["severities"], row["made_at"], row["made_at_px"])
            groups.setdefault(key, {})[row["severity"]] = row["top1"]
    for (name, severities, made_at, pixels), by_severity in groups.items():
        whole = len(by_severity) == len(SEVERITIES)
        levels = "mean of 1-5" if whole else ",".join(map(str, sorted(by_severity)))
        where = f"{pixels} px" if made_at == "reference" else "input"
        top1[f"{name}\n{levels}\n{severities}\n{where}"] = mean(by_severity.values())
    return top1
