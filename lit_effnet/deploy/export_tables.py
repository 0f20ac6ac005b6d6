"""What a person sees of an exported file: how near it is to its network, and what it costs."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.table import Table

from lit_effnet.deploy.formats import FORMATS, beside, preparation
from lit_effnet.deploy.int8_tables import left_out
from lit_effnet.evaluation.target import EvaluationTarget


def parity_table(file: Path, told: Mapping[str, Any]) -> Table:
    """Figures of the comparison with eager float32, and of the file's cost."""
    parity, cost = told["parity"], told["cost"]
    latency, tolerance = cost["latency"], parity["tolerance"]
    program = FORMATS[told["format"]].program
    title = f"{file.name}: {program} {told['precision']} beside eager float32"
    table = Table("figure", title=title, title_justify="left", min_width=min(len(title), 80))
    table.add_column("value", justify="right")
    table.add_column("passes")
    noise, memory = parity["signal_to_noise_db"], cost["peak_memory_bytes"]
    least, most = f"from {100 * tolerance['agreement']:g}", f"to {tolerance['relative_error']:g}"
    rows = [
        ("top-1 agreement, %", f"{100 * parity['agreement']:.1f}", least),
        (
            "largest relative error",
            f"{parity['max_relative_error']:.1e}",
            most if tolerance["every_image"] else "",
        ),
        (
            "relative error of 95 % of the images",
            f"{parity['p95_relative_error']:.1e}",
            "" if tolerance["every_image"] else most,
        ),
        ("largest absolute error", f"{parity['max_absolute_error']:.1e}", ""),
        ("signal to noise, dB", "no noise" if noise is None else f"{noise:.1f}", ""),
    ]
    if parity["top1_eager"] is not None:
        rows += [
            ("top-1 of eager float32, %", f"{100 * parity['top1_eager']:.1f}", ""),
            ("top-1 of the file, %", f"{100 * parity['top1_exported']:.1f}", ""),
        ]
    spread = f"{latency['p5_ms']:.2f} to {latency['p95_ms']:.2f}"
    rows += [
        ("size, MB", f"{cost['file_bytes'] / 1e6:.2f}", ""),
        ("load time, ms", f"{cost['load_ms']:.1f}", ""),
        ("latency of one image, median, ms", f"{latency['median_ms']:.2f}", ""),
        ("latency, 5th to 95th percentile, ms", spread, ""),
        ("processor time of one image, ms", f"{latency['cpu_ms']:.2f}", ""),
        ("peak memory, MB", "not told" if memory is None else f"{memory / 1e6:.1f}", ""),
    ]
    for row in rows:
        table.add_row(*row)
    return table


def notes(file: Path, told: Mapping[str, Any], subject: EvaluationTarget) -> Iterator[str]:
    """What the numbers are of, and where they are."""
    parity, cost, seen = told["parity"], told["cost"], told["compared_on"]
    latency = cost["latency"]
    yield (
        f"{parity['images']:,} images of {seen['data']} {seen['split']}"
        f"{'' if seen['labels_known'] else ', whose labels are not its classes'}; latency of "
        f"{latency['runs']} runs on the CPU, threads: {latency['threads']}; peak memory: "
        f"{cost['peak_memory_is']}."
    )
    if calibration := told["calibration"]:
        yield (
            f"Calibrated by {calibration['quantizer']}, {calibration['method']}, on "
            f"{calibration['images']:,} images of {calibration['data']} train, seed "
            f"{calibration['seed']}{left_out(calibration['outliers'])}; in float: "
            f"{calibration['kept']}."
        )
    if subject.note:
        yield subject.note
    needed = f"{beside(file)}, {preparation(file).name}"
    yield f"written: {file}, and what it needs to be used: {needed}"
