"""Damaged and foreign checkpoints through the commands, and runs that shall train longer."""

import json
import shutil
from importlib import import_module
from pathlib import Path

import pytest
import torch
import yaml

from lit_effnet import fit
from lit_effnet.network.trained import network_of_run
from tests.conftest import TINY
from tests.damaged_checkpoints import DAMAGES, Damage
from tests.test_fit import assert_same_training, checkpoint

FLIPPED, MALICIOUS = DAMAGES["bit of a tensor 0"], DAMAGES["code in torch's zip"]


def error_of(command: str, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The line with which a command ends."""
    with pytest.raises(SystemExit) as ended:
        import_module(f"lit_effnet.{command}").main(arguments)
    assert ended.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def interrupt(run: Path) -> None:
    """Make a run one that goes on."""
    record = json.loads((run / "run.json").read_text())
    (run / "run.json").write_text(json.dumps({**record, "status": "interrupted"}))


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        ("evaluate", ["RUN"]),
        ("explain", ["RUN"]),
        ("measure", ["RUN"]),
        ("quantize", ["RUN"]),
        ("export", ["RUN", "--output=RUN/../model.safetensors"]),
        ("export", ["RUN", "--output=RUN/../a.onnx", "--format=onnx"]),
        ("fit", [*TINY, "--weights.name=RUN"]),
        ("fit", ["--resume=RUN"]),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@pytest.mark.parametrize("damage", [FLIPPED, MALICIOUS], ids=["flipped", "malicious"])
def test_every_command_notices_a_damaged_checkpoint(
    command: str,
    arguments: list[str],
    damage: Damage,
    trained: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    tmp_path = trained.parents[2]
    interrupt(trained)
    damage(trained / "checkpoints" / "last.ckpt")
    before = sorted(p for p in tmp_path.rglob("*") if p.name != ".lock")
    line = error_of(command, [a.replace("RUN", str(trained)) for a in arguments], capsys)
    assert f"{trained}/checkpoints/last.ckpt: " in line
    assert ("is damaged" if damage is FLIPPED else "is not loaded") in line
    resumed = "--resume=RUN" in arguments
    ends = "{best,last}.ckpt" if resumed else f"instead: {trained}/checkpoints/best.ckpt"
    assert line.endswith(ends)
    assert sorted(p for p in tmp_path.rglob("*") if p.name != ".lock") == before


def test_a_run_goes_on_from_its_best_epoch_to_the_same_weights(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit.main([*tiny, "--run.group=g", "--run.id=a", "--trainer.max_epochs=3"])
    run = tmp_path / "g" / "a"
    whole = checkpoint(run)
    interrupt(run)
    FLIPPED(run / "checkpoints" / "last.ckpt")
    capsys.readouterr()
    line = error_of("fit", ["--resume", str(run)], capsys)
    assert line.endswith(f"to go on from the best epoch: cp {run}/checkpoints/{{best,last}}.ckpt")
    shutil.copy(run / "checkpoints" / "best.ckpt", run / "checkpoints" / "last.ckpt")
    fit.main(["--resume", str(run)])
    assert_same_training(whole, checkpoint(run))
    assert json.loads((run / "run.json").read_text())["status"] == "finished"


def test_a_checkpoint_of_another_network_is_refused(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    interrupt(trained)
    file = trained / "checkpoints" / "last.ckpt"
    other = checkpoint(trained)
    name = next(iter(other["state_dict"]))
    other["state_dict"][name] = torch.zeros(3, 5)
    torch.save(other, file)
    line = error_of("fit", ["--resume", str(trained)], capsys)
    assert (
        f"{file}: is a checkpoint of another network than config.yaml's ({name} is [3, 5]" in line
    )


def test_the_best_checkpoint_can_be_exported(trained: Path, tmp_path: Path) -> None:
    best = trained / "checkpoints" / "best.ckpt"
    (trained / "checkpoints" / "last.ckpt").write_bytes(b"")
    output = tmp_path / "out" / "model.safetensors"
    import_module("lit_effnet.export").main([str(best), f"--output={output}"])
    assert network_of_run(best)[1].fingerprint
    assert output.stat().st_size > 10_000


@pytest.mark.parametrize("edited", [False, True])
def test_training_longer_than_planned_is_refused_with_what_does(
    edited: bool, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--resume", str(trained), *(["--trainer.max_epochs", "9"] * (not edited))]
    if edited:
        config = yaml.safe_load((trained / "config.yaml").read_text())
        config["trainer"]["max_epochs"] = 9
        (trained / "config.yaml").write_text(yaml.safe_dump(config))
    line = error_of("fit", arguments, capsys)
    assert "schedule" in line
    assert line.endswith(
        f"--config {trained}/config.yaml --weights.name {trained} --trainer.max_epochs N"
    )
    assert ("max_epochs 9 must be 3" in line) is edited


def test_the_remedy_trains_on_from_the_weights_in_a_new_run(trained: Path, tmp_path: Path) -> None:
    given = ["--config", f"{trained}/config.yaml", "--weights.name", str(trained)]
    where = [f"--run.root={tmp_path}", "--run.group=longer", "--run.id=b"]
    fit.main([*given, *where, "--trainer.max_epochs=1", "--trainer.limit_train_batches=1"])
    record = json.loads((tmp_path / "longer" / "b" / "run.json").read_text())
    assert record["weights"]["name"] == str(trained)
    assert record["max_epochs"] == 1


def test_a_batch_of_one_image_with_a_map_of_one_pixel_is_refused(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = error_of("fit", [*tiny, "--data.batch_size=1"], capsys)
    assert line.startswith("error: --data.batch_size 1: must be at least 2 at 32 px, where")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("flag", ["--data.image_size=64", "--recipe.head_only=1"])
def test_a_batch_of_one_image_is_trained_where_batch_norm_has_values(
    flag: str, tiny: list[str], tmp_path: Path
) -> None:
    fit.main([*tiny, "--data.batch_size=1", "--trainer.max_epochs=1", flag])
    (run,) = tmp_path.glob("*/*")
    assert json.loads((run / "run.json").read_text())["status"] == "finished"
