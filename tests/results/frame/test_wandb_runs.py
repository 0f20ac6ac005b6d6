"""Offline logs of W&B come into the table of runs."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lit_effnet.results.frame.folders import Folder
from lit_effnet.results.frame.table import load
from lit_effnet.results.frame.wandb_runs import row_of_run
from tests.conftest import HUNG_S

CONFIG = {
    "seed_everything": 2,
    "trainer": {"max_epochs": 3, "precision": "32-true"},
    "model": {"name": "efficientnet", "se_ratio": 0.125},
    "data": {"name": "photos"},
    "scaling": {"depth": 1.5, "base_width": 0.5, "rounding": "ceil"},
    "recipe": {"name": "quick"},
}
SUMMARY = {"val/top1": 0.75, "val/loss": 1, "_runtime": 12}


def row(**changes: object) -> dict:
    known = {"run": "e/p/r", "name": "r", "group": "g", "status": "finished", "started": 0}
    return row_of_run(changes.pop("config", CONFIG), SUMMARY, **{**known, **changes})


def test_a_configuration_tells_the_arm_as_a_run_folder_does() -> None:
    made = row()
    assert made["arm"] == "depth 1.5, se_ratio=0.125"
    assert (made["seed"], made["depth"], made["width"]) == (2, 1.5, 0.5)
    assert (made["top1"], made["loss"], made["duration_s"]) == (0.75, 1.0, 12.0)
    assert made["started"] == "1970-01-01T00:00:00Z"


def test_multipliers_that_follow_from_a_budget_are_not_known() -> None:
    made = row(config={**CONFIG, "scaling": {"axis": "width", "budget": 2}})
    assert made["arm"].startswith("width at 2 x MACs")
    assert (made["depth"], made["width"], made["resolution"]) == (None, None, None)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "scaling: is missing"),
        ({**CONFIG, "scaling": {"lr": 1}}, "scaling: is none of this project"),
        ({**CONFIG, "model": {"name": 3}}, "name 3: must be a text"),
        ({**CONFIG, "scaling": {"arm": "depth"}}, "arm 'depth': 'depth' must be"),
    ],
)
def test_a_run_of_another_project_is_refused(config: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        row(config=config)


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that W&B itself wrote, in a process of its own."""
    folder = tmp_path_factory.mktemp("offline")
    text = (
        "import json, sys, wandb\n"
        "run = wandb.init(mode='offline', project='p', group='g', id='r', dir=sys.argv[1],\n"
        "    config=json.loads(sys.argv[2]), settings=wandb.Settings(silent=True))\n"
        "run.log({'val/top1': 0.5}); run.log({'val/top1': 0.75, 'val/loss': 1, 'x' * 40_000: 0})\n"
        "run.finish()\n"
    )
    subprocess.run(
        [sys.executable, "-c", text, str(folder), json.dumps(CONFIG)],
        check=True,
        timeout=HUNG_S,
        cwd=folder,
    )
    (run,) = folder.glob("wandb/offline-run-*")
    return run


def test_an_offline_run_is_a_row_of_its_last_metrics(offline: Path) -> None:
    table = load([offline.parent])
    assert table.skipped == ()
    (found,) = table.frame.to_dict("records")
    assert (found["source"], found["status"], found["group"]) == ("wandb", "finished", "g")
    assert (found["arm"], found["seed"], found["top1"]) == ("depth 1.5, se_ratio=0.125", 2, 0.75)
    assert found["run"] == str(offline)


def test_a_log_that_is_cut_is_named_and_used_up_to_there(offline: Path, tmp_path: Path) -> None:
    data = (offline / "run-r.wandb").read_bytes()
    (tmp_path / "run-r.wandb").write_bytes(data[:-20])
    table = load([tmp_path])
    assert [one.reason for one in table.skipped] == [
        "ends within a record, or is damaged; used up to there"
    ]
    assert table.frame["status"].to_list() == ["running"]
    assert table.frame["seed"].to_list() == [2]


@pytest.mark.parametrize("data", [b"", b"else", b":W&B\xe1\xbe\x00"])
def test_a_log_without_a_run_is_named(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "run-r.wandb").write_bytes(data)
    table = load([tmp_path])
    assert table.frame.empty
    (skipped,) = table.skipped
    assert skipped.path == Folder(str(tmp_path), frozenset()).path
    assert "run-r.wandb: " in skipped.reason
