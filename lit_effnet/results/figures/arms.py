"""Arms one below the other, from the cheapest on: runs, mean and interval."""

from typing import Any

import pandas as pd

from lit_effnet.results.figures.drawing import (
    COLUMN_IN,
    GREY,
    PERCENT,
    SIZE,
    UNITS,
    VALUES,
    WIDE_IN,
    Looks,
    Mark,
    MarkedFigure,
    Words,
    arm_looks,
    canvas,
    cost_text,
    draw_point,
    english,
    name_rows,
    note,
    percent_ends,
    repeats_note,
    short_number,
)
from lit_effnet.results.figures.pareto import arm_points
from lit_effnet.results.frame.columns import clean_rows
from lit_effnet.results.stats.estimates import CONFIDENCE

ROW_IN = 0.165
REACH = 0.35  # of the spread of the runs, by which intervals may widen the axis


def arms_figure(
    frame: pd.DataFrame,
    cost: str = "macs",
    *,
    width_in: float = COLUMN_IN,
    words: Words = english,
) -> MarkedFigure:
    """Draw the accuracy of each arm with its interval, in the order of cost.

    Args:
        frame: Rows of runs of one data set.
        cost: Column of the cost: macs, parameters, activations, latency_ms or duration_s.
        width_in: Width in inches.
        words: Translates labels.

    Raises:
        ValueError: unknown cost, no run is finished, or runs of an arm are no repeats of each
            other.
    """
    if cost not in UNITS:
        raise ValueError(f"cost {cost!r}: must be one of {', '.join(UNITS)}")
    return draw_arms(clean_rows(frame), cost, width_in=width_in, words=words)


def draw_arms(
    rows: pd.DataFrame,
    cost: str = "macs",
    value: str = "top1",
    *,
    confidence: float = CONFIDENCE,
    width_in: float = COLUMN_IN,
    words: Words = english,
    looks: Looks | None = None,
) -> MarkedFigure:
    """Draw the arms of rows that are comparable already.

    Args:
        rows: One for each finished run.
        cost: Column of the cost.
        value: Column of the accuracy.
        confidence: Confidence of the intervals.
        width_in: Width in inches.
        words: Translates labels.
        looks: Look of each arm; None for the default.

    Raises:
        ValueError: runs of an arm are no repeats of each other.
    """
    points = arm_points(rows, cost, value, confidence=confidence)
    points = points.sort_values([cost, "arm"], ignore_index=True)
    looks = looks or arm_looks(rows)
    above = width_in < WIDE_IN  # names stand above their rows
    height = 0.45 + (2 * ROW_IN if above else ROW_IN) * len(points)
    with canvas(width_in, height) as (figure, (panel,)):
        for row, arm in enumerate(points.to_dict("records")):
            name, look = str(arm["arm"]), looks[str(arm["arm"])]
            price = cost_text(cost, arm[cost], words) if pd.notna(arm[cost]) else ""
            for run in rows[rows["arm"] == name].to_dict("records"):
                x = PERCENT * run[value]
                (dot,) = panel.plot(
                    [x], [row], marker="o", markersize=2.6, markerfacecolor="white",
                    markeredgecolor=look.colour, markeredgewidth=0.6, alpha=0.8, zorder=3,
                    linestyle="", clip_on=False,
                )  # fmt: skip
                tip = words(
                    "{arm}\n{value:.1f} % (seed {seed})\n{run}\n{cost}",
                    arm=words(name), value=x, seed=run["seed"], run=run["run"], cost=price,
                )  # fmt: skip
                figure.marks[dot] = Mark(name, tip.rstrip(), str(run["run"]))
            mean = PERCENT * arm[value]
            tip = words(
                "{arm}\n{value:.1f} %, n = {n}\n{cost}",
                arm=words(name), value=mean, n=arm["n"], cost=price,
            )  # fmt: skip
            ends = percent_ends(arm)
            mark = Mark(name, tip.rstrip())
            draw_point(figure, panel, (mean, row), ends, look=look, mark=mark, across=True)
        names = [words(str(arm)) for arm in points["arm"]]
        name_rows(panel, [""] * len(names) if above else names)
        if above:
            panel.spines["left"].set_visible(False)
            panel.set_ylim(len(names) - 0.6, -0.9)
            for row, name in enumerate(names):
                place: Any = {"transform": panel.get_yaxis_transform(), "parse_math": False}
                panel.text(0, row - 0.45, name, va="center", ha="left", **place)
        runs = PERCENT * rows.loc[rows["arm"].isin(points["arm"]), value].astype(float)
        reach = REACH * ((runs.max() - runs.min()) or 1)
        low, high = panel.get_xlim()
        panel.set_xlim(max(low, runs.min() - reach), min(high, runs.max() + reach))
        panel.set_xlabel(words(VALUES[value]))
        if points[cost].notna().any():
            beside = panel.secondary_yaxis("right")
            beside.set_yticks(range(len(points)), [short_number(price) for price in points[cost]])
            beside.tick_params(axis="y", length=0, labelsize=SIZE - 0.5, labelcolor=GREY)
            beside.spines[:].set_visible(False)
            panel.set_title(words(UNITS[cost]), loc="right", fontsize=SIZE, color=GREY)
        texts = repeats_note(points, words, confidence=confidence)
        note(figure, [words("small circles: runs"), *texts])
    return figure
