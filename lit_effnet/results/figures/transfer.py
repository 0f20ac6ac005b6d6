"""What pretrained weights are worth on other images: fine-tuned, and as a linear probe."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from lit_effnet.results.figures.drawing import (
    COLUMN_IN,
    GRID,
    OTHER_MARKERS,
    OTHERS,
    PERCENT,
    TOP1,
    Words,
    canvas,
    legend,
    note,
    repeats_note,
)
from lit_effnet.results.figures.pareto import arm_points
from lit_effnet.results.frame.columns import clean_rows

ROW_IN = 0.2
RECIPES = {"finetune": "fine-tuned", "linear_probe": "linear probe"}


def transfer_points(frame: pd.DataFrame) -> pd.DataFrame:
    """A row for each data set, network and recipe: mean of top-1, its interval and the repeats.

    Args:
        frame: Rows of runs, of any data sets.

    Raises:
        ValueError: no run that began with trained weights is finished.
    """
    known = clean_rows(frame)
    known = known[known["began_with"].notna()]
    if known.empty:
        raise ValueError(
            "runs: must have a finished one that began with trained weights, and have none; "
            "`python -m lit_effnet.sweep sweeps/transfer.yaml --on photos` makes them"
        )
    parts = [
        arm_points(rows, "macs").assign(data=data, recipe=recipe)
        for (data, recipe), rows in known.groupby(["data", "recipe"])
    ]
    points = pd.concat(parts, ignore_index=True)
    return points.sort_values(["data", "macs", "arm", "recipe"], ignore_index=True)


def transfer_figure(
    frame: pd.DataFrame, *, width_in: float = COLUMN_IN, words: Words = str
) -> Figure:
    """Accuracy of each network on each data set, a marker for each recipe.

    Args:
        frame: Rows of runs, of any data sets.
        width_in: Width in inches.
        words: Translates labels.

    Raises:
        ValueError: no run that began with trained weights is finished.
    """
    points = transfer_points(frame)
    sets = [*dict.fromkeys(points["data"])]
    recipes = [recipe for recipe in RECIPES if recipe in set(points["recipe"])]
    recipes += sorted({*points["recipe"]} - {*RECIPES})
    looks = dict(zip(recipes, zip(OTHERS, OTHER_MARKERS, strict=True), strict=False))
    parts = {data: points[points["data"] == data] for data in sets}
    rows = [part["arm"].nunique() for part in parts.values()]
    height = 0.95 + 0.3 * len(sets) + ROW_IN * sum(rows)
    ratios: Any = {"height_ratios": [count + 0.4 for count in rows]}
    shape = (len(sets), 1)
    with canvas(width_in, height, shape, sharex=True, gridspec_kw=ratios) as (figure, panels):
        for panel, (data, part) in zip(panels, parts.items(), strict=True):
            _panel(panel, part, looks, words)
            panel.set_title(words(data), loc="left")
        panels[-1].set_xlabel(words(TOP1))
        base: Any = {"linestyle": "", "markersize": 4.5}
        handles = [
            Line2D([], [], marker=mark, color=ink, label=words(RECIPES.get(recipe, recipe)), **base)
            for recipe, (ink, mark) in looks.items()
        ]
        legend(figure, handles)
        named = points.assign(name=points["data"] + " " + points["arm"])
        note(figure, [repeats_note(named, words, "name")])
    return figure


def _panel(
    panel: Axes, points: pd.DataFrame, looks: Mapping[str, tuple[str, str]], words: Words
) -> None:
    """Draw one data set: a row for each network, its recipes one above the other."""
    arms = [*dict.fromkeys(points["arm"])]
    recipes = [*looks]
    for point in points.to_dict("records"):
        apart = recipes.index(point["recipe"]) - (len(recipes) - 1) / 2
        y = arms.index(point["arm"]) + 0.3 * apart / max(1, len(recipes) - 1)
        colour, marker = looks[point["recipe"]]
        ends = [PERCENT * point["low"], PERCENT * point["high"]]
        panel.plot(ends, [y, y], color=colour, linewidth=1.0, zorder=2)
        panel.scatter([PERCENT * point["top1"]], [y], s=18, marker=marker, color=colour, zorder=3)
    panel.set_yticks(range(len(arms)), [words(arm) for arm in arms], parse_math=False)
    panel.tick_params(axis="y", length=0)
    panel.set_ylim(len(arms) - 0.5, -0.5)
    panel.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    panel.grid(axis="x", color=GRID, linewidth=0.5)
