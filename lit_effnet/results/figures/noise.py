"""Accuracy under Gaussian noise, for each arm and recipe."""

import json
from typing import Any

import pandas as pd

from lit_effnet.results.figures.curves import curves_figure
from lit_effnet.results.figures.drawing import (
    COLUMN_IN,
    Looks,
    MarkedFigure,
    Words,
    english,
    repeats_note,
)
from lit_effnet.results.frame.records import FINISHED
from lit_effnet.results.stats.estimates import CONFIDENCE, FRACTION, estimate, repeats

NOISE = "gaussian_noise"
PARTS = ("clean", NOISE)
TRAINED = "trained"  # source of batch norm's statistics, unless they were adapted
SIGMA = "sigma of Gaussian noise (pixels from 0 to 1)"
BANDS = "bands: {confidence:g} % interval of the mean, n = {n}"


def noise_points(
    frame: pd.DataFrame, value: str = "top1", *, confidence: float = CONFIDENCE
) -> pd.DataFrame:
    """Return a row for each arm, recipe and sigma: mean accuracy, its interval and repeats.

    Sigma 0 is the clean row that was prepared like the noisy ones.

    Args:
        frame: Rows of runs of one data set.
        value: Column of the accuracy.
        confidence: Confidence of the intervals.

    Raises:
        ValueError: no finished run was evaluated under Gaussian noise, or runs of an arm are no
            repeats of each other.
    """
    known = frame[(frame["status"] == FINISHED) & frame["condition"].isin(PARTS)]
    known = known[known["newest"].fillna(value=True) & known["severity"].isna()]
    known = known[known["narrowed"].isna() & known["own"].fillna(value=True)]
    known = known[known["batch_norm"].fillna(TRAINED).eq(TRAINED) & known[value].notna()]
    noisy = known[known["condition"] == NOISE]
    if noisy.empty:
        raise ValueError(
            "runs: must have a finished one evaluated under noise, and have none; "
            "`python -m lit_effnet.evaluate runs/photos/RUN --conditions clean,noise` makes them"
        )
    made_at = noisy["made_at"].iloc[0]
    alike = known["made_at"].isna() | known["made_at"].eq(made_at)
    known = known[known["run"].isin(noisy["run"]) & alike]
    # Of two clean rows the curve begins with the one that was prepared like the noisy ones.
    clean = known[known["condition"] != NOISE].sort_values("made_at", na_position="last")
    known = pd.concat([noisy, clean.drop_duplicates("run")])
    sigmas = [float(json.loads(text).get("sigma", 0.0)) for text in known["condition_parameters"]]
    known = known.assign(sigma=sigmas, made_at=made_at)
    rows = []
    for (arm, recipe, sigma), group in known.groupby(["arm", "recipe", "sigma"], dropna=False):
        values = repeats(group, value).values.get(str(arm), {})
        mean = estimate([*values.values()], confidence, FRACTION)
        low, high = (mean.t.low, mean.t.high) if mean.t else (None, None)
        row = {"arm": arm, "recipe": recipe, "sigma": sigma, value: mean.mean, "n": mean.n}
        row |= {"low": low, "high": high, "macs": group["macs"].median()}
        rows.append(row | {name: group[name].iloc[0] for name in ("axis", "rounding")})
    kinds: Any = {**dict.fromkeys((value, "low", "high"), "float64"), "n": "Int64"}
    return pd.DataFrame(rows).astype(kinds).sort_values(["macs", "arm", "recipe", "sigma"])


def noise_figure(
    frame: pd.DataFrame,
    value: str = "top1",
    *,
    confidence: float = CONFIDENCE,
    width_in: float = COLUMN_IN,
    words: Words = english,
    looks: Looks | None = None,
) -> MarkedFigure:
    """Draw accuracy over the standard deviation of the noise, a curve for each arm and recipe.

    Args:
        frame: Rows of runs of one data set.
        value: Column of the accuracy.
        confidence: Confidence of the intervals.
        width_in: Width in inches.
        words: Translates labels.
        looks: Look of each arm; None for the default.

    Raises:
        ValueError: no finished run was evaluated under Gaussian noise.
    """
    points = noise_points(frame, value, confidence=confidence)
    curves = points.drop_duplicates(["arm", "recipe"])
    notes = repeats_note(curves, words, BANDS, confidence=confidence)
    return curves_figure(
        points, "sigma", SIGMA, value, notes=notes, width_in=width_in, words=words, looks=looks
    )
