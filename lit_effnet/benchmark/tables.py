"""What a person sees of measurements: costs, speed and what they are of."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

Row = Mapping[str, Any]
WORKS = ("inference", "training")
COUNTS = {"params": ".2f", "macs": ",.0f", "activations": ".1f"}


def ratios(rows: Sequence[Row]) -> list[float | None]:
    """Latency of each network over the first's that has one; null where it has none.

    Of a CPU's processor time where all have it, else of the wall time: others that use the machine
    lengthen the wall time of one call and not of the next.
    """
    key = "cpu_ms" if _by_processor_time(rows) else "median_ms"
    times = [row["latency"][key] if _measured(row, "latency") else None for row in rows]
    first = next((time for time in times if time is not None), None)
    return [None if time is None else time / first for time in times]


def costs_table(rows: Sequence[Row]) -> Table:
    """Parameters, MACs, activations and latency at batch 1, with the ratio to the first."""
    table = Table(title="one image", title_justify="left")
    table.add_column("network", overflow="fold")
    for heading in ("px", "params\nM", "MACs\nM", "acts\nM", "latency, ms\n(5..95 %)", "x first"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row, ratio in zip(rows, ratios(rows), strict=True):
        told, shown = row["latency"], ""
        if _measured(row, "latency"):
            shown = f"{told['median_ms']:.1f}\n({told['p5_ms']:.1f}..{told['p95_ms']:.1f})"
        table.add_row(
            row["name"],
            f"{row['image_size']}",
            *(_shown(row[key], form, 1e6) for key, form in COUNTS.items()),
            shown,
            _shown(ratio, ".2f"),
        )
    return table


def throughput_table(rows: Sequence[Row]) -> Table:
    """Images in a second, utilisation, peak memory and energy, of inference and training."""
    table = Table(title="batches", title_justify="left")
    table.add_column("network", overflow="fold")
    for heading in ("", "batch", "images/s", "utilisation\n%", "peak\nMB", "images\n/ Wh"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        for number, work in enumerate(work for work in WORKS if work in row):
            name = row["name"] if number == 0 else ""
            told = row[work]
            if not _measured(row, work):
                table.add_row(name, work)
                continue
            memory, energy = told.get("memory"), told["energy"]
            peak = f"{memory['above_bytes'] / 1e6:,.0f}" if isinstance(memory, Mapping) else ""
            per_wh = energy["images_per_wh"] if isinstance(energy, Mapping) else None
            table.add_row(
                name,
                work,
                f"{told['batch']}{'*' if told['limited_by'] else ''}",
                f"{told['images_per_s']:,.1f}",
                _shown(told["utilisation"], ".1f", 0.01),
                peak,
                "" if per_wh is None else f"{per_wh:,.0f}",
            )
    return table


def notes(rows: Sequence[Row]) -> Iterator[str]:
    """What the numbers are of, and why some are missing."""
    first = rows[0]
    kinds, devices = dict.fromkeys(map(_kind, rows)), dict.fromkeys(row["device"] for row in rows)
    alike = len(kinds) == len(devices) == 1
    counts = dict.fromkeys(
        f"{row[part][number]} {what}"
        for part, number, what in (
            ("latency", "runs", "calls at batch 1"),
            ("inference", "rounds", "batches"),
        )
        for row in rows
        if _measured(row, part)
    )
    yield (
        f"{'; '.join(devices)}, {first['threads']} thread{'s' * (first['threads'] > 1)}; "
        f"{_kind(first) if alike else 'each as below'}; all timed in turn"
        f"{''.join(f', {count}' for count in counts)}."
    )
    if not alike:
        where = len(devices) > 1
        yield from (
            f"{row['name']}: {_kind(row)}{', on ' + row['device'] if where else ''}" for row in rows
        )
    if any(row.get("tuned_at_batch") for row in rows):
        yield "Each is the fastest correct configuration at batch 1, in which batches are run too."
    if any(_measured(row, "latency") for row in rows):
        yield (
            "Ratios are of the processor's own time, which others on the machine disturb less."
            if _by_processor_time(rows)
            else "Ratios are of the wall time."
        )
    tops = dict.fromkeys(
        f"{row['precision']} {row[work]['peak_flops'] / 1e9:,.0f} G operations/s, "
        f"{row[work]['peak_source']}"
        for row in rows
        for work in WORKS
        if _measured(row, work)
    )
    if tops:
        yield f"Utilisation: operations of the model alone over the peak ({'; '.join(tops)})."
    yield from dict.fromkeys(why for row in rows for why in _whys(row))


def _whys(row: Row) -> Iterator[str]:
    """Why a network's figures are missing, or of a smaller batch."""
    if not _measured(row, "latency"):
        yield f"{row['name']} cannot be run: {row['latency']}."
        return
    for work in WORKS:
        told = row.get(work)
        if isinstance(told, str):
            yield f"{row['name']}, {work}: {told}."
        elif told is not None:
            if told["limited_by"]:
                limit = told["limited_by"]
                yield f"* {row['name']}, {work}: a batch of {told['batch']}, for {limit}"
            if isinstance(told["energy"], str):
                yield f"Energy is not measured: {told['energy']}."
            if isinstance(told.get("memory"), str):
                yield f"Peak memory of {row['name']}, {work}: {told['memory']}."
            elif told.get("memory"):
                counter = told["memory"]["counter"]
                yield f"Peak memory: {counter}, weights included, torch itself not."


def devices_table(rows: Sequence[Row]) -> Table:
    """What programs on other devices measured at batch 1."""
    programs = ", ".join(dict.fromkeys(row["program"] for row in rows))
    table = Table(title=f"on other devices, by {programs}", title_justify="left")
    table.add_column("device", overflow="fold", min_width=10)
    table.add_column("model", overflow="fold", min_width=12)
    for heading in ("threads", "runs", "mean\nms", "median\n(5..95 %)", "load\nms", "peak\nMB"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        median = _shown(row["median_ms"], ".2f")
        if row["p5_ms"] is not None and row["p95_ms"] is not None:
            median += f"\n({row['p5_ms']:.2f}..{row['p95_ms']:.2f})"
        table.add_row(
            row["device"],
            row["model"] or row["log"],
            _shown(row["threads"], "d"),
            _shown(row["runs"], "d"),
            _shown(row["mean_ms"], ".2f"),
            median,
            _shown(row["load_ms"], ".1f"),
            _shown(row["peak_mb"], ".1f"),
        )
    return table


def _kind(row: Row) -> str:
    """How a network was run."""
    if row["params"] is None:  # by another program, which its name tells
        return str(row["precision"])
    return f"{row['precision']}, {row['layout']}, {'compiled' if row['compiled'] else 'eager'}"


def _measured(row: Row, part: str) -> bool:
    """Whether a part of a row has figures; else it has the reason, or is not asked for."""
    return isinstance(row.get(part), Mapping)


def _by_processor_time(rows: Sequence[Row]) -> bool:
    return all(row["latency"]["cpu_ms"] is not None for row in rows if _measured(row, "latency"))


def _shown(value: float | None, form: str, unit: float | None = None) -> str:
    """A number in its unit; empty where there is none."""
    if value is None:
        return ""
    return format(value if unit is None else value / unit, form)
