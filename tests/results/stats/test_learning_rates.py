"""Each arm's learning rate, by equal trials."""

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from lit_effnet.results.frame.table import load
from lit_effnet.results.stats.learning_rates import Rates, best_rates
from tests.results.runs import make_run

TOP1 = {
    ("baseline", 0.2): 0.5,
    ("baseline", 0.4): 0.6,
    ("width 2", 0.2): 0.7,
    ("width 2", 0.4): 0.7,
}


def runs(folder: Path, **changes: Any) -> pd.DataFrame:
    for index, ((arm, rate), top1) in enumerate(TOP1.items()):
        recipe = {"name": "plain", "learning_rate": rate}
        told = {"arm": arm, "recipe": recipe, "metrics": {"val/top1": top1}}
        make_run(folder / "group" / f"{index}", **(told | changes if index == 3 else told))
    return load([folder]).frame


def test_the_best_rate_of_each_arm_is_found_and_the_lower_of_equal_ones(tmp_path: Path) -> None:
    macs = {"baseline": 2000.0, "width 2": 2000.0}
    best = {"baseline": 0.4, "width 2": 0.2}
    assert best_rates(runs(tmp_path)) == Rates(best, "plain", None, "photos", macs)


def test_repeats_are_averaged(tmp_path: Path) -> None:
    frame = runs(tmp_path)
    again = frame.assign(run=frame["run"] + "b", seed=1, top1=frame["top1"].to_numpy()[::-1] / 2)
    # 0.5 + 0.35 and 0.6 + 0.35; 0.7 + 0.3 and 0.7 + 0.25.
    assert best_rates(pd.concat([frame, again])).of_arm == {"baseline": 0.4, "width 2": 0.2}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"status": "failed"}, "equal trials of each arm, and 'width 2' lacks rate 0.4, seed 0"),
        ({"seed": 1}, "equal trials of each arm, and 'baseline' lacks rate 0.4, seed 1"),
        ({"max_epochs": 9}, "one planned_epochs"),
        ({"recipe": {"name": "quick", "learning_rate": 0.4}}, "one recipe, and holds plain, quick"),
    ],
)
def test_unequal_trials_are_refused(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        best_rates(runs(tmp_path, **changes))


def test_a_diverged_run_is_a_trial_and_the_worst(tmp_path: Path) -> None:
    error = "the loss became nan in epoch 1, batch 3"
    frame = runs(tmp_path, status="failed", error=error, metrics={}, seed=0)
    assert best_rates(frame).of_arm == {"baseline": 0.4, "width 2": 0.2}
    frame.loc[frame["arm"] == "width 2", "learning_rate"] = [0.4, 0.2]
    assert best_rates(frame).of_arm == {"baseline": 0.4, "width 2": 0.4}


def test_rows_of_other_views_choose_nothing(tmp_path: Path) -> None:
    """Batch norm that was told what the images look like, and corrupted images, are no result."""
    frame = runs(tmp_path)
    other = frame[frame["learning_rate"] == 0.2].assign(top1=0.99, batch_norm="recalibrated")
    noisy = other.assign(batch_norm="trained", condition="fog")
    assert best_rates(pd.concat([frame, other, noisy])) == best_rates(frame)


def test_one_rate_is_no_choice(tmp_path: Path) -> None:
    frame = runs(tmp_path)
    with pytest.raises(ValueError, match="two learning rates at least, and holds 1"):
        best_rates(frame[frame["learning_rate"] == 0.2])
    with pytest.raises(ValueError, match="holds 0"):
        best_rates(frame[:0])
