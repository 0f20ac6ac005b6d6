"""Tables of measurements for the pages: networks, INT8 and exported files side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from lit_effnet.cli.tables import markdown_table
from lit_effnet.results.frame.shipped import RESULTS, read_shipped_rows
from lit_effnet.results.stats.comparison import POINTS

Row = Mapping[str, Any]

PROGRAMS = {
    "eager": "PyTorch eager",
    "openvino": "OpenVINO",
    "onnxruntime": "ONNX Runtime",
    "openvino_mixed": "OpenVINO, NNCF mixed",
    "openvino_performance": "OpenVINO, NNCF performance",
    "onnx": "ONNX Runtime",
    "executorch": "ExecuTorch XNNPACK",
    "litert": "LiteRT",
}


def efficiency_table() -> str:
    """Networks side by side, as `measure` timed them."""
    found = read_shipped_rows(RESULTS / "efficiency.json")
    first = found[0]["latency"]["cpu_ms"]
    rows = []
    for row in found:
        latency, works = row["latency"], [row[name] for name in ("inference", "training")]
        memory = [f"{work['memory']['above_bytes'] / 1e6:,.0f}" for work in works]
        cells = [
            row["name"],
            f"{row['image_size']}",
            f"{row['macs'] / 1e6:,.0f}",
            _ms(latency, "median_ms"),
            f"{latency['cpu_ms'] / first:.2f}",
            ", ".join(f"{work['images_per_s']:.1f}" for work in works),
            ", ".join(f"{100 * work['utilisation']:.1f}" for work in works),
            ", ".join(memory),
        ]
        rows.append(cells)
    columns = (
        *("network", "px", "MACs, M", "latency, ms (5..95 %)", f"times {found[0]['name'].upper()}"),
        *("images/s, inference, training", "utilisation, %", "peak memory, MB"),
    )
    return markdown_table(columns, rows)


def efficiency_h200_table() -> str:
    """Networks side by side on a GPU, one image at a time, as `measure` timed them."""
    found = read_shipped_rows(RESULTS / "efficiency_h200.json")
    first = found[0]["latency"]["median_ms"]
    rows = []
    for row in found:
        latency = row["latency"]
        cells = [
            row["name"],
            f"{row['image_size']}",
            f"{row['macs'] / 1e6:,.0f}",
            _ms(latency, "median_ms"),
            f"{latency['median_ms'] / first:.2f}",
        ]
        rows.append(cells)
    times = f"times {found[0]['name'].upper()}"
    columns = ("network", "px", "MACs, M", "latency, ms (5..95 %)", times)
    return markdown_table(columns, rows)


def gpu_speed_table() -> str:
    """Steps of our network on a GPU, and its speed and torchvision's in times of timm's."""
    found = read_shipped_rows(RESULTS / "gpu_speed.json")
    settings = ("variant", "image_size", "batch", "mode", "precision")
    by_network = {
        (row["network"], *(row[name] for name in settings)): row["step_ms"] for row in found
    }
    rows = []
    for row in found:
        if row["network"] != "ours":
            continue
        setting = tuple(row[name] for name in settings)
        of_timm = by_network["timm", *setting]
        cells = [
            f"{row['variant']} at {row['image_size']} px, {row['batch']} images",
            row["mode"],
            row["precision"],
            _ms(row, "step_ms"),
            f"{row['images_per_s']:,.0f}",
            f"{100 * row['utilisation']:.2f}",
            f"{of_timm / row['step_ms']:.2f}",
            f"{of_timm / by_network['torchvision', *setting]:.2f}",
        ]
        rows.append(cells)
    columns = (
        *("network", "mode", "precision", "ms of a step (5..95 %)", "images/s", "utilisation, %"),
        *("ours / timm, speed", "torchvision / timm"),
    )
    return markdown_table(columns, rows, left=(0, 1, 2))


def int8_b0_table() -> str:
    """A trained B0 in INT8, beside what calibrating on outliers too gives."""
    return int8_table(read_shipped_rows(RESULTS / "int8.json"))


def int8_lite0_table() -> str:
    """Lite0's released weights in INT8."""
    return int8_table(read_shipped_rows(RESULTS / "int8_lite0.json"))


def int8_table(found: Sequence[Row]) -> str:
    """A row for each variant that was timed; one that was not only gives its naive accuracy.

    Args:
        found: Rows of `quantize`; those calibrated on outliers too are the naive ones.
    """
    naive = {_variant(row): row["top1"] for row in found if row["parameters"].get("outliers") == 0}
    rows = []
    for row in found:
        told, latency = row["parameters"], row["latency"]
        if told.get("outliers") == 0:
            continue
        before = naive.get(_variant(row))
        snr = row["snr_db"]
        cells = [
            f"{PROGRAMS[told['backend']]} {told['precision']}",
            told.get("method") or "",
            told.get("kept") or "",
            *(["" if before is None else f"{POINTS * before:.1f}"] if naive else []),
            f"{POINTS * row['top1']:.1f}",
            f"{100 * row['agreement']:.1f}",
            "" if snr is None else f"{snr:.1f}",
            f"{latency['1']['cpu_ms']:.1f}",
            f"{latency['32']['cpu_ms']:.1f}",
            f"{latency['32']['eager_over_this']:.2f}",
            f"{row['file_bytes'] / 1e6:.1f}",
        ]
        rows.append(cells)
    columns = (
        *("program", "range", "in float", *(["naive top-1, %"] if naive else [])),
        *("top-1, %", "same class, %", "SNR, dB", "ms at 1", "ms at 32", "eager / this", "MB"),
    )
    return markdown_table(columns, rows, left=(0, 1, 2))


def parity_table() -> str:
    """Every format of `export` beside eager float32."""
    rows = []
    for told in read_shipped_rows(RESULTS / "parity.json"):
        parity, cost = told["parity"], told["cost"]
        kept = (told["calibration"] or {}).get("kept", "")
        cells = [
            f"{PROGRAMS[told['format']]} {told['precision']}",
            kept,
            f"{parity['max_absolute_error']:.1e}",
            f"{parity['max_relative_error']:.1e}",
            f"{parity['p95_relative_error']:.1e}",
            f"{parity['signal_to_noise_db']:.0f}",
            f"{100 * parity['agreement']:.1f}",
            f"{100 * parity['top1_exported']:.1f}",
            f"{cost['file_bytes'] / 1e6:.1f}",
            f"{cost['load_ms']:.0f}",
            f"{cost['latency']['cpu_ms']:.1f}",
            f"{cost['peak_memory_bytes'] / 1e6:.0f}",
        ]
        rows.append(cells)
    columns = (
        *("program", "in float", "max. error", "relative", "of 95 %", "SNR, dB", "same class, %"),
        *("top-1, %", "MB", "load, ms", "ms", "memory, MB"),
    )
    return markdown_table(columns, rows, left=(0, 1))


def _ms(told: Row, median: str) -> str:
    return f"{told[median]:,.1f} ({told['p5_ms']:,.1f}..{told['p95_ms']:,.1f})"


def _variant(row: Row) -> tuple[Any, ...]:
    told = row["parameters"]
    return tuple(told.get(name) for name in ("backend", "precision", "method", "kept"))
