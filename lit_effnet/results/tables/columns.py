"""Columns that several tables show: costs of networks, as `measure` writes them, and accuracies.

A column that is added to `ONE_IMAGE` or `BATCHES` stands in the tables of `measure` and in those of
the docs. Columns of rows without it are optional.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from lit_effnet.cli import format as form
from lit_effnet.cli.tables import Column, Row

WORKS = ("inference", "training")


def find(*path: str) -> Any:
    """Return a function that looks up a path of keys in a row; None where it ends early."""

    def value(row: Row) -> Any:
        part: Any = row
        for key in path:
            part = part.get(key) if isinstance(part, Mapping) else None
        return part

    return value


def percentiles(timing: Any, median: str = "median_ms") -> list[float] | None:
    """Return the median, the 5th and the 95th percentile; None where nothing was timed."""
    if not isinstance(timing, Mapping):
        return None
    return [timing[name] for name in (median, "p5_ms", "p95_ms")]


def _batch(row: Row) -> str | None:
    """Return the images of a batch, with an asterisk where a limit made it smaller."""
    return row.get("batch") and f"{row['batch']}{'*' if row['limited_by'] else ''}"


NETWORK = Column("network", "name", left=True)
ARM = Column("arm", "arm", form.code, left=True)
IMAGE_SIZE = Column("px", "image_size", meaning="side of the input in pixels")
PARAMETERS = Column(
    "parameters", lambda row: row.get("parameters", row.get("params")), form.millions, unit="M"
)
MACS = Column("MACs", "macs", form.number(",.1f", 1e-6), unit="M")
ACTIVATIONS = Column("activations", "activations", form.number(",.1f", 1e-6), unit="M")
LATENCY = Column(
    "latency",
    lambda row: percentiles(row["latency"]),
    form.spread(form.milliseconds),
    unit="ms (5..95 %)",
    meaning="median of single images, with the 5th and 95th percentile",
)
RATIO = Column("times first", "ratio", form.ratio, meaning="latency over the first network's")
TOP1 = Column("top-1", "top1", form.percent, unit="%")
AGREEMENT = Column(
    "agreement with float32",
    "agreement",
    form.percent,
    unit="%",
    meaning="images whose predicted class is that of the network in float32",
)
FILE_SIZE = Column("file", "file_bytes", form.megabytes, unit="MB")
PEAK_MEMORY = Column(
    "peak memory", find("memory", "above_bytes"), form.number(",.0f", 1e-6), unit="MB"
)
IMAGES_PER_S = Column("images/s", "images_per_s", form.number(",.1f"))
UTILISATION = Column("utilisation", "utilisation", form.percent, unit="%")

# The tables of `measure`: a row for each network, and a row for each network and work.
ONE_IMAGE = (
    NETWORK,
    IMAGE_SIZE,
    SHORT_PARAMETERS := replace(PARAMETERS, heading="params"),
    replace(MACS, write=form.number(",.0f", 1e-6)),
    SHORT_ACTIVATIONS := replace(ACTIVATIONS, heading="acts"),
    LATENCY,
    RATIO,
)
BATCHES = (
    NETWORK,
    WORK := Column("", "work"),
    BATCH := Column("batch", _batch),
    IMAGES_PER_S,
    UTILISATION,
    PEAK_MEMORY,
    Column("images/Wh", find("energy", "images_per_wh"), form.count, optional=True),
)


def is_measured(row: Row, part: str) -> bool:
    """Return whether a part of a row of `measure` has figures; else it has the reason, if asked."""
    return isinstance(row.get(part), Mapping)


def has_processor_time(rows: Iterable[Row]) -> bool:
    """Return whether all latencies have the processor's time, which other programs disturb less."""
    return all(row["latency"]["cpu_ms"] is not None for row in rows if is_measured(row, "latency"))


def with_ratios(rows: Sequence[Row]) -> list[Row]:
    """Return rows of `measure` with `ratio`, the latency over that of the first measured network.

    Processor times are compared where all rows have one, else wall times: other programs on the
    machine lengthen the wall time of one call and not of the next.
    """
    key = "cpu_ms" if has_processor_time(rows) else "median_ms"
    times = [find("latency", key)(row) for row in rows]
    first = next((time for time in times if time is not None), None)
    return [
        {**row, "ratio": None if time is None else time / first}
        for row, time in zip(rows, times, strict=True)
    ]


def batch_rows(rows: Iterable[Row]) -> Iterator[Row]:
    """Yield a row for each network and work, the name in the first one only."""
    for row in rows:
        for place, work in enumerate(work for work in WORKS if work in row):
            figures = row[work] if is_measured(row, work) else {}
            yield {"name": row["name"] if place == 0 else "", "work": work, **figures}


def both_works(column: Column) -> Column:
    """Return a column of `BATCHES` with the figures of inference and training in one cell."""

    def value(row: Row) -> list[str] | None:
        texts = [column.text(row[work]) for work in WORKS if is_measured(row, work)]
        return texts if any(texts) else None

    return replace(
        column,
        heading=f"{column.heading} ({', '.join(WORKS)})",
        value=value,
        write=", ".join,
        optional=True,
    )
