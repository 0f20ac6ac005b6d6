"""What a person sees of a network in INT8: its variants side by side, and its layers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from lit_effnet.evaluation.quantization.sensitivity import Sensitivity
from lit_effnet.evaluation_tables import percent

Row = Mapping[str, Any]
SHOWN = 12  # of the most sensitive layers


def variants_table(title: str, rows: Sequence[Row]) -> Table:
    """One row for each variant; fits 80 columns."""
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("program", min_width=11)  # of two words each
    table.add_column("range", min_width=8)
    table.add_column("in float", min_width=8)
    for heading in ("top-1\n%", "top-5\n%", "same\n%", "SNR\ndB", "ms at\n1", "ms at\n32"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("eager\n/ this", justify="right", no_wrap=True)
    table.add_column("MB", justify="right", no_wrap=True)
    for row in rows:
        told = row["parameters"]
        name = told["backend"].replace("_", " ")
        latency = row["latency"] or {}
        first, *_, last = [*latency.values()] or [None, None]
        snr = "" if row["snr_db"] is None else f"{row['snr_db']:.1f}"
        table.add_row(
            name,
            told.get("method", ""),
            told.get("kept", f"all, {row['condition'].split(' by ')[0]}").replace("+", " + "),
            percent(row["top1"]),
            percent(row["top5"]),
            percent(row["agreement"]),
            snr,
            milliseconds(first),
            milliseconds(last),
            "" if last is None else f"{last['eager_over_this']:.2f}",
            three_digits(row["file_bytes"] / 1e6),
        )
    return table


def milliseconds(timing: Mapping[str, Any] | None) -> str:
    """Processor time; empty where nothing was timed."""
    return "" if timing is None else three_digits(timing["cpu_ms"])


def three_digits(value: float) -> str:
    """A positive number with three digits, or all those before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def notes(rows: Sequence[Row], folder: str) -> Iterator[str]:
    """What the numbers are of."""
    first = rows[0]
    yield (
        f"{first['images']:,} images of {first['data']} {first['split']}; same: first class as "
        f"in float32; SNR: of the median image's logits; rows in {folder}/evaluations.jsonl"
    )
    calibrated = [row["parameters"] for row in rows if row["condition"] == "int8"]
    if calibrated:
        told = calibrated[0]
        yield (
            f"Calibrated on {told['images']:,} images of {told['calibrated_on']} train, seed "
            f"{told['seed']}. Weights per channel."
        )
    kept = {tuple(row["kept_layers"]) for row in rows if row["parameters"].get("worst")}
    for names in kept:
        yield f"worst, in float: {', '.join(names)}."
    timed = [row["latency"] for row in rows if row["latency"]]
    if timed:
        timing = next(iter(timed[0].values()))
        kept_memory = "kept" if timing["freed_memory_kept"] else "given back"
        yield (
            f"ms: median processor time of a batch on one thread over {timing['runs']} rounds in "
            "which each ran once; wall times, and their 5th and 95th percentile, are in the rows. "
            f"eager / this: PyTorch eager float32, channels-last, at the larger batch, freed "
            f"memory {kept_memory}, over this."
        )


def sensitivity_table(title: str, parts: Sequence[Sensitivity]) -> Table:
    """The most sensitive layers or blocks, each alone in INT8."""
    more = f", the {SHOWN} worst of {len(parts)}" if len(parts) > SHOWN else ""
    table = Table(title=f"{title}{more}", title_justify="left")
    table.add_column("alone in INT8", overflow="fold")
    table.add_column("SNR, dB", justify="right")
    table.add_column("same class, %", justify="right")
    for part in parts[:SHOWN]:
        snr = "unchanged" if part.snr_db is None else f"{part.snr_db:.1f}"
        table.add_row(part.name, snr, percent(part.agreement))
    return table


def line(label: str, row: Row) -> str:
    """A variant that is done, where no bar can move."""
    snr = "" if row["snr_db"] is None else f", SNR {row['snr_db']:.1f} dB"
    return (
        f"{label}: top-1 {percent(row['top1'])} %, same class {percent(row['agreement'])} %{snr}, "
        f"{row['file_bytes'] / 1e6:.2f} MB"
    )
