"""Accuracy of pretrained weights on other data sets: fine-tuned, and as a linear probe."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from lit_effnet.results.figures.drawing import (
    COLUMN_IN,
    OTHER_MARKERS,
    OTHERS,
    PERCENT,
    TOP1,
    Look,
    Looks,
    Mark,
    MarkedFigure,
    Words,
    canvas,
    draw_point,
    english,
    handle,
    legend,
    name_rows,
    note,
    percent_ends,
    repeats_note,
)
from lit_effnet.results.figures.pareto import arm_points
from lit_effnet.results.frame.columns import clean_rows

ROW_IN = 0.2
RECIPES = {"finetune": "fine-tuned", "linear_probe": "linear probe"}


def transfer_points(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each data set, network and recipe: mean top-1, its interval and repeats.

    Args:
        frame: Rows of runs, of any data sets.

    Raises:
        ValueError: no run that started from pretrained weights is finished.
    """
    known = clean_rows(frame)
    known = known[known["began_with"].notna()]
    if known.empty:
        raise ValueError(
            "runs: must have a finished one that started from pretrained weights, and have none; "
            "`python -m lit_effnet.sweep sweeps/transfer.yaml --on photos` makes them"
        )
    parts = [
        arm_points(rows, "macs").assign(data=data, recipe=recipe)
        for (data, recipe), rows in known.groupby(["data", "recipe"])
    ]
    points = pd.concat(parts, ignore_index=True)
    return points.sort_values(["data", "macs", "arm", "recipe"], ignore_index=True)


def transfer_figure(
    frame: pd.DataFrame, *, width_in: float = COLUMN_IN, words: Words = english
) -> MarkedFigure:
    """Draw the accuracy of each network on each data set, a marker for each recipe.

    Args:
        frame: Rows of runs, of any data sets.
        width_in: Width in inches.
        words: Translates labels.

    Raises:
        ValueError: no run that started from pretrained weights is finished.
    """
    points = transfer_points(frame)
    sets = [*dict.fromkeys(points["data"])]
    recipes = [recipe for recipe in RECIPES if recipe in set(points["recipe"])]
    recipes += sorted({*points["recipe"]} - {*RECIPES})
    looks = dict(zip(recipes, map(Look, OTHERS, OTHER_MARKERS), strict=False))
    parts = {data: points[points["data"] == data] for data in sets}
    rows = [part["arm"].nunique() for part in parts.values()]
    height = 0.5 + 0.3 * len(sets) + ROW_IN * sum(rows)
    ratios: Any = {"height_ratios": [count + 0.4 for count in rows]}
    shape = (len(sets), 1)
    with canvas(width_in, height, shape, sharex=True, gridspec_kw=ratios) as (figure, panels):
        for panel, (data, part) in zip(panels, parts.items(), strict=True):
            _draw(figure, panel, part, looks)
            name_rows(panel, [words(arm) for arm in dict.fromkeys(part["arm"])])
            panel.set_title(words(data), loc="left")
        panels[-1].set_xlabel(words(TOP1))
        names = {recipe: words(RECIPES.get(recipe, recipe)) for recipe in recipes}
        legend(figure, [handle(looks[recipe], name) for recipe, name in names.items()])
        named = points.assign(name=points["data"] + " " + points["arm"])
        note(figure, repeats_note(named, words, by="name"))
    return figure


def _draw(figure: MarkedFigure, panel: Axes, points: pd.DataFrame, looks: Looks) -> None:
    """Draw one data set: a row for each network, its recipes one above the other."""
    arms, recipes = [*dict.fromkeys(points["arm"])], [*looks]
    for point in points.to_dict("records"):
        offset = recipes.index(point["recipe"]) - (len(recipes) - 1) / 2
        y = arms.index(point["arm"]) + 0.3 * offset / max(1, len(recipes) - 1)
        draw_point(
            figure, panel, (PERCENT * point["top1"], y), percent_ends(point),
            look=looks[point["recipe"]], mark=Mark(str(point["arm"])), across=True,
        )  # fmt: skip
