"""The learning rate of each arm, chosen by equal trials."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from lit_effnet.results.frame.columns import clean_rows
from lit_effnet.results.frame.records import FINISHED

# Of these all runs must have one, so that rates alone differ.
SAME = (
    *("data_fingerprint", "recipe", "began_with", "global_batch"),
    *("planned_epochs", "training_limit"),
)
UNKNOWN_IN_OLD_RUNS = "global_batch"
DIVERGED = "the loss became"  # nan, say: so begins the reason of such a run


@dataclass(frozen=True)
class Rates:
    """Learning rates that a sweep chose for its arms.

    Args:
        of_arm: Learning rate of each arm, by its name in runs.
        recipe: Recipe of the runs; rates of other recipes have another scale.
        began_with: Weights at the start of training; None for random weights.
        data: Data set of the runs.
        macs: MACs of each arm's network.
    """

    of_arm: Mapping[str, float] = field(default_factory=dict)
    recipe: str = ""
    began_with: str | None = None
    data: str = ""
    macs: Mapping[str, float] = field(default_factory=dict)


def trials(frame: pd.DataFrame, value: str = "top1") -> pd.DataFrame:
    """Return one row per trial of a rate: finished runs on clean images, and diverged runs as 0."""
    diverged = frame["reason"].fillna("").str.startswith(DIVERGED) & (frame["status"] != FINISHED)
    at_zero = frame[diverged].drop_duplicates("run").assign(**{value: 0.0})
    finished = clean_rows(frame) if (frame["status"] == FINISHED).any() else frame[:0]
    rows = pd.concat([finished.drop_duplicates("run", keep="last"), at_zero])
    return rows.dropna(subset=["learning_rate", "seed"])


def best_rates(frame: pd.DataFrame, value: str = "top1") -> Rates:
    """Return for each arm the rate with the best mean validation accuracy; the lower one on a tie.

    A run whose loss was not finite counts as a trial with accuracy 0.

    Args:
        frame: Rows of runs that differ only in arm, learning rate and seed.
        value: Accuracy to maximise.

    Raises:
        ValueError: There are fewer than two rates, or arms have unequal numbers of trials.
    """
    rows = trials(frame, value)
    rates = sorted(rows["learning_rate"].unique())
    if len(rates) < 2:
        raise ValueError(f"must hold runs of two learning rates at least, and holds {len(rates)}")
    for name in SAME:
        known = rows[name].dropna() if name == UNKNOWN_IN_OLD_RUNS else rows[name]
        if known.nunique(dropna=False) > 1:
            some = ", ".join(map(str, known.unique()[:2]))
            raise ValueError(f"must hold runs of one {name}, and holds {some}")
    tried = {
        str(arm): {*zip(of_arm["learning_rate"], of_arm["seed"], strict=True)}
        for arm, of_arm in rows.groupby("arm", sort=False)
    }
    every = set().union(*tried.values())
    for arm, had in tried.items():
        for rate, seed in sorted(every - had):
            raise ValueError(
                f"must hold equal trials of each arm, and {arm!r} lacks rate {rate:g}, seed {seed}"
            )
    means = rows.groupby(["arm", "learning_rate"])[value].mean()
    first = rows.iloc[0]
    began_with = None if pd.isna(first["began_with"]) else str(first["began_with"])
    best = {arm: float(means[arm].idxmax()) for arm in tried}
    macs = rows.groupby("arm")["macs"].first().dropna().astype(float).to_dict()
    return Rates(best, str(first["recipe"]), began_with, str(first["data"]), macs)
