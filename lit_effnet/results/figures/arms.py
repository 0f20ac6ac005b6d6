"""Arms one below the other, from the cheapest on, with their intervals."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, MaxNLocator

from lit_effnet.results.figures.drawing import (
    COLOURS,
    COLUMN_IN,
    GREY,
    GRID,
    MARKERS,
    PERCENT,
    TOP1,
    Words,
    axis_of,
    canvas,
    note,
    repeats_note,
)
from lit_effnet.results.figures.pareto import SIZE, arm_points
from lit_effnet.results.frame.columns import clean_rows

ROW_IN = 0.165
# What stands right of each arm, by the column of its cost.
COSTS = {"macs": "MACs", "parameters": "parameters", "latency_ms": "ms", "duration_s": "s"}


def arms_figure(
    frame: pd.DataFrame, cost: str = "macs", *, width_in: float = COLUMN_IN, words: Words = str
) -> Figure:
    """Accuracy of each arm with its interval, arms in the order of their cost, which stands beside.

    Args:
        frame: Rows of runs of one data set.
        cost: Column of the cost: macs, parameters, latency_ms or duration_s.
        width_in: Width in inches.
        words: Translates labels.

    Raises:
        ValueError: another cost, no run is finished, or runs of one arm are no repeats of each
            other.
    """
    if cost not in COSTS:
        raise ValueError(f"cost {cost!r}: must be one of {', '.join(COSTS)}")
    points = arm_points(clean_rows(frame), cost)
    points = points.sort_values([cost, "arm"], ignore_index=True)
    with canvas(width_in, 0.75 + ROW_IN * len(points)) as (figure, (panel,)):
        rows = np.arange(len(points))
        names = [words(arm) for arm in points["arm"]]
        for row, arm in enumerate(points.to_dict("records")):
            axis = axis_of(str(arm["arm"]).removesuffix(", round"))
            colour = COLOURS[axis] if axis else GREY
            low, high = PERCENT * arm["low"], PERCENT * arm["high"]
            panel.plot([low, high], [row, row], color=colour, linewidth=1.0, zorder=2)
            face = "white" if str(arm["arm"]).endswith(", round") else colour
            style: Any = {"facecolor": face, "edgecolor": colour, "linewidth": 0.8, "zorder": 3}
            marker = MARKERS[axis] if axis else "o"
            panel.scatter([PERCENT * arm["top1"]], [row], s=18, marker=marker, **style)
        panel.set_yticks(rows, names, parse_math=False)
        panel.tick_params(axis="y", length=0)
        panel.set_ylim(len(points) - 0.4, -0.6)
        panel.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
        panel.grid(axis="x", color=GRID, linewidth=0.5)
        panel.set_xlabel(words(TOP1))
        beside = panel.secondary_yaxis("right")
        told = EngFormatter(places=1, sep=" ")
        beside.set_yticks(rows, [told(price) for price in points[cost]])
        beside.tick_params(axis="y", length=0, labelsize=SIZE - 0.5, labelcolor=GREY)
        beside.spines[:].set_visible(False)
        panel.set_title(words(COSTS[cost]), loc="right", fontsize=SIZE, color=GREY)
        note(figure, [repeats_note(points, words)])
    return figure
