"""Tables of measurements for the terminal, with notes on how they were measured."""

from collections.abc import Iterator, Sequence

from lit_effnet.cli import format as form
from lit_effnet.cli.tables import Column, PlainTable, Row, tabulate
from lit_effnet.results.tables.columns import (
    BATCHES,
    ONE_IMAGE,
    WORKS,
    batch_rows,
    has_processor_time,
    is_measured,
    percentiles,
    with_ratios,
)

DEVICE_MS = form.number(",.2f")
# Latency on other devices, as their benchmark programs printed it.
DEVICES = (
    Column("device", "device", left=True),
    Column("model", lambda row: row["model"] or row["log"], left=True),
    Column("threads", "threads"),
    Column("runs", "runs"),
    Column("mean", "mean_ms", DEVICE_MS, unit="ms"),
    Column("median", percentiles, form.spread(DEVICE_MS), unit="ms (5..95 %)"),
    Column("load", "load_ms", form.milliseconds, unit="ms"),
    Column("peak memory", "peak_mb", form.number(",.1f"), unit="MB"),
)


def latency_table(rows: Sequence[Row]) -> PlainTable:
    """Return parameters, MACs, activations and latency at batch 1, relative to the first network.

    Args:
        rows: Rows of `benchmark.runner.measure`.
    """
    return tabulate(ONE_IMAGE, with_ratios(rows), title="one image")


def throughput_table(rows: Sequence[Row]) -> PlainTable:
    """Return throughput, utilisation, peak memory and energy of inference and training.

    Args:
        rows: Rows of `benchmark.runner.measure`.
    """
    return tabulate(BATCHES, [*batch_rows(rows)], title="batches")


def devices_table(rows: Sequence[Row]) -> PlainTable:
    """Return latencies that programs on other devices measured at batch 1.

    Args:
        rows: Rows of `benchmark.device_logs.read`, each with its device and log.
    """
    programs = ", ".join(dict.fromkeys(row["program"] for row in rows))
    return tabulate(DEVICES, rows, title=f"other devices, by {programs}")


def notes(rows: Sequence[Row]) -> Iterator[str]:
    """Yield how the rows were measured, and why figures are missing."""
    yield from _settings(rows)
    if any(row.get("tuned_at_batch") for row in rows):
        yield (
            "Each network runs in its fastest correct configuration at batch 1, larger batches too."
        )
    if any(is_measured(row, "latency") for row in rows):
        yield (
            "Ratios compare processor time, which other programs on the machine disturb less."
            if has_processor_time(rows)
            else "Ratios compare wall time."
        )
    peaks = dict.fromkeys(
        f"{row['precision']} {row[work]['peak_flops'] / 1e9:,.0f} G operations/s, "
        f"{row[work]['peak_source']}"
        for row in rows
        for work in WORKS
        if is_measured(row, work)
    )
    if peaks:
        yield f"Utilisation: operations of the model alone over the peak ({'; '.join(peaks)})."
    yield from dict.fromkeys(reason for row in rows for reason in _reasons(row))


def _settings(rows: Sequence[Row]) -> Iterator[str]:
    """Yield device, threads and configuration, for each network where they differ."""
    threads = rows[0]["threads"]
    settings = dict.fromkeys(map(_setting, rows))
    devices = dict.fromkeys(row["device"] for row in rows)
    are_alike = len(settings) == len(devices) == 1
    counts = dict.fromkeys(
        f", {row[part][number]} {unit}"
        for part, number, unit in (
            ("latency", "runs", "calls at batch 1"),
            ("inference", "rounds", "batches"),
        )
        for row in rows
        if is_measured(row, part)
    )
    yield (
        f"{'; '.join(devices)}, {threads} thread{'s' * (threads > 1)}; "
        f"{next(iter(settings)) if are_alike else 'configurations as below'}; "
        f"networks timed in turn{''.join(counts)}."
    )
    if not are_alike:
        for row in rows:
            device = f", on {row['device']}" if len(devices) > 1 else ""
            yield f"{row['name']}: {_setting(row)}{device}"


def _reasons(row: Row) -> Iterator[str]:
    """Yield why figures of a network are missing, or are of a smaller batch."""
    if not is_measured(row, "latency"):
        yield f"{row['name']} cannot be run: {row['latency']}."
        return
    for work in WORKS:
        figures = row.get(work)
        if isinstance(figures, str):
            yield f"{row['name']}, {work}: {figures}."
        elif figures is not None:
            if limit := figures["limited_by"]:
                yield f"* {row['name']}, {work}: a batch of {figures['batch']}, limited by {limit}"
            if isinstance(figures["energy"], str):
                yield f"Energy is not measured: {figures['energy']}."
            if isinstance(memory := figures.get("memory"), str):
                yield f"Peak memory of {row['name']}, {work}: {memory}."
            elif memory:
                yield f"Peak memory: {memory['counter']}, with the weights, without torch itself."


def _setting(row: Row) -> str:
    """Return how a network was run; an exported file only has its runtime and precision."""
    if row["params"] is None:
        return str(row["precision"])
    return f"{row['precision']}, {row['layout']}, {'compiled' if row['compiled'] else 'eager'}"
