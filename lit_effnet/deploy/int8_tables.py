"""What a person sees of a network in INT8: its variants side by side, and its layers."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table

from lit_effnet.cli.format import percent
from lit_effnet.deploy.sensitivity import Sensitivity

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
            told.get("kept", f"all, {told['precision']}").replace("+", " + "),
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
    told_of_all = [row["parameters"] for row in rows]
    calibrated = [told for told in told_of_all if told["precision"] == "int8"]
    if calibrated:
        told = calibrated[0]
        yield (
            f"Calibrated on {told['images']:,} images of {told['calibrated_on']} train, seed "
            f"{told['seed']}{left_out(told['outliers'])}. Weights per channel."
        )
    kept = {tuple(row["kept_layers"]) for row in rows if row["parameters"].get("worst")}
    for names in kept:
        yield f"worst, in float: {', '.join(names)}."
    timed = [next(iter(row["latency"].values())) for row in rows if row["latency"]]
    if timed:
        memory = {"kept" if timing["freed_memory_kept"] else "given back" for timing in timed}
        yield (
            "ms: median processor time of a batch on one thread over "
            f"{_either(timing['runs'] for timing in timed)} rounds in which each ran once; wall "
            "times, and their 5th and 95th percentile, are in the rows. eager / this: PyTorch "
            "eager float32, channels-last, at the larger batch, freed memory "
            f"{_either(memory)}, over this, in the same rounds."
        )
        if (several := len({timing["timed"] for timing in timed})) > 1:
            yield (
                f"The variants were timed in {several} calls of this command, on "
                f"{_either(timing['processor'] for timing in timed)}: compare ms between them by "
                "eager / this, or time all at once with --again true."
            )


def left_out(part: float | None) -> str:
    """What is said of the images that were not calibrated on."""
    return f", without the {100 * part:g} % with the largest activations" if part else ""


def _either(values: Iterable[object]) -> str:
    return " or ".join(sorted({str(value) for value in values}))


def sensitivity_table(title: str, parts: Sequence[Sensitivity]) -> Table:
    """The most sensitive layers or blocks, each alone in INT8."""
    more = f", the {SHOWN} worst of {len(parts)}" if len(parts) > SHOWN else ""
    heading = f"{title}{more}"
    table = Table(title=heading, title_justify="left", min_width=len(heading))
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
