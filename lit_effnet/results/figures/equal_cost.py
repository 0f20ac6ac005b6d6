"""Each axis alone against compound scaling at the same multiply-adds, with intervals."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lit_effnet.results.figures.drawing import (
    COLOURS,
    COLUMN_IN,
    GREY,
    GRID,
    MARKERS,
    ROUNDED,
    Words,
    axis_of,
    canvas,
    note,
    repeats_note,
)
from lit_effnet.results.frame.columns import clean_rows
from lit_effnet.results.stats.comparison import (
    ALPHA,
    POINTS,
    Comparison,
    adjusted,
    compare,
    comparison_frame,
)
from lit_effnet.results.stats.equal_cost import around
from lit_effnet.results.stats.estimates import repeats

ROW_IN = 0.19


def equal_cost_points(frame: pd.DataFrame) -> pd.DataFrame:
    """A row for each arm that costs the MACs of a compound arm: its difference to that one.

    The columns of `comparison.comparison_frame`, p-values adjusted for all rows, and the MACs of
    the compound arm, in millions and in baselines; these are not a number without a baseline.

    Args:
        frame: Rows of runs of one data set.

    Raises:
        ValueError: no arm costs what a compound arm does.
    """
    clean = clean_rows(frame)
    compound = [arm for arm in clean["arm"].unique() if str(arm).startswith("compound at ")]
    rounded = [arm for arm in compound if arm.endswith(ROUNDED)]
    plain = [arm for arm in compound if arm not in rounded]
    values = repeats(clean).values
    made: list[Comparison] = []
    for reference, group in around(clean, plain, spare=rounded).items():
        made += [
            compare(arm, reference, values[arm], values[reference])
            for arm in group.arms
            if arm != reference and (reference, arm) not in {(one.a, one.b) for one in made}
        ]
    if not made:
        raise ValueError(
            "runs: must have arms of one cost, a compound one among them, and have none; "
            "`python -m lit_effnet.sweep sweeps/scaling_ablation.yaml --on photos` makes them"
        )
    points = comparison_frame(adjusted(made))
    costs = clean.groupby("arm")["macs"].median().astype(float)
    points["macs"] = points["reference"].map(costs)
    points["times"] = points["macs"] / costs.get("baseline", float("nan"))
    return points.sort_values(["macs", "difference"], ignore_index=True)


def equal_cost_figure(
    frame: pd.DataFrame, *, width_in: float = COLUMN_IN, words: Words = str
) -> Figure:
    """Each arm's top-1 less that of compound scaling at the same multiply-adds, by budget.

    A filled marker is a difference that is shown after Holm's correction for all of them.

    Args:
        frame: Rows of runs of one data set.
        width_in: Width in inches.
        words: Translates labels.

    Raises:
        ValueError: no arm costs what a compound arm does.
    """
    points = equal_cost_points(frame)
    budgets = [some for _, some in points.groupby("reference", sort=False)]
    rows = [len(some) for some in budgets]
    shape: Any = {"sharex": True, "height_ratios": [count + 1.2 for count in rows]}
    height = 0.9 + ROW_IN * (sum(rows) + 1.6 * len(rows))
    with canvas(width_in, height, (len(budgets), 1), **shape) as (figure, panels):
        for panel, some in zip(panels, budgets, strict=True):
            _differences(panel, some, words)
        panels[-1].set_xlabel(words("difference of top-1 (points)"))
        panels[-1].xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        data = words(str(clean_rows(frame)["data"].iloc[0]))
        tested = int(points["p"].notna().sum())
        texts: tuple[str, ...] = (
            words("{data}: each arm minus compound scaling (MACs in baselines)").format(data=data),
            repeats_note(points, words, of="of the difference"),
        )
        if tested:
            told = words("filled: shown after Holm's correction for {n} tests").format(n=tested)
            texts = (*texts, told)
        note(figure, ["; ".join(texts)])
    return figure


def _differences(panel: Axes, points: pd.DataFrame, words: Words) -> None:
    """Draw the arms of one budget."""
    places = np.arange(len(points))
    panel.axvline(0, color=COLOURS["compound"], linewidth=1.0, zorder=1)
    for place, point in zip(places, points.to_dict("records"), strict=True):
        arm = str(point["arm"])
        axis = axis_of(arm.removesuffix(ROUNDED))
        colour = COLOURS[axis] if axis else GREY
        low, high = POINTS * point["low"], POINTS * point["high"]
        panel.plot([low, high], [place, place], color=colour, linewidth=1.0, zorder=2)
        shown = pd.notna(point["p_holm"]) and point["p_holm"] < ALPHA
        style: Any = {"facecolor": colour if shown else "white", "edgecolor": colour}
        marker = MARKERS[axis] if axis else "o"
        panel.scatter(
            [POINTS * point["difference"]], [place], s=18, marker=marker, zorder=3, **style
        )
    panel.set_yticks(places, [words(str(arm)) for arm in points["arm"]], parse_math=False)
    panel.tick_params(axis="y", length=0)
    panel.set_ylim(len(points) - 0.4, -0.6)
    panel.grid(axis="x", color=GRID, linewidth=0.5)
    first = points.iloc[0]
    cost = words("{macs:,.1f} M MACs").format(macs=first["macs"] / 1e6)
    if pd.notna(first["times"]):
        cost = words("{times:.2f} x").format(times=first["times"])
    title = words("minus {arm} ({cost})").format(arm=words(str(first["reference"])), cost=cost)
    panel.set_title(title, loc="right", parse_math=False)
