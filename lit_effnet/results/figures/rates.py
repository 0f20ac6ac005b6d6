"""Accuracy of each arm at each learning rate."""

import pandas as pd

from lit_effnet.results.figures.curves import curves_figure
from lit_effnet.results.figures.drawing import COLUMN_IN, Looks, MarkedFigure, Words, english
from lit_effnet.results.stats.learning_rates import trials

RATE = "learning_rate"


def rates_figure(
    frame: pd.DataFrame,
    value: str = "top1",
    *,
    width_in: float = COLUMN_IN,
    words: Words = english,
    looks: Looks | None = None,
) -> MarkedFigure:
    """Draw accuracy over the learning rate, a curve for each arm; diverged runs count as 0.

    Args:
        frame: Rows of runs that differ in arm, learning rate and seed only.
        value: Accuracy.
        width_in: Width in inches.
        words: Translates labels.
        looks: Look of each arm; None for the default.

    Raises:
        ValueError: there are no two learning rates.
    """
    rows = trials(frame, value)
    if rows[RATE].nunique() < 2:
        raise ValueError(f"runs: must have two learning rates, and have {rows[RATE].nunique()}")
    kept = dict.fromkeys(("axis", "rounding", "recipe", "macs"), "first")
    points = rows.groupby(["arm", RATE], sort=False).agg({value: "mean", "run": "nunique", **kept})
    points = points.rename(columns={"run": "n"}).reset_index()
    points = points.assign(low=float("nan"), high=float("nan"))
    return curves_figure(
        points, RATE, "learning rate for 256 images", value,
        notes=[words("means over the runs of an arm")],
        log=True, width_in=width_in, words=words, looks=looks,
    )  # fmt: skip
