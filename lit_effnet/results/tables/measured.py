"""Tables of measurements for the docs: networks, INT8 and exported files side by side."""

from collections.abc import Sequence
from dataclasses import replace

from lit_effnet.cli import format as form
from lit_effnet.cli.tables import Column, PlainTable, Row, tabulate
from lit_effnet.results.frame.shipped import RESULTS, read_shipped_rows
from lit_effnet.results.tables.columns import (
    AGREEMENT,
    BATCH,
    BATCHES,
    FILE_SIZE,
    IMAGES_PER_S,
    LATENCY,
    NETWORK,
    ONE_IMAGE,
    RATIO,
    SHORT_ACTIVATIONS,
    SHORT_PARAMETERS,
    TOP1,
    UTILISATION,
    WORK,
    both_works,
    find,
    percentiles,
    with_ratios,
)

RUNTIMES = {
    "eager": "PyTorch eager",
    "openvino": "OpenVINO",
    "onnxruntime": "ONNX Runtime",
    "openvino_mixed": "OpenVINO, NNCF mixed",
    "openvino_performance": "OpenVINO, NNCF performance",
    "onnx": "ONNX Runtime",
    "executorch": "ExecuTorch XNNPACK",
    "litert": "LiteRT",
}


def shipped_rows(name: str) -> list[Row]:
    """Return the measurements of a file in `results/`."""
    return [*read_shipped_rows(RESULTS / f"{name}.json")]


def efficiency_table(rows: Sequence[Row]) -> PlainTable:
    """Return networks side by side.

    Args:
        rows: Rows of `measure --output`.
    """
    ratio = replace(RATIO, heading=f"times {rows[0]['name'].upper()}")
    single = [ratio if column is RATIO else column for column in ONE_IMAGE]
    batches = [both_works(column) for column in BATCHES if column not in (NETWORK, WORK, BATCH)]
    left_out = (SHORT_PARAMETERS, SHORT_ACTIVATIONS)  # the table of complexity has them
    columns = [column for column in single if column not in left_out]
    return tabulate([*columns, *batches], with_ratios(rows))


def gpu_speed_table(rows: Sequence[Row]) -> PlainTable:
    """Return training and inference steps of our network, with timm's and torchvision's speed.

    Args:
        rows: Rows of `benchmarks/gpu_speed.py --output`.
    """
    settings = ("variant", "image_size", "batch", "mode", "precision")
    times = {(row["network"], *map(row.get, settings)): row["step_ms"] for row in rows}

    def speed(network: str, row: Row) -> float:
        """Return the speed of a network relative to timm's."""
        setting = tuple(map(row.get, settings))
        return float(times["timm", *setting] / times[network, *setting])

    columns = (
        replace(
            NETWORK,
            value=lambda row: f"{row['variant']} at {row['image_size']} px, {row['batch']} images",
        ),
        Column(heading="mode", value="mode", left=True),
        Column(heading="precision", value="precision", left=True),
        replace(
            LATENCY,
            heading="step",
            value=lambda row: percentiles(row, "step_ms"),
        ),
        replace(IMAGES_PER_S, write=form.count),
        replace(UTILISATION, write=form.number(".2f", 100)),
        Column(heading="speed, ours / timm", value=lambda r: speed("ours", r), write=form.ratio),
        Column(
            heading="speed, torchvision / timm",
            value=lambda row: speed("torchvision", row),
            write=form.ratio,
        ),
    )
    return tabulate(columns, [row for row in rows if row["network"] == "ours"])


def int8_table(rows: Sequence[Row]) -> PlainTable:
    """Return a row for each INT8 variant that was timed.

    Args:
        rows: Rows of `quantize`. Those calibrated without clipping outliers (`outliers` 0) were
            not timed; they only give the naive accuracy of the same variant.
    """

    def variant(row: Row) -> tuple[object, ...]:
        return tuple(map(row["parameters"].get, ("backend", "precision", "method", "kept")))

    naive = {variant(row): row["top1"] for row in rows if row["parameters"].get("outliers") == 0}
    columns = (
        Column(
            heading="runtime",
            value=lambda row: (
                f"{RUNTIMES[row['parameters']['backend']]} {row['parameters']['precision']}"
            ),
            left=True,
        ),
        Column(heading="calibration method", value=find("parameters", "method"), left=True),
        Column(heading="kept in float32", value=find("parameters", "kept"), left=True),
        replace(
            TOP1, heading="naive top-1", value=lambda row: naive.get(variant(row)), optional=True
        ),
        TOP1,
        AGREEMENT,
        Column(heading="SNR", unit="dB", value="snr_db", write=form.decibels),
        Column(
            heading="batch 1",
            unit="ms",
            value=find("latency", "1", "cpu_ms"),
            write=form.milliseconds,
        ),
        Column(
            heading="batch 32",
            unit="ms",
            value=find("latency", "32", "cpu_ms"),
            write=form.milliseconds,
        ),
        Column(
            heading="speed-up over eager",
            value=find("latency", "32", "eager_over_this"),
            write=form.ratio,
        ),
        FILE_SIZE,
    )
    return tabulate(columns, [row for row in rows if row["parameters"].get("outliers") != 0])


def parity_table(rows: Sequence[Row]) -> PlainTable:
    """Return every exported file beside the network in eager float32.

    Args:
        rows: The JSON files that `export` writes.
    """
    columns = (
        Column(
            heading="runtime",
            value=lambda row: f"{RUNTIMES[row['format']]} {row['precision']}",
            left=True,
        ),
        Column(heading="kept in float32", value=find("calibration", "kept"), left=True),
        *(
            Column(heading=heading, value=find("parity", key), write=form.scientific)
            for heading, key in (
                ("max. absolute error", "max_absolute_error"),
                ("max. relative error", "max_relative_error"),
                ("p95 relative error", "p95_relative_error"),
            )
        ),
        Column(
            heading="SNR",
            unit="dB",
            value=find("parity", "signal_to_noise_db"),
            write=form.count,
        ),
        replace(AGREEMENT, value=find("parity", "agreement")),
        replace(TOP1, value=find("parity", "top1_exported")),
        replace(FILE_SIZE, value=find("cost", "file_bytes")),
        Column(heading="load", unit="ms", value=find("cost", "load_ms"), write=form.count),
        Column(
            heading="latency",
            unit="ms",
            value=find("cost", "latency", "cpu_ms"),
            write=form.milliseconds,
        ),
        Column(
            heading="memory",
            unit="MB",
            value=find("cost", "peak_memory_bytes"),
            write=form.number(",.0f", 1e-6),
        ),
    )
    return tabulate(columns, rows)
