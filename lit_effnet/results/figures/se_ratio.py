"""What squeeze-and-excite is worth: accuracy against parameters, multiply-adds and latency."""

from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lit_effnet.results.figures.drawing import (
    COLUMN_IN,
    PERCENT,
    TOP1,
    Words,
    bars,
    canvas,
    cost_axis,
    name_points,
    note,
    repeats_note,
    value_axis,
)
from lit_effnet.results.figures.labels import Label
from lit_effnet.results.figures.pareto import arm_points
from lit_effnet.results.frame.columns import clean_rows

COSTS = {
    "parameters": "parameters",
    "macs": "multiply-adds of one image",
    "latency_ms": "latency of one image (ms)",
}
INK, OFF = "#0072B2", "#D55E00"


def se_name(ratio: float) -> str:
    """A ratio as the paper writes it: 1/4, and off for none."""
    return str(Fraction(ratio).limit_denominator(64)) if ratio else "off"


def se_points(frame: pd.DataFrame, cost: str = "parameters") -> pd.DataFrame:
    """A row for each ratio: `se_ratio`, the cost, the mean of top-1 and its interval.

    Args:
        frame: Rows of runs of one data set.
        cost: Column of the cost.

    Raises:
        ValueError: fewer than two ratios have a finished run.
    """
    known = clean_rows(frame)
    known = known[known["se_ratio"].notna()]
    ratios = known["se_ratio"].nunique()
    if ratios < 2:
        raise ValueError(
            f"runs: must have finished ones of 2 SE ratios, and have {ratios}; "
            "`python -m lit_effnet.sweep sweeps/se_ratio.yaml --on photos` makes them"
        )
    points = arm_points(known, cost)
    of_arm = known.groupby("arm")["se_ratio"].first()
    return points.assign(se_ratio=points["arm"].map(of_arm)).sort_values("se_ratio")


def se_ratio_figure(
    frame: pd.DataFrame, *, width_in: float = COLUMN_IN, words: Words = str
) -> Figure:
    """Accuracy of each SE ratio against what it costs, one kind of cost below the other.

    Args:
        frame: Rows of runs of one data set.
        width_in: Width in inches.
        words: Translates labels.

    Raises:
        ValueError: fewer than two ratios have a finished run.
    """
    parts = {cost: se_points(frame, cost) for cost in COSTS}
    shown = {cost: points for cost, points in parts.items() if points[cost].notna().any()}
    shape = (len(shown), 1) if width_in < 5 else (1, len(shown))
    height = 0.45 + 1.5 * len(shown) if width_in < 5 else 2.6
    with canvas(width_in, height, shape, sharey=True) as (figure, panels):
        labels = []
        for panel, (cost, points) in zip(panels, shown.items(), strict=True):
            labels.append((panel, _panel(panel, points, cost, words)))
            value_axis(panel, words(TOP1) if panel is panels[0] or width_in < 5 else "")
        named = shown["parameters"].assign(name=parts["parameters"]["se_ratio"].map(se_name))
        label = words("labels: SE ratio")
        missing = [
            words("no run measured {cost}").format(cost=words(COSTS[cost]))
            for cost in parts
            if cost not in shown
        ]
        note(figure, ["; ".join([repeats_note(named, words, "name"), label, *missing])])
        name_points(figure, labels)
    return figure


def _panel(panel: Axes, points: pd.DataFrame, cost: str, words: Words) -> list[Label]:
    """Draw a panel; names of its points come back."""
    labels = []
    for off, colour in ((True, OFF), (False, INK)):
        some = points[points["se_ratio"].eq(0) == off]
        bars(panel, some, some[cost], colour)
        edge: Any = {"edgecolor": "white", "linewidth": 0.4}
        panel.scatter(some[cost], PERCENT * some["top1"], s=18, color=colour, zorder=4, **edge)
        labels += [
            Label(
                words(se_name(point["se_ratio"])),
                (float(point[cost]), PERCENT * float(point["top1"])),
                (PERCENT * float(point["low"]), PERCENT * float(point["high"])),
                colour,
            )
            for point in some.to_dict("records")
            if np.isfinite(point[cost])
        ]
    cost_axis(panel, points[cost].dropna(), words(COSTS[cost]))
    return labels
