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


NETWORK = Column(heading="network", value="name", left=True)
ARM = Column(heading="arm", value="arm", write=form.code, left=True)
IMAGE_SIZE = Column(heading="px", value="image_size", meaning="side of the input in pixels")
PARAMETERS = Column(
    heading="parameters",
    unit="M",
    value=lambda row: row.get("parameters", row.get("params")),
    write=form.millions,
)
MACS = Column(heading="MACs", unit="M", value="macs", write=form.number(",.1f", 1e-6))
MEASURED_MACS = replace(MACS, write=form.number(",.0f", 1e-6))
ACTIVATIONS = Column(
    heading="activations", unit="M", value="activations", write=form.number(",.1f", 1e-6)
)
LATENCY = Column(
    heading="latency",
    unit="ms (5..95 %)",
    value=lambda row: percentiles(row["latency"]),
    write=form.spread(form.milliseconds),
    meaning="median of single images, with the 5th and 95th percentile",
)
RATIO = Column(heading="times first", value="ratio", write=form.ratio)
TOP1 = Column(heading="top-1", unit="%", value="top1", write=form.percent)
AGREEMENT = Column(
    heading="agreement with float32",
    unit="%",
    value="agreement",
    write=form.percent,
    meaning="images whose predicted class is that of the network in float32",
)
FILE_SIZE = Column(heading="file", unit="MB", value="file_bytes", write=form.megabytes)

WORK = Column(heading="", value="work")
BATCH = Column(
    heading="batch",
    value=lambda row: row.get("batch") and f"{row['batch']}{'*' if row['limited_by'] else ''}",
)
IMAGES_PER_S = Column(heading="images/s", value="images_per_s", write=form.number(",.1f"))
UTILISATION = Column(heading="utilisation", unit="%", value="utilisation", write=form.percent)
PEAK_MEMORY = Column(
    heading="peak memory",
    unit="MB",
    value=find("memory", "above_bytes"),
    write=form.number(",.0f", 1e-6),
)
IMAGES_PER_WH = Column(
    heading="images/Wh", value=find("energy", "images_per_wh"), write=form.count, optional=True
)

# The tables of `measure`: a row for each network, and a row for each network and work.
SHORT_PARAMETERS = replace(PARAMETERS, heading="params")
SHORT_ACTIVATIONS = replace(ACTIVATIONS, heading="acts")
ONE_IMAGE = (
    *(NETWORK, IMAGE_SIZE, SHORT_PARAMETERS, MEASURED_MACS, SHORT_ACTIVATIONS),
    *(LATENCY, RATIO),
)
BATCHES = (NETWORK, WORK, BATCH, IMAGES_PER_S, UTILISATION, PEAK_MEMORY, IMAGES_PER_WH)


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
