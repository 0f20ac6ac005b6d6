"""Tables of `quantize` and `export`, and the notes below them."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lit_effnet.cli import format as fmt
from lit_effnet.cli.tables import Column, PlainTable, Row, tabulate
from lit_effnet.deploy.export_files import metadata_file, preparation_file
from lit_effnet.deploy.registry import by_format
from lit_effnet.deploy.sensitivity import Sensitivity

MOST_PARTS = 12  # in the table of the most sensitive layers


def three_digits(value: float) -> str:
    """Format a positive number with at least three significant digits."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _latency(batch: int, name: str) -> Callable[[Row], Any]:
    return lambda row: (row["latency"] or {}).get(f"{batch}", {}).get(name)


def _in_float(row: Row) -> str:
    parameters = row["parameters"]
    kept = parameters.get("kept", f"all, {parameters['precision']}")
    return str(kept).replace("+", " + ")


VARIANTS = (
    Column(
        heading="backend",
        value=lambda row: row["parameters"]["backend"].replace("_", " "),
        left=True,
    ),
    Column(
        heading="method",
        value=lambda row: row["parameters"].get("method"),
        left=True,
        meaning="Calibration method.",
    ),
    Column(heading="in float", value=_in_float, left=True, meaning="Parts that stay in float."),
    Column(heading="top-1", unit="%", value="top1", write=fmt.percent),
    Column(heading="top-5", unit="%", value="top5", write=fmt.percent),
    Column(
        heading="agree",
        unit="%",
        value="agreement",
        write=fmt.percent,
        meaning="Agreement with float32: images with the same top-1 class.",
    ),
    Column(
        heading="SNR",
        unit="dB",
        value="snr_db",
        write=fmt.decibels,
        meaning="Signal-to-noise ratio of the median image's logits.",
    ),
    *(
        Column(
            heading="ms at",
            unit=f"{batch}",
            value=_latency(batch, "cpu_ms"),
            write=three_digits,
            meaning="Processor time of a batch.",
        )
        for batch in (1, 32)
    ),
    Column(
        heading="speed",
        unit="x eager",
        value=_latency(32, "eager_over_this"),
        write=fmt.ratio,
        meaning="Processor time of PyTorch's eager mode over this, at the larger batch.",
    ),
    Column(heading="MB", value=lambda row: row["file_bytes"] / 1e6, write=three_digits),
)

SENSITIVITY = (
    Column(heading="only this in INT8", value="name", left=True),
    Column(
        heading="SNR", unit="dB", value=lambda row: fmt.decibels(row["snr_db"]) or "no difference"
    ),
    Column(heading="agreement with float32", unit="%", value="agreement", write=fmt.percent),
)


def _cost(name: str) -> Callable[[Row], Any]:
    return lambda row: row["cost"][name]


def _parity(name: str) -> Callable[[Row], Any]:
    return lambda row: row["parity"][name]


FIGURES = (
    Column(heading="top-1 agreement", unit="%", value=_parity("agreement"), write=fmt.percent),
    Column(
        heading="maximum relative error",
        value=_parity("max_relative_error"),
        write=fmt.scientific,
    ),
    Column(
        heading="95th percentile of the relative error",
        value=_parity("p95_relative_error"),
        write=fmt.scientific,
    ),
    Column(
        heading="maximum absolute error",
        value=_parity("max_absolute_error"),
        write=fmt.scientific,
    ),
    Column(
        heading="signal-to-noise ratio",
        unit="dB",
        value=lambda row: fmt.decibels(row["parity"]["signal_to_noise_db"]) or "no difference",
    ),
    Column(
        heading="top-1 of eager float32", unit="%", value=_parity("top1_eager"), write=fmt.percent
    ),
    Column(
        heading="top-1 of the file", unit="%", value=_parity("top1_exported"), write=fmt.percent
    ),
    Column(
        heading="file size", unit="MB", value=_cost("file_bytes"), write=fmt.number(".2f", 1e-6)
    ),
    Column(heading="load time", unit="ms", value=_cost("load_ms"), write=fmt.milliseconds),
    Column(
        heading="latency of one image, median [5th, 95th percentile]",
        unit="ms",
        value=lambda row: row["cost"]["latency"],
        write=lambda time: f"{time['median_ms']:.2f} [{time['p5_ms']:.2f}, {time['p95_ms']:.2f}]",
    ),
    Column(
        heading="processor time of one image",
        unit="ms",
        value=lambda row: row["cost"]["latency"]["cpu_ms"],
        write=fmt.ratio,
    ),
    Column(
        heading="peak memory",
        unit="MB",
        value=lambda row: fmt.megabytes(row["cost"]["peak_memory_bytes"]) or "not measured here",
    ),
)
"""The figures of an exported file; its table has one line for each."""


def variants_table(title: str, rows: Sequence[Row]) -> PlainTable:
    """Return the table of a network's variants; printed compact it fits 80 columns."""
    return tabulate(VARIANTS, rows, title=title)


def progress_line(label: str, row: Row) -> str:
    """Return the line of an evaluated variant, for logs without a progress bar."""
    snr = "" if row["snr_db"] is None else f", SNR {row['snr_db']:.1f} dB"
    return (
        f"{label}: top-1 {fmt.percent(row['top1'])} %, agreement with float32 "
        f"{fmt.percent(row['agreement'])} %{snr}, {row['file_bytes'] / 1e6:.2f} MB"
    )


def variants_notes(rows: Sequence[Row], folder: str) -> Iterator[str]:
    """Yield the notes below the table of variants."""
    first = rows[0]
    yield (
        f"{first['images']:,} images of {first['data']} {first['split']}; agree: same top-1 class "
        f"as float32; SNR: signal-to-noise ratio of the median image's logits; rows in "
        f"{folder}/evaluations.jsonl"
    )
    parameters = [row["parameters"] for row in rows]
    if int8 := next((each for each in parameters if each["precision"] == "int8"), None):
        yield (
            f"Calibrated on {int8['images']:,} images of {int8['calibrated_on']} train, seed "
            f"{int8['seed']}{_without_outliers(int8['outliers'])}. Weights per channel."
        )
    for names in {tuple(row["kept_layers"]) for row in rows if row["parameters"].get("worst")}:
        yield f"worst, in float: {', '.join(names)}."
    timings = [next(iter(row["latency"].values())) for row in rows if row["latency"]]
    if timings:
        memory = {"kept" if timing["freed_memory_kept"] else "given back" for timing in timings}
        yield (
            "ms: median processor time of a batch on one thread over "
            f"{_either(timing['runs'] for timing in timings)} rounds in which each variant ran "
            "once; the rows also hold wall times with their 5th and 95th percentiles. speed: "
            "processor time of PyTorch eager float32, channels-last, freed memory "
            f"{_either(memory)}, over that of the variant in the same rounds, at the larger batch."
        )
        if (calls := len({timing["timed"] for timing in timings})) > 1:
            yield (
                f"The variants were timed in {calls} calls of this command, on "
                f"{_either(timing['processor'] for timing in timings)}: compare times between them "
                "by speed, or time all at once with --overwrite true."
            )


def sensitivity_table(title: str, parts: Sequence[Sensitivity]) -> PlainTable:
    """Return the table of the most sensitive layers or blocks."""
    more = f", the {MOST_PARTS} worst of {len(parts)}" if len(parts) > MOST_PARTS else ""
    return tabulate(SENSITIVITY, [asdict(part) for part in parts[:MOST_PARTS]], title=title + more)


def parity_table(file: Path, metadata: Row) -> PlainTable:
    """Return the table of an exported file's parity and cost."""
    tolerance = metadata["parity"]["tolerance"]
    error = FIGURES[1 if tolerance["every_image"] else 2]
    limits = {
        FIGURES[0]: f"at least {100 * tolerance['agreement']:g}",
        error: f"at most {tolerance['relative_error']:g}",
    }
    lines = [
        {"figure": figure.label, "value": figure.write(value), "limit": limits.get(figure)}
        for figure in FIGURES
        if (value := figure.of(metadata)) is not None
    ]
    title = by_format()[metadata["format"]].title
    return tabulate(
        (
            Column(heading="figure", value="figure", left=True),
            Column(heading="value", value="value"),
            Column(heading="limit", value="limit", left=True),
        ),
        lines,
        title=f"{file.name}: {title} {metadata['precision']} compared with eager float32",
    )


def parity_notes(file: Path, metadata: Mapping[str, Any], weights: str) -> Iterator[str]:
    """Yield the notes below the table of an exported file.

    Args:
        file: The file.
        metadata: Its metadata.
        weights: Note on the network's weights; may be empty.
    """
    cost, compared = metadata["cost"], metadata["compared_on"]
    latency = cost["latency"]
    unknown = "" if compared["labels_known"] else ", whose labels are not classes of the network"
    yield (
        f"{metadata['parity']['images']:,} images of {compared['data']} {compared['split']}"
        f"{unknown}; latency of {latency['runs']} runs on the CPU, threads: {latency['threads']}; "
        f"peak memory: {cost['peak_memory_is']}."
    )
    if calibration := metadata["calibration"]:
        yield (
            f"Calibrated by {calibration['quantizer']}, {calibration['method']}, on "
            f"{calibration['images']:,} images of {calibration['data']} train, seed "
            f"{calibration['seed']}{_without_outliers(calibration['outliers'])}; in float: "
            f"{calibration['kept']}."
        )
    if weights:
        yield weights
    needed = f"{metadata_file(file)}, {preparation_file(file).name}"
    yield f"written: {file}, and the files that it needs: {needed}"


def _without_outliers(fraction: float) -> str:
    return f", without the {100 * fraction:g} % with the largest activations" if fraction else ""


def _either(values: Iterable[object]) -> str:
    return " or ".join(sorted({str(value) for value in values}))
