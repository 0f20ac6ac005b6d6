"""Scores that are no result of a run: of a part of a split, of earlier weights, or of a trial.

Run records say so. For older runs and runs that only W&B has, it follows from the trainer's flags.
"""

import re
from collections.abc import Mapping

import pandas as pd

ALL = "all"  # batches
UNSET = ("null", "None", "0", "0.0", "false", "False", "-1")
TRIALS = ("fast_dev_run", "overfit_batches")
LIMITS = {"validation": "limit_val_batches", "test": "limit_test_batches"}

NARROWED = "narrowed"  # status of such rows in a report

Flags = Mapping[str, str]


def flags_of(config: str) -> dict[str, str]:
    """Return the flags in the text of a run's configuration, those of all groups together."""
    return dict(re.findall(r"^  (\w+): (\S+)$", config, re.MULTILINE))


def limit_of(flags: Flags, name: str) -> str | None:
    """Return what batches are limited to: `all` without a limit, None where it is not known."""
    value = flags.get(name)
    return ALL if value in ("null", "None", "1.0") else value


def training_limit(flags: Flags) -> str | None:
    """Return what limits the batches of an epoch and, besides epochs, the training's length."""
    limit = limit_of(flags, "limit_train_batches")
    others = [text for name in (*TRIALS, "max_steps", "max_time") if (text := _text(flags, name))]
    return "; ".join([*([limit] if limit else []), *others]) or None


def narrowed_by(flags: Flags, epochs: int | None) -> dict[str, str]:
    """Return why an older run's scores may be no result, by `training` or by split.

    Args:
        flags: Flags of the run's trainer.
        epochs: Number of trained epochs.
    """
    trials = [text for name in TRIALS if (text := _text(flags, name))]
    reasons = {"training": "; ".join(trials)} if trials else {}
    for split, name in LIMITS.items():
        if limit_of(flags, name) != ALL and (text := _text(flags, name)):
            reasons[split] = text
    every = flags.get("check_val_every_n_epoch", "1")
    stale = [text for name in ("val_check_interval", "max_steps") if (text := _text(flags, name))]
    if not every.isdecimal() or (epochs is not None and epochs % max(1, int(every))):
        stale.append(f"check_val_every_n_epoch {every}")
    if stale and "validation" not in reasons:
        reasons["validation"] = f"{', '.join(stale)}: perhaps scores of earlier weights"
    return reasons


def narrowed_line(frame: pd.DataFrame) -> str:
    """Return which finished runs take no part in comparisons, in a line; empty without any."""
    rows = frame[frame["narrowed"].notna() & frame["status"].isin(("finished", NARROWED))]
    if rows.empty:
        return ""
    reasons = list(rows["narrowed"].unique())
    some = ", ".join(reasons[:2]) + (", ..." if len(reasons) > 2 else "")
    count = rows["run"].nunique()
    runs = f"{count} run{'s' * (count > 1)}"
    return f"left out of comparisons: {runs} with narrowed scores ({some})"


def _text(flags: Flags, name: str) -> str:
    value = flags.get(name)
    whole = value == "1.0" and name == "val_check_interval"  # of an epoch
    return "" if value is None or value in UNSET or whole else f"{name} {value}"
