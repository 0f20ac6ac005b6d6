"""The learning rate of each arm, chosen by equal trials."""

import pandas as pd

from lit_effnet.results.records import FINISHED


def best_rates(frame: pd.DataFrame) -> dict[str, float]:
    """The rate at which each arm's mean validation top-1 was the highest, the lower of equal ones.

    Args:
        frame: Rows of runs that differ in arm, learning rate and random seed only.

    Raises:
        ValueError: there are no two rates, other things differ, or an arm lacks a trial that
            another one has: with more trials it would be favoured.
    """
    clean = (frame["condition"] == "clean") & (frame["split"] == "validation")
    rows = frame[(frame["status"] == FINISHED) & clean & frame["top1"].notna()]
    rows = rows.dropna(subset=["learning_rate"]).drop_duplicates("run", keep="last")
    rates = sorted(rows["learning_rate"].unique())
    if len(rates) < 2:
        raise ValueError(f"must hold runs of two learning rates at least, and holds {len(rates)}")
    for name in ("data_fingerprint", "recipe", "planned_epochs", "training_limit"):
        if rows[name].nunique(dropna=False) > 1:
            some = ", ".join(map(str, rows[name].unique()[:2]))
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
    means = rows.groupby(["arm", "learning_rate"])["top1"].mean()
    return {arm: float(means[arm].idxmax()) for arm in tried}
