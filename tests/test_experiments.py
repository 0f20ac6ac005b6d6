"""Every experiment file says what it is for and trains one step."""

import json
from pathlib import Path

import pytest
import yaml

from lit_effnet import fit

from .conftest import ROOT

FILES = sorted((ROOT / "experiments").glob("*.yaml"))
EMBEDDED = {"photos"}
HEADINGS = ("claim", "cost", "command", "expected")


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_the_experiment_trains_one_step(file: Path, tmp_path: Path) -> None:
    name = yaml.safe_load(file.read_text())["data"]["name"]
    stand_in = [] if name in EMBEDDED else ["--data.name=photos"]
    fit.main(
        [
            f"--config={file}",
            *stand_in,
            "--data.batch_size=4",
            "--data.num_workers=0",
            "--trainer.max_epochs=1",
            "--trainer.limit_train_batches=1",
            "--trainer.limit_val_batches=1",
            "--trainer.devices=1",
            f"--run.root={tmp_path}",
        ]
    )
    (run,) = tmp_path.glob("*/*/run.json")
    assert json.loads(run.read_text())["status"] == "finished"
    assert run.parent.parent.name == file.stem


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_the_experiment_says_claim_cost_command_and_expected_result(file: Path) -> None:
    comment = [line[2:] for line in file.read_text().splitlines() if line.startswith("#")]
    for heading in HEADINGS:
        (line,) = [line for line in comment if line.startswith(f"{heading} ")]
        assert line.removeprefix(heading).strip()
    assert f"--config experiments/{file.name}" in "\n".join(comment)


def test_there_are_experiments() -> None:
    assert {"photos", "imagenet_b0"} <= {file.stem for file in FILES}
