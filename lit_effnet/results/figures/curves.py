"""Curves of arms: under noise, over learning rates, and during training."""

from collections.abc import Mapping
from itertools import cycle
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from lit_effnet.results.figures.drawing import (
    COLOURS,
    COLUMN_IN,
    OTHERS,
    PERCENT,
    SIZE,
    VALUES,
    Look,
    Looks,
    Mark,
    MarkedFigure,
    Words,
    arm_looks,
    canvas,
    english,
    handle,
    legend,
    note,
    value_axis,
)

DASHES: Any = ("-", "--", ":", "-.")
MOST_MARKERS = 24  # on a curve


def curves_figure(
    points: pd.DataFrame,
    x: str,
    label: str,
    value: str = "top1",
    *,
    notes: list[str],
    log: bool = False,
    width_in: float = COLUMN_IN,
    words: Words = english,
    looks: Looks | None = None,
) -> MarkedFigure:
    """Draw a curve for each arm and recipe, with a band where there are intervals.

    With more arms than colours, each axis has a panel, and the baseline is in all of them.

    Args:
        points: Rows with `arm`, `axis`, `rounding`, `macs`, `recipe`, x, accuracy, `low`, `high`.
        x: Column of the horizontal axis.
        label: Label of the horizontal axis.
        value: Column of the accuracy.
        notes: Parts of the note below.
        log: Whether the horizontal axis is logarithmic.
        width_in: Width in inches.
        words: Translates labels.
        looks: Look of each arm; None for the default.
    """
    drawn = {*points["arm"]}
    looks = {arm: look for arm, look in (looks or arm_looks(points)).items() if arm in drawn}
    first = points.drop_duplicates("arm")
    axes = dict(zip(first["arm"], first["axis"], strict=True))
    base = [arm for arm, axis in axes.items() if axis == "baseline"]
    groups: dict[str, list[str]] = {"": [*looks]}
    if len(looks) > len(OTHERS):
        groups = {}
        for arm in looks:
            axis = axes[arm] if axes[arm] in COLOURS else "other"
            if axis != "baseline":
                groups.setdefault(axis, [*base]).append(arm)
        groups = groups or {"": base}
    wide = len(groups) > 1
    shape = (-(-len(groups) // 2), 2) if wide else (1, 1)
    height = 0.36 * width_in * shape[0] + 0.1 if wide else 0.65 * width_in + 0.2
    with canvas(width_in, height, shape, sharex=True, sharey=True) as (figure, panels):
        for panel, (title, arms) in zip(panels, groups.items(), strict=False):
            own = {arm: looks[arm] for arm in arms}
            _draw(figure, panel, points, x, value, looks=own, words=words)
            value_axis(panel)
            handles = [handle(look, words(arm), "-") for arm, look in own.items()]
            handles += _recipe_handles(points, words)
            if wide:
                panel.set_title(words(title), loc="left")
                made = panel.legend(
                    handles=handles, loc="best", frameon=False, fontsize=SIZE - 1.5,
                    handlelength=1.2, handletextpad=0.3, labelspacing=0.2, borderpad=0.1,
                )  # fmt: skip
                for text in made.get_texts():
                    text.set_parse_math(False)
            else:
                legend(figure, handles)
        for panel in panels[len(groups) :]:
            panel.set_axis_off()
        if log:
            panels[0].set_xscale("log")
            ticks = sorted(points[x].unique())
            panels[0].set_xticks(ticks, [f"{tick:g}" for tick in ticks])
            panels[0].minorticks_off()
        for panel in panels[max(0, len(groups) - shape[1]) : len(groups)]:
            panel.set_xlabel(words(label))
            panel.tick_params(labelbottom=True)
        figure.supylabel(words(VALUES[value]), fontsize=SIZE + 1)
        note(figure, notes)
    return figure


def _draw(
    figure: MarkedFigure,
    panel: Axes,
    points: pd.DataFrame,
    x: str,
    value: str,
    *,
    looks: Mapping[str, Look],
    words: Words,
) -> None:
    recipes = [*points["recipe"].unique()]
    shown = points[points["arm"].isin([*looks])].sort_values(x, kind="stable")
    for (name, recipe), rows in shown.groupby(["arm", "recipe"], dropna=False, sort=False):
        arm, at, mean = str(name), rows[x].to_numpy(float), PERCENT * rows[value].to_numpy(float)
        dash = DASHES[recipes.index(recipe) % len(DASHES)]
        style: Any = {"color": looks[arm].colour, "linestyle": dash, "linewidth": 1.0}
        (line,) = panel.plot(at, mean, **style)
        figure.marks[line] = Mark(arm)
        if rows["low"].notna().any():
            low, high = (PERCENT * rows[side].to_numpy(float) for side in ("low", "high"))
            band: Any = {"color": looks[arm].colour, "alpha": 0.13, "linewidth": 0}
            figure.marks[panel.fill_between(at, low, high, **band)] = Mark(arm)
        every = -(-len(rows) // MOST_MARKERS)
        for point in [*rows.to_dict("records")][::-every]:
            tip = words(
                "{arm}\n{value:.1f} %, n = {n}\n{label}: {x:g}", arm=words(arm), x=point[x],
                value=PERCENT * point[value], n=point["n"], label=words(x.replace("_", " ")),
            )  # fmt: skip
            look = looks[arm]
            (dot,) = panel.plot(
                [point[x]], [PERCENT * point[value]], marker=look.marker, color=look.colour,
                markerfacecolor="white" if look.hollow else look.colour, markeredgewidth=0.7,
                markersize=4.6 if look.marker == "*" else 3.2, linestyle="", clip_on=False,
            )  # fmt: skip
            figure.marks[dot] = Mark(arm, tip)


def _recipe_handles(points: pd.DataFrame, words: Words) -> list[Any]:
    """Return an entry of the legend for each recipe, if there are several."""
    recipes = [*points["recipe"].dropna().unique()]
    return [
        handle(Look("#000000", ""), words("recipe {name}", name=recipe), dash)
        for recipe, dash in zip(recipes, cycle(DASHES), strict=False)
        if len(recipes) > 1
    ]
