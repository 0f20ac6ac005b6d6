"""Accuracy against cost: means of arms, the Pareto front, and the figure of both."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lit_effnet.results.figures.drawing import (
    BLACK,
    COLUMN_IN,
    COSTS,
    GREY,
    GRID,
    PERCENT,
    VALUES,
    Looks,
    Mark,
    MarkedFigure,
    Words,
    arm_looks,
    canvas,
    cost_axis,
    cost_text,
    draw_point,
    english,
    handle,
    legend,
    name_points,
    note,
    percent_ends,
    repeats_note,
    value_axis,
)
from lit_effnet.results.figures.labels import Label
from lit_effnet.results.frame.records import FINISHED
from lit_effnet.results.stats.estimates import CONFIDENCE, FRACTION, estimate, repeats

PROPERTIES = ("axis", "rounding", "alpha", "beta", "gamma", "se_ratio")


def arm_points(
    frame: pd.DataFrame, cost: str, value: str = "top1", *, confidence: float = CONFIDENCE
) -> pd.DataFrame:
    """Return a row for each finished arm: its properties, cost, mean and Student's t interval.

    Args:
        frame: Rows of one data set, split and condition.
        cost: Column of the cost; an arm costs its repeats' median.
        value: Column whose mean is taken.
        confidence: Confidence of the intervals.

    Raises:
        ValueError: rows of an arm are no repeats of each other.
    """
    finished = frame[frame["status"] == FINISHED]
    prices = finished.groupby("arm")[cost].median()
    first = finished.drop_duplicates("arm").set_index("arm")
    rows = []
    for arm, values in repeats(frame, value).values.items():
        of_arm = estimate([*values.values()], confidence, FRACTION)
        low, high = (of_arm.t.low, of_arm.t.high) if of_arm.t else (None, None)
        row = {"arm": arm, cost: prices[arm], value: of_arm.mean, "low": low, "high": high}
        rows.append(row | {"n": of_arm.n} | {name: first.loc[arm, name] for name in PROPERTIES})
    numbers = dict.fromkeys((cost, value, "low", "high"), "float64")
    points = pd.DataFrame(rows, columns=["arm", *numbers, "n", *PROPERTIES])
    return points.astype({"arm": "str", **numbers, "n": "Int64"})


def pareto_front(frame: pd.DataFrame, cost: str, value: str) -> pd.DataFrame:
    """Return the frame with a column `dominated`: whether a row is better and costs no more.

    Equal rows do not dominate each other. Rows without cost or value are NA and dominate none.

    Args:
        frame: Rows, each with a cost and a value.
        cost: Column to minimise.
        value: Column to maximise.
    """
    known = frame[frame[cost].notna() & frame[value].notna()]
    costs, values = (known[name].to_numpy(float) for name in (cost, value))
    order = np.lexsort((-values, costs))
    dominated = np.zeros(len(known), bool)
    best_cheaper, best_here, here = -np.inf, -np.inf, None
    for index in order:
        if costs[index] != here:
            best_cheaper, best_here, here = (
                max(best_cheaper, best_here),
                values[index],
                costs[index],
            )
        dominated[index] = best_cheaper >= values[index] or best_here > values[index]
    result = pd.Series(dominated, known.index, dtype="boolean").reindex(frame.index)
    return frame.assign(dominated=result)


def pareto_figure(
    points: pd.DataFrame,
    costs: Sequence[str] = ("macs",),
    value: str = "top1",
    *,
    confidence: float = CONFIDENCE,
    width_in: float = COLUMN_IN,
    words: Words = english,
    looks: Looks | None = None,
) -> MarkedFigure:
    """Draw accuracy against each cost; dominated arms are pale, the line is the Pareto front.

    If labels have no room beside their points, a legend names all arms.

    Args:
        points: Rows of `arm_points`, with a column for each cost.
        costs: Columns, each a panel with a logarithmic axis.
        value: Column of the accuracy.
        confidence: Confidence of the intervals.
        width_in: Width in inches.
        words: Translates labels.
        looks: Look of each arm; None for the default.

    Raises:
        ValueError: no arm has a value and one of the costs, or a cost is not above 0.
    """
    for cost in costs:
        known = points[points[cost].notna() & points[value].notna()]
        if known.empty:
            raise ValueError(f"points: must have an arm with {cost} and {value}, and have none")
        if not (known[cost] > 0).all():
            raise ValueError(f"{cost} {known[cost].min():g}: must be above 0 on a logarithmic axis")
    looks = looks or arm_looks(points.assign(macs=points[costs[0]]))
    names = {arm: words(arm) for arm in looks}
    for with_legend in (False, True):
        height = min(0.78 * width_in / len(costs), 2.6) + 0.4
        with canvas(width_in, height, (1, len(costs)), sharey=True) as (figure, panels):
            labels = []
            for panel, cost in zip(panels, costs, strict=True):
                rows = pareto_front(points, cost, value)
                rows = rows[rows["dominated"].notna()].rename(columns={cost: "cost"})
                _draw(figure, panel, rows, value, cost=cost, looks=looks, words=words)
                cost_axis(panel, rows["cost"], words(COSTS[cost]))
                labels.append((panel, _labels(rows, value, names)))
            value_axis(panels[0], words(VALUES[value]))
            texts = repeats_note(points, words, confidence=confidence)
            note(figure, [words("pale: another arm is better at no higher cost"), *texts])
            if with_legend:
                legend(figure, [handle(looks[arm], name) for arm, name in names.items()])
            if name_points(figure, labels, tied=not with_legend):
                break
    return figure


def _draw(
    figure: MarkedFigure,
    panel: Axes,
    rows: pd.DataFrame,
    value: str,
    *,
    cost: str,
    looks: Looks,
    words: Words,
) -> None:
    front = rows[~rows["dominated"].astype(bool)].sort_values("cost")
    # Between two arms of the front the cheaper one is the best that is affordable.
    x, y = front["cost"].to_numpy(float), PERCENT * front[value].to_numpy(float)
    style: Any = {"color": GREY, "linewidth": 0.8, "alpha": 0.6, "zorder": 1}
    panel.plot(np.repeat(x, 2)[1:], np.repeat(y, 2)[:-1], **style)
    for row in rows.to_dict("records"):
        tip = words(
            "{arm}\n{value:.1f} %, n = {n}\n{cost}",
            arm=words(row["arm"]), value=PERCENT * row[value], n=row["n"],
            cost=cost_text(cost, row["cost"], words),
        )  # fmt: skip
        at, pale = (float(row["cost"]), PERCENT * float(row[value])), bool(row["dominated"])
        draw_point(
            figure, panel, at, percent_ends(row),
            look=looks[row["arm"]], mark=Mark(row["arm"], tip), alpha=0.4 if pale else 1,
        )  # fmt: skip
    panel.yaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    panel.margins(x=0.15, y=0.1)
    panel.grid(axis="y", color=GRID, linewidth=0.5)


def _labels(rows: pd.DataFrame, value: str, names: dict[str, str]) -> list[Label]:
    return [
        Label(
            text=names[row["arm"]],
            at=(float(row["cost"]), PERCENT * float(row[value])),
            bar=percent_ends(row),
            colour=GREY if row["dominated"] else BLACK,
        )
        for row in rows.to_dict("records")
    ]
