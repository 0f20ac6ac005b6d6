"""How accuracy falls with Gaussian noise, for each arm and recipe."""

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lit_effnet.results.figures.drawing import (
    COLOURS,
    COLUMN_IN,
    GREY,
    MARKERS,
    OTHER_MARKERS,
    OTHERS,
    PERCENT,
    ROUNDED,
    TOP1,
    Words,
    axis_of,
    canvas,
    legend,
    note,
    repeats_note,
    value_axis,
)
from lit_effnet.results.figures.pareto import SIZE
from lit_effnet.results.frame.records import FINISHED
from lit_effnet.results.stats.estimates import FRACTION, estimate, repeats

NOISE = "gaussian_noise"
PARTS = ("clean", NOISE)
TRAINED = "trained"  # where batch norm's statistics come from, unless it was recalibrated
SIGMA = "sigma of Gaussian noise (pixels from 0 to 1)"
Look = tuple[str, str]  # a colour and a marker
DASHES: Any = ("-", "--", ":", "-.")


def noise_points(frame: pd.DataFrame) -> pd.DataFrame:
    """A row for each arm, recipe and sigma: mean of top-1, its interval and the repeats.

    Sigma 0 is the clean row that took the same way as the noisy ones.

    Args:
        frame: Rows of runs of one data set.

    Raises:
        ValueError: no finished run was evaluated under Gaussian noise, or runs of one arm are no
            repeats of each other.
    """
    known = frame[(frame["status"] == FINISHED) & frame["condition"].isin(PARTS)]
    known = known[known["newest"].fillna(value=True) & known["severity"].isna()]
    known = known[known["narrowed"].isna() & known["own"].fillna(value=True)]
    known = known[known["batch_norm"].fillna(TRAINED).eq(TRAINED)]
    noisy = known[known["condition"] == NOISE]
    if noisy.empty:
        raise ValueError(
            "runs: must have a finished one evaluated under noise, and have none; "
            "`python -m lit_effnet.evaluate runs/photos/RUN --conditions clean,noise` makes them"
        )
    made = noisy["made_at"].iloc[0]
    same_way = known["made_at"].isna() | known["made_at"].eq(made)
    known = known[known["run"].isin(noisy["run"]) & same_way]
    # Of two clean rows that which took the way of the noisy ones is the curve's beginning.
    clean = known[known["condition"] != NOISE].sort_values("made_at", na_position="last")
    known = pd.concat([noisy, clean.drop_duplicates("run")])
    sigmas = [float(json.loads(text).get("sigma", 0.0)) for text in known["condition_parameters"]]
    known = known.assign(sigma=sigmas, made_at=made)
    rows = []
    for (arm, recipe, sigma), some in known.groupby(["arm", "recipe", "sigma"], dropna=False):
        values = repeats(some).values.get(str(arm), {})
        found = estimate([*values.values()], bounds=FRACTION)
        low, high = (found.t.low, found.t.high) if found.t else (None, None)
        row = {"arm": arm, "recipe": recipe, "sigma": sigma, "top1": found.mean}
        rows.append(row | {"low": low, "high": high, "n": found.n, "macs": some["macs"].median()})
    kinds: Any = {**dict.fromkeys(("top1", "low", "high"), "float64"), "n": "Int64"}
    return pd.DataFrame(rows).astype(kinds).sort_values(["macs", "arm", "recipe", "sigma"])


def noise_figure(frame: pd.DataFrame, *, width_in: float = COLUMN_IN, words: Words = str) -> Figure:
    """Accuracy over sigma, a curve for each arm and recipe with a band of its interval.

    More arms than there are colours have a panel for each axis, the baseline in all.

    Args:
        frame: Rows of runs of one data set.
        width_in: Width in inches.
        words: Translates labels.

    Raises:
        ValueError: no finished run was evaluated under Gaussian noise.
    """
    points = noise_points(frame)
    arms = [*points["arm"].unique()]
    if len(arms) > len(OTHERS):
        return _figure_by_axis(points, width_in, words)
    looks = {arm: _look(arm, arms) for arm in arms}
    with canvas(width_in, 0.85 * width_in + 0.14 * len(arms)) as (figure, (panel,)):
        _curves(panel, points, looks)
        value_axis(panel, words(TOP1))
        panel.set_xlabel(words(SIGMA))
        legend(figure, [*_handles(looks, words), *_recipe_handles(points, words)])
        note(figure, [_bands_note(points, words)])
    return figure


def _figure_by_axis(points: pd.DataFrame, width_in: float, words: Words) -> Figure:
    """A panel for each axis, its arms from light to dark by cost."""
    axes = {str(arm): axis_of(str(arm).removesuffix(ROUNDED)) for arm in points["arm"].unique()}
    base = [arm for arm, axis in axes.items() if axis == "baseline"]
    shown = [*dict.fromkeys(axis for axis in (*COLOURS, None) if axis in axes.values())]
    shown = [axis for axis in shown if axis != "baseline"] or shown
    shape = (-(-len(shown) // 2), min(2, len(shown)))
    shared: Any = {"sharex": True, "sharey": True}
    with canvas(width_in, 0.36 * width_in * shape[0] + 0.3, shape, **shared) as (figure, panels):
        for panel, axis in zip(panels, shown, strict=False):
            arms = [arm for arm, of in axes.items() if of == axis]
            looks = dict.fromkeys(base, (COLOURS["baseline"], MARKERS["baseline"]))
            for place, arm in enumerate(arms):
                shade = (place + 1) / len(arms)
                colour = _shade(COLOURS[axis] if axis else GREY, shade)
                looks[arm] = colour, OTHER_MARKERS[place % len(OTHER_MARKERS)]
            _curves(panel, points[points["arm"].isin([*looks])], looks)
            value_axis(panel)
            panel.set_title(words(axis or "other"), loc="left")
            panel.legend(
                handles=[*_handles(looks, words), *_recipe_handles(points, words)],
                loc="upper right", frameon=False, fontsize=SIZE - 1.5, handlelength=1.2,
                handletextpad=0.3, labelspacing=0.2, borderpad=0.1,
            )  # fmt: skip
        for panel in panels[len(shown) :]:
            panel.set_axis_off()
        low, high = panels[0].get_ylim()
        panels[0].set_ylim(low, high + 0.3 * (high - low))  # for the names
        figure.supylabel(words(TOP1), fontsize=SIZE)
        note(figure, ["; ".join((words(SIGMA), _bands_note(points, words)))])
    return figure


def _curves(panel: Axes, points: pd.DataFrame, looks: Mapping[str, Look]) -> None:
    """Draw the curves and their bands."""
    recipes = [*points["recipe"].unique()]
    for (arm, recipe), some in points.groupby(["arm", "recipe"], dropna=False, sort=False):
        colour, marker = looks[str(arm)]
        dash = DASHES[recipes.index(recipe) % len(DASHES)]
        style: Any = {"color": colour, "linestyle": dash, "linewidth": 1.0}
        panel.plot(some["sigma"], PERCENT * some["top1"], marker=marker, markersize=3.2, **style)
        band = [PERCENT * some[side].to_numpy(float) for side in ("low", "high")]
        panel.fill_between(some["sigma"].to_numpy(float), *band, color=colour, alpha=0.13, lw=0)


def _handles(looks: Mapping[str, Look], words: Words) -> list[Line2D]:
    """What each arm looks like."""
    return [
        Line2D([], [], color=colour, marker=marker, markersize=4, linewidth=1, label=words(arm))
        for arm, (colour, marker) in looks.items()
    ]


def _recipe_handles(points: pd.DataFrame, words: Words) -> list[Line2D]:
    """What each recipe looks like, where there are several."""
    recipes = [*points["recipe"].unique()]
    if len(recipes) < 2:
        return []
    named = [words("recipe {name}").format(name=recipe) for recipe in recipes]
    dashes = [DASHES[index % len(DASHES)] for index in range(len(recipes))]
    return [
        Line2D([], [], color="black", linestyle=dash, linewidth=1, label=name)
        for dash, name in zip(dashes, named, strict=True)
    ]


def _bands_note(points: pd.DataFrame, words: Words) -> str:
    at_zero = points.drop_duplicates(["arm", "recipe"])
    return repeats_note(at_zero, words).replace(words("bars"), words("bands"))


def _shade(colour: str, part: float) -> str:
    """A colour mixed with white, of which `part` is the colour's."""
    lightest = 0.35
    own = lightest + (1 - lightest) * part
    red, green, blue = (1 - own * (1 - channel) for channel in to_rgb(colour))
    return to_hex((red, green, blue))


def _look(arm: str, arms: list[str]) -> Look:
    """Colour and marker of an arm: of its axis where no other arm has that, else of its place."""
    axes = [axis_of(other) for other in arms]
    axis = axis_of(arm)
    if axis is not None and None not in axes and len({*axes}) == len(axes):
        return COLOURS[axis], MARKERS[axis]
    index = arms.index(arm)
    return OTHERS[index % len(OTHERS)], OTHER_MARKERS[index % len(OTHER_MARKERS)]
