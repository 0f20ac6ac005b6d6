"""Experiments within a group of runs: what a sweep does not vary is the same for all of its runs.

Folders and files of results may be pooled by their group's name although their baselines, batch
sizes or devices differ. Each such experiment has an answer of its own, and corrects for its own
comparisons.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from lit_effnet.results.frame.records import FINISHED
from lit_effnet.results.frame.run_parts import config_of
from lit_effnet.results.report.plan import parameters_of

DEVICE = "device"
BASELINE = ("scaling.base_depth", "scaling.base_width")
# Sections of which every flag is a setting, and flags of others; but not what follows from an arm.
WHOLE = ("scaling", "model", "recipe", "weights")
FLAGS = (
    *("data.image_size", "data.subset"),
    *("trainer.precision", "trainer.gradient_clip_val", "trainer.gradient_clip_algorithm"),
)
# The rate is chosen for each arm; lengths make sections of their own, and so does the batch size.
LEFT_OUT = (
    *("recipe.learning_rate", "recipe.epochs", "recipe.steps", "recipe.global_batch"),
    "scaling.arm",
)
# A column, and the flags by which a sweep may vary it.
BATCH = "global_batch"
BATCH_FLAGS = {
    *("data.batch_size", "recipe.global_batch", "trainer.devices", "trainer.num_nodes"),
    "trainer.accumulate_grad_batches",
}
CONFIG = "config"  # a parameter that names a file, which sets anything


def experiments_of(rows: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, tuple[str, ...]]]:
    """Yield the rows of each experiment, and its settings where another one has others.

    Args:
        rows: Of one group.
    """
    runs = rows.drop_duplicates("run")
    settings = {str(row["run"]): _settings(row) for row in runs.to_dict("records")}
    differing = [
        name
        for name in dict.fromkeys(name for of_run in settings.values() for name in of_run)
        if len({repr(of_run[name]) for of_run in settings.values() if name in of_run}) > 1
        and (name != DEVICE or _repeated(runs))
    ]
    told = {
        run: tuple(_shown(name, of_run[name]) for name in differing if name in of_run)
        for run, of_run in settings.items()
    }
    labels = rows["run"].map(told)
    for label in sorted(dict.fromkeys(labels)):
        yield rows[[one == label for one in labels]], label


def _settings(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a run shares with its experiment, as far as they are recorded."""
    run = str(row["run"])
    point = parameters_of(run)
    found: dict[str, Any] = {}
    if not pd.isna(row[DEVICE]):
        found[DEVICE] = str(row[DEVICE])
    if CONFIG in point:
        return found
    if not pd.isna(row[BATCH]) and point and not BATCH_FLAGS & point.keys():
        found[BATCH] = int(row[BATCH])
    for name, value in config_of(run).items():
        # What a person varies by hand is an arm, but for the network that arms scale.
        is_setting = name.split(".")[0] in WHOLE or name in FLAGS if point else name in BASELINE
        if is_setting and name not in LEFT_OUT and name not in point:
            found[name] = value
    return found


def _repeated(runs: pd.DataFrame) -> bool:
    """Return whether two devices have finished the same trial."""
    done = runs[(runs["status"] == FINISHED) & runs[DEVICE].notna()]
    trials = [
        json.dumps([row["arm"], str(row["seed"]), parameters_of(str(row["run"]))], sort_keys=True)
        for row in done.to_dict("records")
    ]
    return bool((done[DEVICE].groupby(trials).nunique() > 1).any())


def _shown(name: str, value: Any) -> str:
    """Return a setting as text: the name of the device, "base_depth 0.6", "recipe paper"."""
    leaf = name.removesuffix(".name").rsplit(".", 1)[-1]
    return str(value) if name == DEVICE else f"{leaf} {value}"
