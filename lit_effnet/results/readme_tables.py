"""The README's tables of results, each made of a file in `results/`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from lit_effnet.results.comparison import POINTS
from lit_effnet.results.shipped import read_shipped, read_shipped_rows
from lit_effnet.results.statistics import estimate

RESULTS = Path(__file__).parents[2] / "results"
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


def scaling_table() -> str:
    """The arms of the scaling sweep on the embedded photographs."""
    return arms_table(read_shipped(RESULTS / "scaling_ablation_photos.json"))


def se_ratio_table() -> str:
    """The arms of the squeeze-and-excite sweep on the embedded photographs."""
    return arms_table(read_shipped(RESULTS / "se_ratio_photos.json"))


def se_ratio_cifar10_table() -> str:
    """The arms of the squeeze-and-excite sweep on CIFAR-10."""
    return arms_table(read_shipped(RESULTS / "se_ratio_cifar10.json"))


def learning_rate_table() -> str:
    """Top-1 of each arm on CIFAR-10 by learning rate, one repeat each."""
    frame = read_shipped(RESULTS / "learning_rate_cifar10.json")
    rates = sorted(frame["learning_rate"].unique())
    rows = []
    for arm in frame.groupby("arm")["macs"].first().sort_values().index:
        by_rate = frame[frame["arm"] == arm].set_index("learning_rate")
        top1 = [f"{POINTS * by_rate.loc[rate, 'top1']:.1f}" for rate in rates]
        macs = by_rate["macs"].iloc[0] / 1e6
        rows.append([f"`{arm}`", f"{macs:.1f}", *top1, f"{by_rate['top1'].idxmax():g}"])
    return _markdown(("arm", "MACs, M", *(f"{rate:g}" for rate in rates), "best rate"), rows)


def arms_table(frame: pd.DataFrame) -> str:
    """A row for each arm, from the cheapest on: what it costs, and its repeats.

    Args:
        frame: Finished runs, as `table.load` gives them.
    """
    rows = []
    costs = frame.groupby("arm")["macs"].first().sort_values()
    for arm in costs.index:
        runs = frame[frame["arm"] == arm].sort_values("seed")
        first, of_arm = runs.iloc[0], estimate(runs["top1"].tolist())
        interval = ""
        if of_arm.t is not None:
            interval = f"{POINTS * of_arm.t.low:.1f}..{POINTS * of_arm.t.high:.1f}"
        cells = [
            f"`{arm}`",
            f"{first['image_size']}",
            f"{first['parameters'] / 1e6:.2f}",
            f"{first['macs'] / 1e6:.1f}",
            ", ".join(f"{POINTS * value:.1f}" for value in runs["top1"]),
            f"{POINTS * (of_arm.mean or 0.0):.1f}",
            interval,
        ]
        rows.append(cells)
    columns = ("arm", "px", "parameters, M", "MACs, M", "top-1, %", "mean", "95 % interval")
    return _markdown(columns, rows, left=(0, 4))


def efficiency_table() -> str:
    """Networks side by side, as `measure` timed them."""
    found = read_shipped_rows(RESULTS / "efficiency.json")
    first = found[0]["latency"]["cpu_ms"]
    rows = []
    for row in found:
        latency, works = row["latency"], [row[name] for name in ("inference", "training")]
        spread = f"{latency['p5_ms']:,.1f}..{latency['p95_ms']:,.1f}"
        memory = [f"{work['memory']['above_bytes'] / 1e6:,.0f}" for work in works]
        cells = [
            row["name"],
            f"{row['image_size']}",
            f"{row['macs'] / 1e6:,.0f}",
            f"{latency['median_ms']:,.1f} ({spread})",
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
    return _markdown(columns, rows)


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
    return _markdown(columns, rows, left=(0, 1, 2))


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
    return _markdown(columns, rows, left=(0, 1))


def _variant(row: Row) -> tuple[Any, ...]:
    told = row["parameters"]
    return tuple(told.get(name) for name in ("backend", "precision", "method", "kept"))


def _markdown(
    columns: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)
) -> str:
    rules = ["---" if place in left else "--:" for place in range(len(columns))]
    lines = [f"| {' | '.join(columns)} |", f"|{'|'.join(rules)}|"]
    return "\n".join([*lines, *(f"| {' | '.join(cells)} |" for cells in rows)])
