"""How accuracy falls with Gaussian noise, for each arm and recipe."""

import json
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from lit_effnet.results.figures.drawing import (
    COLOURS,
    COLUMN_IN,
    MARKERS,
    OTHER_MARKERS,
    OTHERS,
    PERCENT,
    TOP1,
    Words,
    axis_of,
    canvas,
    legend,
    note,
    repeats_note,
    value_axis,
)
from lit_effnet.results.records import FINISHED
from lit_effnet.results.statistics import FRACTION, estimate, repeats

NOISE = "gaussian_noise"
PARTS = ("clean", NOISE)
TRAINED = "trained"  # where batch norm's statistics come from, unless it was recalibrated
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
    known = known[known["own"].fillna(value=True) & known["batch_norm"].fillna(TRAINED).eq(TRAINED)]
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

    Args:
        frame: Rows of runs of one data set.
        width_in: Width in inches.
        words: Translates labels.

    Raises:
        ValueError: no finished run was evaluated under Gaussian noise.
    """
    points = noise_points(frame)
    recipes = [*points["recipe"].unique()]
    arms = [*points["arm"].unique()]
    looks = {arm: _look(arm, arms) for arm in arms}
    with canvas(width_in, 0.85 * width_in + 0.14 * len(arms)) as (figure, (panel,)):
        for (arm, recipe), some in points.groupby(["arm", "recipe"], dropna=False, sort=False):
            colour, marker = looks[arm]
            dash = DASHES[recipes.index(recipe) % len(DASHES)]
            style: Any = {"color": colour, "linestyle": dash, "linewidth": 1.0}
            panel.plot(
                some["sigma"], PERCENT * some["top1"], marker=marker, markersize=3.2, **style
            )
            band = [PERCENT * some[side].to_numpy(float) for side in ("low", "high")]
            panel.fill_between(some["sigma"].to_numpy(float), *band, color=colour, alpha=0.13, lw=0)
        value_axis(panel, words(TOP1))
        panel.set_xlabel(words("sigma of Gaussian noise (pixels from 0 to 1)"))
        handles = [
            Line2D([], [], color=colour, marker=marker, markersize=4, linewidth=1, label=words(arm))
            for arm, (colour, marker) in looks.items()
        ]
        if len(recipes) > 1:
            handles += [
                Line2D(
                    [],
                    [],
                    color="black",
                    linestyle=DASHES[index % len(DASHES)],
                    linewidth=1,
                    label=words("recipe {name}").format(name=recipe),
                )
                for index, recipe in enumerate(recipes)
            ]
        legend(figure, handles)
        at_zero = points.drop_duplicates(["arm", "recipe"])
        text = repeats_note(at_zero, words).replace(words("bars"), words("bands"))
        note(figure, [text])
    return figure


def _look(arm: str, arms: list[str]) -> tuple[str, str]:
    """Colour and marker of an arm: of its axis where no other arm has that, else of its place."""
    axes = [axis_of(other) for other in arms]
    axis = axis_of(arm)
    if axis is not None and None not in axes and len({*axes}) == len(axes):
        return COLOURS[axis], MARKERS[axis]
    index = arms.index(arm)
    return OTHERS[index % len(OTHERS)], OTHER_MARKERS[index % len(OTHER_MARKERS)]
