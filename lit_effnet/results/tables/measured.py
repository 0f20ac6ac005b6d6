"""Tables of measurements for the docs: networks, INT8 and exported files side by side."""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

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
    PEAK_MEMORY,
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

    def network(row: Row) -> str:
        return f"{row['variant']} at {row['image_size']} px, {row['batch']} images"

    columns = (
        replace(NETWORK, value=network),
        Column("mode", "mode", left=True),
        Column("precision", "precision", left=True),
        replace(LATENCY, heading="step", value=lambda row: percentiles(row, "step_ms")),
        replace(IMAGES_PER_S, write=form.count),
        replace(UTILISATION, write=form.number(".2f", 100)),
        Column("speed, ours / timm", partial(speed, "ours"), form.ratio),
        Column("speed, torchvision / timm", partial(speed, "torchvision"), form.ratio),
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
        Column("runtime", lambda row: _runtime(row["parameters"], "backend"), left=True),
        Column("calibration method", find("parameters", "method"), left=True),
        Column("kept in float32", find("parameters", "kept"), left=True),
        replace(TOP1, heading="naive top-1", value=lambda r: naive.get(variant(r)), optional=True),
        *(TOP1, AGREEMENT, Column("SNR", "snr_db", form.decibels, unit="dB")),
        Column("batch 1", find("latency", "1", "cpu_ms"), form.milliseconds, unit="ms"),
        Column("batch 32", find("latency", "32", "cpu_ms"), form.milliseconds, unit="ms"),
        Column("speed-up over eager", find("latency", "32", "eager_over_this"), form.ratio),
        FILE_SIZE,
    )
    return tabulate(columns, [row for row in rows if row["parameters"].get("outliers") != 0])


def parity_table(rows: Sequence[Row]) -> PlainTable:
    """Return every exported file beside the network in eager float32.

    Args:
        rows: The JSON files that `export` writes.
    """
    columns = (
        Column("runtime", lambda row: _runtime(row, "format"), left=True),
        Column("kept in float32", find("calibration", "kept"), left=True),
        Column("max. absolute error", find("parity", "max_absolute_error"), form.scientific),
        Column("max. relative error", find("parity", "max_relative_error"), form.scientific),
        Column("p95 relative error", find("parity", "p95_relative_error"), form.scientific),
        Column("SNR", find("parity", "signal_to_noise_db"), form.count, unit="dB"),
        replace(AGREEMENT, value=find("parity", "agreement")),
        replace(TOP1, value=find("parity", "top1_exported")),
        replace(FILE_SIZE, value=find("cost", "file_bytes")),
        Column("load", find("cost", "load_ms"), form.count, unit="ms"),
        Column("latency", find("cost", "latency", "cpu_ms"), form.milliseconds, unit="ms"),
        replace(PEAK_MEMORY, value=find("cost", "peak_memory_bytes")),
    )
    return tabulate(columns, rows)


def _runtime(row: Row, key: str) -> str:
    return f"{RUNTIMES.get(row[key], row[key])} {row['precision']}"
