"""INT8: accuracy against latency for each program, and what stays in float."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lit_effnet.results.figures.drawing import (
    COLUMN_IN,
    GREY,
    PERCENT,
    TOP1,
    Words,
    canvas,
    cost_axis,
    legend,
    name_points,
    note,
    value_axis,
)
from lit_effnet.results.figures.labels import Label
from lit_effnet.results.stats.estimates import Interval, wilson

Row = Mapping[str, Any]

BATCH = "1"
OTHER = (GREY, "X")
PROGRAMS = {
    "eager": "PyTorch eager",
    "openvino": "OpenVINO",
    "openvino_mixed": "OpenVINO, mixed preset",
    "openvino_performance": "OpenVINO, performance preset",
    "onnxruntime": "ONNX Runtime",
    "torchao": "torch inductor",
}
# One colour for what one company's program runs, and a marker for each way.
LOOKS = {
    "PyTorch eager": ("#000000", "v"),
    "OpenVINO": ("#0072B2", "o"),
    "OpenVINO, mixed preset": ("#0072B2", "s"),
    "OpenVINO, performance preset": ("#56B4E9", "D"),
    "ONNX Runtime": ("#D55E00", "^"),
    "torch inductor": ("#CC79A7", "P"),
}


@dataclass(frozen=True)
class Int8Point:
    """A network as one program runs it.

    Args:
        program: What runs it.
        method: How ranges were found; empty for float.
        kept: What stays in float; empty for a network that is not in INT8.
        latency_ms: Median processor time of one image in milliseconds.
        top1: Fraction of the images.
        interval: Of that, over images; null where their number is not known.
        speedup: Eager float32's processor time over this one's.
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
        """Whether it is in INT8 at all."""
        return bool(self.method)

    @property
    def name(self) -> str:
        """As a sentence names it."""
        parts = [self.program, self.method] if self.in_int8 else [self.program, "float32"]
        told = ", ".join(filter(None, parts))
        return told if self.kept in ("", "nothing") else f"{told}, {self.kept} in float"


def int8_points(rows: Sequence[Row]) -> list[Int8Point]:
    """The variants of one network, in the order of their latency.

    Args:
        rows: As `quantize` writes them, of one network.

    Raises:
        ValueError: none is in INT8 and timed, or they are of several networks.
    """
    known = [row for row in rows if isinstance(row.get("latency"), Mapping)]
    if len({row.get("weights") for row in known}) > 1:
        last = known[-1].get("weights")  # of a run that was trained on, the older ones are past
        known = [row for row in known if row.get("weights") == last]
    points = [_point(row) for row in known if BATCH in row["latency"]]
    if not any(point.in_int8 for point in points):
        raise ValueError(
            "rows: must have a variant in INT8 with its latency, and have none; "
            "`python -m lit_effnet.quantize runs/photos/RUN` makes them"
        )
    return sorted(points, key=lambda point: point.latency_ms)


def int8_figure(rows: Sequence[Row], *, width_in: float = COLUMN_IN, words: Words = str) -> Figure:
    """Accuracy over latency, a colour for each program; hollow markers are float32.

    Args:
        rows: As `quantize` writes them, of one network.
        width_in: Width in inches.
        words: Translates labels.

    Raises:
        ValueError: none is in INT8 and timed.
    """
    points = int8_points(rows)
    there = {point.program for point in points}
    looks = {name: look for name, look in LOOKS.items() if name in there}
    looks |= dict.fromkeys(sorted(there - {*LOOKS}), OTHER)
    with canvas(width_in, 0.95 * width_in) as (figure, (panel,)):
        labels = []
        for point in points:
            colour, marker = looks[point.program]
            x, y = point.latency_ms, PERCENT * point.top1
            ends = (float("nan"),) * 2
            if point.interval is not None:
                ends = (PERCENT * point.interval.low, PERCENT * point.interval.high)
                panel.plot([x, x], ends, color=colour, linewidth=0.6, alpha=0.5, zorder=1)
            style: Any = {"edgecolor": colour, "linewidth": 0.9, "zorder": 3, "marker": marker}
            panel.scatter([x], [y], s=18, facecolor=colour if point.in_int8 else "white", **style)
            if point.in_int8 and point.kept != "nothing":
                labels.append(Label(words(point.kept), (x, y), (float("nan"),) * 2, colour))
        cost_axis(
            panel, [point.latency_ms for point in points], words("processor time of one image (ms)")
        )
        value_axis(panel, words(TOP1))
        base: Any = {"linestyle": "", "markersize": 4.5}
        handles = [
            Line2D([], [], marker=marker, color=colour, label=words(program), **base)
            for program, (colour, marker) in looks.items()
        ]
        legend(figure, handles)
        texts = [words("filled: INT8, hollow: float32")]
        if labels:
            texts.append(words("labels: what stays in float"))
        texts.append(words("bars: 95 % interval over images (Wilson); one network, n = 1"))
        note(figure, ["; ".join(texts)])
        name_points(figure, [(panel, labels)])
    return figure


def _point(row: Row) -> Int8Point:
    told, timed = row["parameters"], row["latency"][BATCH]
    images, top1 = row.get("images"), float(row["top1"])
    interval = wilson(round(images * top1), images) if images else None
    backend = str(told["backend"])
    return Int8Point(
        PROGRAMS.get(backend, backend),
        str(told.get("method") or ""),
        str(told.get("kept") or ""),
        float(timed["cpu_ms"]),  # as the table has it: others on the machine disturb it less
        top1,
        interval,
        timed.get("eager_over_this"),
    )
