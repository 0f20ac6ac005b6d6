"""Gain of squeeze-and-excite: accuracy against parameters, multiply-adds and latency."""

from fractions import Fraction

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from lit_effnet.results.figures.drawing import (
    COLUMN_IN,
    COSTS,
    PERCENT,
    TOP1,
    WIDE_IN,
    Look,
    Mark,
    MarkedFigure,
    Words,
    canvas,
    cost_axis,
    draw_point,
    english,
    name_points,
    note,
    percent_ends,
    repeats_note,
    value_axis,
)
from lit_effnet.results.figures.labels import Label
from lit_effnet.results.figures.pareto import arm_points
from lit_effnet.results.frame.columns import clean_rows

SHOWN = ("parameters", "macs", "latency_ms")
ON, OFF = "#0072B2", "#D55E00"


def se_name(ratio: float) -> str:
    """Return a ratio as the paper writes it: 1/4, and off for 0."""
    return str(Fraction(ratio).limit_denominator(64)) if ratio else "off"


def se_points(frame: pd.DataFrame, cost: str = "parameters") -> pd.DataFrame:
    """Return a row for each ratio: `se_ratio`, cost, mean top-1 and its interval.

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
    return arm_points(known, cost).sort_values("se_ratio")


def se_ratio_figure(
    frame: pd.DataFrame, *, width_in: float = COLUMN_IN, words: Words = english
) -> MarkedFigure:
    """Draw the accuracy of each SE ratio against each kind of cost.

    Args:
        frame: Rows of runs of one data set.
        width_in: Width in inches.
        words: Translates labels.

    Raises:
        ValueError: fewer than two ratios have a finished run.
    """
    parts = {cost: se_points(frame, cost) for cost in SHOWN}
    shown = {cost: points for cost, points in parts.items() if points[cost].notna().any()}
    wide = width_in >= WIDE_IN
    shape = (1, len(shown)) if wide else (len(shown), 1)
    height = 2.4 if wide else 0.2 + 1.5 * len(shown)
    with canvas(width_in, height, shape, sharey=True) as (figure, panels):
        labels = []
        for panel, (cost, points) in zip(panels, shown.items(), strict=True):
            labels.append((panel, _draw(figure, panel, points, cost, words)))
            value_axis(panel, words(TOP1) if panel is panels[0] or not wide else "")
        named = shown["parameters"].assign(name=parts["parameters"]["se_ratio"].map(se_name))
        label = words("labels: SE ratio")
        missing = [
            words("no run measured {cost}", cost=words(COSTS[cost]))
            for cost in parts
            if cost not in shown
        ]
        note(figure, [*repeats_note(named, words, by="name"), label, *missing])
        name_points(figure, labels)
    return figure


def _draw(
    figure: MarkedFigure, panel: Axes, points: pd.DataFrame, cost: str, words: Words
) -> list[Label]:
    """Draw a panel, and return the labels of its points."""
    labels = []
    for point in points[np.isfinite(points[cost])].to_dict("records"):
        colour, ends = ON if point["se_ratio"] else OFF, percent_ends(point)
        at = (float(point[cost]), PERCENT * float(point["top1"]))
        draw_point(figure, panel, at, ends, look=Look(colour), mark=Mark(str(point["arm"])))
        labels.append(Label(words(se_name(point["se_ratio"])), at, ends, colour))
    cost_axis(panel, points[cost].dropna(), words(COSTS[cost]))
    return labels
