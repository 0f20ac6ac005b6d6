"""Accuracy over multiply-adds along each axis, beside the published networks."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from lit_effnet.network.golden import golden_complexity
from lit_effnet.results.figures.drawing import (
    COLOURS,
    COLUMN_IN,
    GREY,
    MACS,
    PERCENT,
    TOP1,
    WIDE_IN,
    Mark,
    MarkedFigure,
    Words,
    axis_look,
    canvas,
    cost_axis,
    draw_point,
    english,
    handle,
    is_rounded,
    legend,
    name_points,
    note,
    percent_ends,
    repeats_note,
    value_axis,
)
from lit_effnet.results.figures.labels import NO_BAR, Label
from lit_effnet.results.figures.pareto import arm_points
from lit_effnet.results.frame.columns import clean_rows

VARIANTS = tuple(f"b{number}" for number in range(8))
BESIDE = ("resnet50", "resnet152", "densenet201", "mobilenetv3_large")
NAMES = {
    "resnet50": "ResNet-50",
    "resnet152": "ResNet-152",
    "densenet201": "DenseNet-201",
    "mobilenetv3_large": "MobileNetV3-Large",
}


def scaling_figure(
    frame: pd.DataFrame, *, width_in: float = COLUMN_IN, words: Words = english
) -> MarkedFigure:
    """Draw accuracy over multiply-adds along each axis, beside published numbers of B0 to B7.

    Arms whose depth is rounded to the nearest have hollow markers and lie on no curve.

    Args:
        frame: Rows of runs of one data set.
        width_in: Width in inches.
        words: Translates labels.

    Raises:
        ValueError: no run is finished, or runs of an arm are no repeats of each other.
    """
    points = scaling_points(frame)
    wide = width_in >= WIDE_IN
    height = (0.5 if wide else 1.35) * width_in
    with canvas(width_in, height, (1, 2) if wide else (2, 1)) as (figure, panels):
        handles = _curves(figure, panels[0], points, words)
        labels = _published(panels[1], words)
        cost_axis(panels[0], points["macs"], words(MACS))
        value_axis(panels[0], words(TOP1))
        data = words(str(clean_rows(frame)["data"].iloc[0]))
        panels[0].set_title(words("runs on {data}", data=data), loc="left")
        legend(figure, handles)
        source = words("published: arXiv 1905.11946 v5 and torchvision; multiply-adds counted here")
        note(figure, [*repeats_note(points, words), source])
        name_points(figure, [(panels[1], labels)])
    return figure


def scaling_points(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row of `pareto.arm_points` for each arm, the cheapest first.

    Args:
        frame: Rows of runs of one data set.

    Raises:
        ValueError: no run is finished, or runs of an arm are no repeats of each other.
    """
    return arm_points(clean_rows(frame), "macs").sort_values("macs", ignore_index=True)


def _curves(figure: MarkedFigure, panel: Axes, points: pd.DataFrame, words: Words) -> list[Line2D]:
    """Draw each axis from the baseline on, and return the entries of the legend."""
    handles: dict[str, Line2D] = {}
    rounded = points.apply(is_rounded, axis=1)
    for axis, colour in COLOURS.items():
        curve = points[points["axis"].isin([axis, "baseline"]) & ~rounded]
        if axis in {*curve["axis"]}:
            line: Any = {"color": colour, "linewidth": 0.9, "alpha": 0.7, "zorder": 1}
            panel.plot(curve["macs"], PERCENT * curve["top1"], **line)
    for arm in points.to_dict("records"):
        look, at = axis_look(arm), (arm["macs"], PERCENT * arm["top1"])
        draw_point(figure, panel, at, percent_ends(arm), look=look, mark=Mark(str(arm["arm"])))
        text = words(arm["axis"]) if arm["axis"] in COLOURS else words("others")
        if look.hollow:
            text = words("{axis}, depth rounded to the nearest", axis=text)
        handles[text] = handle(look, text)
    return [*handles.values()]


def _published(panel: Axes, words: Words) -> Sequence[Label]:
    """Draw the published networks, and return their labels."""
    golden = golden_complexity()
    labels, every = [], []
    for names, colour in ((VARIANTS, COLOURS["compound"]), (BESIDE, GREY)):
        at = [(golden[name]["macs"], golden[name]["published"]["top1"]) for name in names]
        every += [macs for macs, _ in at]
        joined = 0.9 if names is VARIANTS else 0.0
        panel.plot(*zip(*at, strict=True), color=colour, linewidth=joined, marker="o", ms=3)
        labels += [
            Label(NAMES.get(name, name.upper()), place, NO_BAR, colour)
            for name, place in zip(names, at, strict=True)
        ]
    cost_axis(panel, every, words(MACS))
    value_axis(panel, words(TOP1))
    panel.margins(y=0.2)
    panel.set_title(words("published, on ImageNet"), loc="left")
    return labels
