"""What a person sees of measurements: costs, speed and what they are of."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from lit_effnet.measuring import ratios

Row = Mapping[str, Any]
COUNTS = {"params": ".2f", "macs": ",.0f", "activations": ".1f"}


def costs_table(rows: Sequence[Row]) -> Table:
    """Parameters, MACs, activations and latency at batch 1, with the ratio to the first."""
    table = Table(title="one image", title_justify="left")
    table.add_column("network", overflow="fold")
    for heading in ("px", "params\nM", "MACs\nM", "acts\nM", "latency, ms\n(5..95 %)", "x first"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row, ratio in zip(rows, ratios(rows), strict=True):
        told = row["latency"]
        table.add_row(
            row["name"],
            f"{row['image_size']}",
            *(_shown(row[key], form, 1e6) for key, form in COUNTS.items()),
            f"{told['median_ms']:.1f}\n({told['p5_ms']:.1f}..{told['p95_ms']:.1f})",
            f"{ratio:.2f}",
        )
    return table


def throughput_table(rows: Sequence[Row]) -> Table:
    """Images in a second, utilisation, peak memory and energy, of inference and training."""
    table = Table(title="batches", title_justify="left")
    table.add_column("network", overflow="fold")
    for heading in ("", "batch", "images/s", "utilisation\n%", "peak\nMB", "images\n/ Wh"):
        table.add_column(heading, justify="right", no_wrap=True)
    for row in rows:
        for number, work in enumerate(work for work in ("inference", "training") if work in row):
            told = row[work]
            memory, energy = told.get("memory"), told["energy"]
            peak = f"{memory['above_bytes'] / 1e6:,.0f}" if isinstance(memory, Mapping) else ""
            per_wh = energy["images_per_wh"] if isinstance(energy, Mapping) else None
            table.add_row(
                row["name"] if number == 0 else "",
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
    kinds = dict.fromkeys(map(_kind, rows))
    yield (
        f"{first['device']}, {first['threads']} thread{'s' * (first['threads'] > 1)}; "
        f"{'; '.join(kinds) if len(kinds) == 1 else 'each as below'}; all timed in turn, "
        f"{first['latency']['runs']} calls at batch 1, {first['inference']['rounds']} batches."
    )
    if len(kinds) > 1:
        yield from (f"{row['name']}: {_kind(row)}" for row in rows)
    if first["latency"]["cpu_ms"] is not None:
        yield "Ratios are of the processor's own time, which others on the machine disturb less."
    tops = dict.fromkeys(
        f"{row['precision']} {row[work]['peak_flops'] / 1e9:,.0f} G operations/s, "
        f"{row[work]['peak_source']}"
        for row in rows
        for work in ("inference", "training")
        if work in row
    )
    yield f"Utilisation: operations of the model alone over the peak ({'; '.join(tops)})."
    whys: dict[str, None] = {}
    for row in rows:
        for work in ("inference", "training"):
            told = row.get(work)
            if told is None:
                continue
            if told["limited_by"]:
                limit = f"* {row['name']}, {work}: a batch of {told['batch']}, for "
                whys[limit + told["limited_by"]] = None
            if isinstance(told["energy"], str):
                whys[f"Energy is not measured: {told['energy']}."] = None
            if isinstance(told.get("memory"), str):
                whys[f"Peak memory of {row['name']}, {work}: {told['memory']}."] = None
            elif told.get("memory"):
                counter = told["memory"]["counter"]
                whys[f"Peak memory: {counter}, weights included, torch itself not."] = None
    yield from whys


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


def _shown(value: float | None, form: str, unit: float | None = None) -> str:
    """A number in its unit; empty where there is none."""
    if value is None:
        return ""
    return format(value if unit is None else value / unit, form)
