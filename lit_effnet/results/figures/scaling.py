"""How far each axis carries: accuracy over multiply-adds, beside the published networks."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lit_effnet.network.golden import golden_complexity
from lit_effnet.results.figures.drawing import (
    COLOURS,
    COLUMN_IN,
    GREY,
    MARKERS,
    PERCENT,
    TOP1,
    Words,
    axis_of,
    bars,
    canvas,
    cost_axis,
    legend,
    name_points,
    note,
    repeats_note,
    value_axis,
)
from lit_effnet.results.figures.labels import Label
from lit_effnet.results.figures.pareto import arm_points
from lit_effnet.results.frame.columns import clean_rows

VARIANTS = tuple(f"b{number}" for number in range(8))
BESIDE = ("resnet50", "resnet152", "densenet201", "mobilenetv3_large")
MACS = "multiply-adds of one image"


def scaling_figure(
    frame: pd.DataFrame, *, width_in: float = COLUMN_IN, words: Words = str
) -> Figure:
    """Accuracy over multiply-adds along each axis; below, what was published of B0 to B7.

    Arms whose depth is rounded to the nearest have hollow markers, and lie on no curve.

    Args:
        frame: Rows of runs of one data set.
        width_in: Width in inches.
        words: Translates labels.

    Raises:
        ValueError: no run is finished, or runs of one arm are no repeats of each other.
    """
    points = scaling_points(frame)
    height = 1.55 * width_in if width_in < 5 else 0.62 * width_in
    with canvas(width_in, height, (2, 1) if width_in < 5 else (1, 2)) as (figure, panels):
        handles = _curves(panels[0], points, words)
        labels = _published(panels[1], words)
        cost_axis(panels[0], points["macs"], words(MACS))
        value_axis(panels[0], words(TOP1))
        data = words(str(clean_rows(frame)["data"].iloc[0]))
        panels[0].set_title(words("runs on {data}").format(data=data), loc="left")
        legend(figure, handles)
        source = words("published: arXiv 1905.11946 v5 and torchvision; multiply-adds counted here")
        note(figure, [repeats_note(points, words), source])
        name_points(figure, [(panels[1], labels)])
    return figure


def scaling_points(frame: pd.DataFrame) -> pd.DataFrame:
    """A row for each arm of `pareto.arm_points`, with `axis` and whether depth is `rounded`.

    Args:
        frame: Rows of runs of one data set.

    Raises:
        ValueError: no run is finished, or runs of one arm are no repeats of each other.
    """
    points = arm_points(clean_rows(frame), "macs")
    axes = [axis_of(arm.removesuffix(", round")) for arm in points["arm"]]
    rounded = points["arm"].str.endswith(", round")
    return points.assign(axis=axes, rounded=rounded).sort_values("macs", ignore_index=True)


def _curves(panel: Axes, points: pd.DataFrame, words: Words) -> list[Line2D]:
    """Draw each axis from the baseline on; lines for the legend."""
    baseline = points[points["axis"] == "baseline"]
    handles = []
    for axis, colour in COLOURS.items():
        arms = points[(points["axis"] == axis) & ~points["rounded"]]
        hollow = points[(points["axis"] == axis) & points["rounded"]]
        if arms.empty and hollow.empty:
            continue
        curve = arms if axis == "baseline" else pd.concat([arms, baseline]).sort_values("macs")
        line: Any = {"color": colour, "linewidth": 0.9, "alpha": 0.7, "zorder": 1}
        panel.plot(curve["macs"], PERCENT * curve["top1"], **line)
        for some, face in ((arms, colour), (hollow, "white")):
            bars(panel, some, some["macs"], colour)
            _markers(panel, some, axis, face)
        handles.append(_handle(axis, colour, words(axis)))
        if len(hollow):
            told = words("{axis}, depth rounded to the nearest").format(axis=words(axis))
            handles.append(_handle(axis, "white", told))
    others = points[points["axis"].isna()]
    if len(others):
        bars(panel, others, others["macs"], GREY)
        panel.scatter(others["macs"], PERCENT * others["top1"], s=12, color=GREY, zorder=3)
        handles.append(Line2D([], [], marker="o", color=GREY, linestyle="", label=words("others")))
    return handles


def _markers(panel: Axes, points: pd.DataFrame, axis: str, face: str) -> None:
    panel.scatter(
        points["macs"],
        PERCENT * points["top1"],
        s=34 if axis == "baseline" else 15,
        marker=MARKERS[axis],
        facecolor=face,
        edgecolor=COLOURS[axis],
        linewidth=0.8,
        zorder=4,
        gid=axis,
    )


def _handle(axis: str, face: str, label: str) -> Line2D:
    style: Any = {"linestyle": "", "markersize": 4.5, "color": COLOURS[axis]}
    return Line2D([], [], marker=MARKERS[axis], markerfacecolor=face, label=label, **style)


def _published(panel: Axes, words: Words) -> Sequence[Label]:
    """Draw the published networks; their names come back."""
    golden = golden_complexity()
    labels, every = [], []
    for names, colour in ((VARIANTS, COLOURS["compound"]), (BESIDE, GREY)):
        at = [(golden[name]["macs"], golden[name]["published"]["top1"]) for name in names]
        every += [macs for macs, _ in at]
        joined = 0.9 if names is VARIANTS else 0.0
        panel.plot(*zip(*at, strict=True), color=colour, linewidth=joined, marker="o", ms=3)
        labels += [
            Label(_name(name), place, (float("nan"),) * 2, colour)
            for name, place in zip(names, at, strict=True)
        ]
    cost_axis(panel, every, words(MACS))
    value_axis(panel, words(TOP1))
    panel.margins(y=0.2)
    panel.set_title(words("published, on ImageNet"), loc="left")
    return labels


def _name(name: str) -> str:
    known = {"resnet50": "ResNet-50", "resnet152": "ResNet-152", "densenet201": "DenseNet-201"}
    known["mobilenetv3_large"] = "MobileNetV3-Large"
    return known.get(name, name.upper())
