"""Scores that are no result of a run are marked, and take no part in comparisons."""

import json
import warnings
from pathlib import Path

import pandas as pd
import pytest

from lit_effnet.results.figures.noise import noise_points
from lit_effnet.results.frame.columns import clean_rows
from lit_effnet.results.frame.narrowing import narrowed_line
from lit_effnet.results.frame.table import load
from lit_effnet.results.report.sections import sections_of
from lit_effnet.results.stats.estimates import repeats
from lit_effnet.results.stats.learning_rates import best_rates
from tests.results.runs import make_run

STALE = "perhaps scores of earlier weights"


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ("limit_val_batches: null", None),
        ("limit_val_batches: 1.0", None),
        ("limit_val_batches: 1", "limit_val_batches 1"),
        ("limit_val_batches: 0.5", "limit_val_batches 0.5"),
        ("fast_dev_run: false\n  overfit_batches: 0.0\n  max_steps: -1", None),
        ("fast_dev_run: true", "fast_dev_run true"),
        ("overfit_batches: 1", "overfit_batches 1"),
        ("check_val_every_n_epoch: 2", None),  # of two epochs
        ("check_val_every_n_epoch: 3", f"check_val_every_n_epoch 3: {STALE}"),
        ("check_val_every_n_epoch: null", f"check_val_every_n_epoch null: {STALE}"),
        ("val_check_interval: 5", f"val_check_interval 5: {STALE}"),
        ("max_steps: 7", f"max_steps 7: {STALE}"),
    ],
)
def test_an_older_run_is_judged_by_its_flags(flags: str, told: str | None, tmp_path: Path) -> None:
    run = make_run(tmp_path / "a")
    (run / "config.yaml").write_text(f"trainer:\n  {flags}\n")
    (row,) = load([run]).frame.to_dict("records")
    assert (None if pd.isna(row["narrowed"]) else row["narrowed"]) == told


def test_a_record_that_knows_is_believed_and_not_the_flags(tmp_path: Path) -> None:
    run = make_run(
        tmp_path / "a", narrowed={}, metrics={"val/top1": 0.5, "val/images": 40.0},
    )  # fmt: skip
    (run / "config.yaml").write_text("trainer:\n  check_val_every_n_epoch: 3\n")
    frame = load([run]).frame
    assert frame["narrowed"].isna().all()
    assert frame["images"].to_list() == [40]


def test_an_evaluation_on_the_whole_split_is_narrowed_by_the_training_alone(tmp_path: Path) -> None:
    known = {"training": "overfit_batches 1", "validation": "8 of 40 images"}
    make_run(tmp_path / "g" / "a", {}, narrowed=known)
    make_run(tmp_path / "g" / "b", {}, narrowed={"validation": "8 of 40 images"})
    told = load([tmp_path]).frame.set_index("id")["narrowed"].fillna("").to_dict()
    assert told == {"a": "overfit_batches 1", "b": ""}


@pytest.mark.parametrize(
    ("flags", "limit"),
    [
        ("limit_train_batches: null", "all"),
        ("limit_train_batches: 3\n  max_steps: 9", "3; max_steps 9"),
        ("limit_train_batches: null\n  overfit_batches: 2", "all; overfit_batches 2"),
        ("limit_train_batches: null\n  max_time: 00:01:00:00", "all; max_time 00:01:00:00"),
    ],
)
def test_what_limits_the_training_makes_another_arm(flags: str, limit: str, tmp_path: Path) -> None:
    run = make_run(tmp_path / "a")
    (run / "config.yaml").write_text(f"trainer:\n  {flags}\n")
    assert load([run]).frame["training_limit"].to_list() == [limit]


@pytest.fixture
def frame(tmp_path: Path) -> pd.DataFrame:
    """Two seeds of an arm at two rates, and a third seed whose scores are narrowed."""
    for seed in range(3):
        for rate in (0.1, 0.2):
            narrowed = {"validation": "8 of 40 images"} if seed == 2 else {}
            make_run(
                tmp_path / "g" / f"{seed}-{rate}",
                seed=seed,
                recipe={"name": "quick", "learning_rate": rate},
                metrics={"val/top1": 0.9 if seed == 2 else rate},
                narrowed=narrowed,
            )
    return load([tmp_path]).frame


def test_narrowed_rows_are_left_out_in_one_line(frame: pd.DataFrame) -> None:
    line = "left out of comparisons: 2 runs with narrowed scores (8 of 40 images)"
    assert narrowed_line(frame) == line
    with pytest.warns(UserWarning, match="2 runs with narrowed scores") as warned:
        assert set(clean_rows(frame)["seed"]) == {0, 1}
    assert len(warned) == 1
    one_rate = frame[frame["learning_rate"] == 0.1]
    found = repeats(one_rate)
    assert found.values == {"baseline": {0: 0.1, 1: 0.1}}
    assert found.left_out == {"narrowed scores": 1}
    with pytest.warns(UserWarning, match="left out of comparisons"):
        assert best_rates(frame).of_arm == {"baseline": 0.2}
    with pytest.raises(ValueError, match=r"have none; left out of comparisons: 2 runs"):
        clean_rows(frame[frame["seed"] == 2])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clean_rows(frame[frame["seed"] < 2])


def test_the_report_lists_narrowed_runs_with_the_unfinished_ones(frame: pd.DataFrame) -> None:
    (section,) = sections_of(frame[frame["learning_rate"] == 0.1])
    assert section.clean["seed"].to_list() == [0, 1]
    told = section.runs.set_index("seed")[["status", "reason"]]
    assert told.loc[2].to_list() == ["narrowed", "8 of 40 images"]


def test_a_noise_curve_is_of_runs_that_are_not_narrowed(tmp_path: Path) -> None:
    noise = {"condition": "gaussian_noise", "parameters": {"sigma": 0.1}, "made_at": "reference"}
    for seed, trial in ((0, {}), (1, {"training": "overfit_batches 1"})):
        make_run(tmp_path / "g" / f"{seed}", {}, noise, seed=seed, narrowed=trial)
    assert noise_points(load([tmp_path]).frame)["n"].to_list() == [1, 1]


def test_a_run_that_only_wandb_knows_is_judged_by_its_flags() -> None:
    from lit_effnet.results.frame.wandb_runs import row_of_run

    config = {
        "scaling": {}, "model": {"name": "efficientnet"}, "data": {"name": "photos"},
        "trainer": {"limit_val_batches": 2, "fast_dev_run": False, "max_steps": -1},
    }  # fmt: skip
    row = row_of_run(
        json.loads(json.dumps(config)), {"val/top1": 0.5},
        run="r", name="r", group=None, status="finished", started=None,
    )  # fmt: skip
    assert row["narrowed"] == "limit_val_batches 2"
