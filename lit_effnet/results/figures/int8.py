"""Accuracy against latency of INT8 networks, for each program that runs them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lit_effnet.results.figures.drawing import (
    COLUMN_IN,
    GREY,
    PERCENT,
    TOP1,
    Look,
    Mark,
    MarkedFigure,
    Words,
    canvas,
    cost_axis,
    draw_point,
    english,
    handle,
    legend,
    name_points,
    note,
    value_axis,
)
from lit_effnet.results.figures.labels import NO_BAR, Label
from lit_effnet.results.stats.estimates import Interval, wilson

Row = Mapping[str, Any]

BATCH = "1"
OTHER = Look(GREY, "X")
PROGRAMS = {
    "eager": "PyTorch eager",
    "openvino": "OpenVINO",
    "openvino_mixed": "OpenVINO, mixed preset",
    "openvino_performance": "OpenVINO, performance preset",
    "onnxruntime": "ONNX Runtime",
    "torchao": "torch inductor",
}
# One colour for each vendor's program, and a marker for each of its settings.
LOOKS = {
    "PyTorch eager": Look("#000000", "v"),
    "OpenVINO": Look("#0072B2", "o"),
    "OpenVINO, mixed preset": Look("#0072B2", "s"),
    "OpenVINO, performance preset": Look("#56B4E9", "D"),
    "ONNX Runtime": Look("#D55E00", "^"),
    "torch inductor": Look("#CC79A7", "P"),
}


@dataclass(frozen=True)
class Int8Point:
    """A network in one program.

    Args:
        program: Program that runs it.
        method: Calibration method; empty for float.
        kept: Layers that stay in float; empty for a network that is not in INT8.
        latency_ms: Median processor time of one image in milliseconds.
        top1: Fraction of images predicted correctly.
        interval: Interval of top-1 over images; None if their number is unknown.
        speedup: Processor time of eager float32 divided by this one's.
    """

    program: str
    method: str
    kept: str
    latency_ms: float
    top1: float
    interval: Interval | None
    speedup: float | None

    @property
    def in_int8(self) -> bool:
        """Whether it is an INT8 network."""
        return bool(self.method)

    @property
    def name(self) -> str:
        """Name in sentences."""
        parts = [self.program, self.method] if self.in_int8 else [self.program, "float32"]
        name = ", ".join(filter(None, parts))
        return name if self.kept in ("", "nothing") else f"{name}, {self.kept} in float"


def int8_points(rows: Sequence[Row]) -> list[Int8Point]:
    """Return the variants of one network, the fastest first.

    Args:
        rows: As `quantize` writes them, of one network.

    Raises:
        ValueError: no INT8 network was timed.
    """
    known = [row for row in rows if isinstance(row.get("latency"), Mapping)]
    if len({row.get("weights") for row in known}) > 1:
        last = known[-1].get("weights")  # the run may have been trained further
        known = [row for row in known if row.get("weights") == last]
    points = [_point(row) for row in known if BATCH in row["latency"]]
    if not any(point.in_int8 for point in points):
        raise ValueError(
            "rows: must have a variant in INT8 with its latency, and have none; "
            "`python -m lit_effnet.quantize runs/photos/RUN` makes them"
        )
    return sorted(points, key=lambda point: point.latency_ms)


def int8_figure(
    rows: Sequence[Row], *, width_in: float = COLUMN_IN, words: Words = english
) -> MarkedFigure:
    """Draw accuracy over latency, a colour for each program; hollow markers are float32.

    Args:
        rows: As `quantize` writes them, of one network.
        width_in: Width in inches.
        words: Translates labels.

    Raises:
        ValueError: no INT8 network was timed.
    """
    points = int8_points(rows)
    programs = {point.program for point in points}
    looks = {name: look for name, look in LOOKS.items() if name in programs}
    looks |= dict.fromkeys(sorted(programs - {*LOOKS}), OTHER)
    with canvas(width_in, 0.8 * width_in) as (figure, (panel,)):
        labels = []
        for point in points:
            look, at = looks[point.program], (point.latency_ms, PERCENT * point.top1)
            ends = NO_BAR
            if point.interval is not None:
                ends = (PERCENT * point.interval.low, PERCENT * point.interval.high)
            look = replace(look, hollow=not point.in_int8)
            draw_point(figure, panel, at, ends, look=look, mark=Mark(point.program))
            if point.in_int8 and point.kept != "nothing":
                labels.append(Label(words(point.kept), at, NO_BAR, look.colour))
        cost_axis(
            panel, [point.latency_ms for point in points], words("processor time of one image (ms)")
        )
        value_axis(panel, words(TOP1))
        legend(figure, [handle(look, words(program)) for program, look in looks.items()])
        texts = [words("filled: INT8, hollow: float32")]
        if labels:
            texts.append(words("labels: layers that stay in float"))
        texts += [words("bars: 95 % interval over images (Wilson)"), words("one network, n = 1")]
        note(figure, texts)
        name_points(figure, [(panel, labels)])
    return figure


def _point(row: Row) -> Int8Point:
    parameters, timed = row["parameters"], row["latency"][BATCH]
    images, top1 = row.get("images"), float(row["top1"])
    interval = wilson(round(images * top1), images) if images else None
    backend = str(parameters["backend"])
    return Int8Point(
        PROGRAMS.get(backend, backend),
        str(parameters.get("method") or ""),
        str(parameters.get("kept") or ""),
        float(timed["cpu_ms"]),  # as in the table; other processes disturb it less
        top1,
        interval,
        timed.get("eager_over_this"),
    )
