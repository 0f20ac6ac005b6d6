"""A run written in other layouts, read by those whose layouts they are."""

import json
import shutil
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors.torch import load_file, save_file

from lit_effnet import export, fit
from lit_effnet.evaluation.exporting import packages
from lit_effnet.evaluation.exporting.formats import FORMATS, load
from lit_effnet.evaluation.exporting.parity import eager_logits
from lit_effnet.network.registry import build
from lit_effnet.network.released import choose
from lit_effnet.network.trained import network_of_run

B0 = ["--data.image_size=32", "--data.batch_size=4", "--data.num_workers=0",
      "--trainer.limit_train_batches=1", "--trainer.limit_val_batches=1",
      "--trainer.max_epochs=1"]  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    fit.main([*B0, f"--run.root={root}", "--run.group=g", "--run.id=b0"])
    return root / "g" / "b0"


def logits(network: torch.nn.Module) -> torch.Tensor:
    images = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        return network.double().eval()(images.double())


def test_timm_builds_and_reads_an_exported_run(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "model.safetensors"
    export.main([str(run), f"--output={file}"])
    assert f"360 tensors in timm's layout: {file}\n" in capsys.readouterr().out
    peer = timm.create_model(f"local-dir:{tmp_path}", pretrained=True)
    ours, weights = network_of_run(run)
    assert torch.allclose(logits(peer), logits(ours), rtol=1e-9, atol=1e-12)
    assert peer.pretrained_cfg["input_size"][-1] == weights.image_size == 32
    assert peer.num_classes == 9
    again = choose(str(file))
    assert (again.image_size, again.crop_fraction) == (32, 1.0)


def test_torchvision_reads_an_exported_run(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "b0.safetensors"
    export.main([str(run), "--layout=torchvision", f"--output={file}"])
    norm = lambda channels: torch.nn.BatchNorm2d(channels, eps=1e-3)  # noqa: E731
    peer = torchvision.models.efficientnet_b0(num_classes=9, norm_layer=norm)
    peer.load_state_dict(load_file(file))
    ours, _ = network_of_run(run)
    assert torch.allclose(logits(peer), logits(ours), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{run}"], "output"),
        (["{run}", "--output=a.pth"], "--output a.pth: must end in .safetensors"),
        (
            ["{run}", "--output={run}/run.json/a.safetensors"],
            "run.json/a.safetensors: cannot be wr",
        ),
        (["{run}", "--output=a.safetensors", "--layout=keras"], "--layout 'keras': must be one of"),
        (["runs/none", "--output=a.safetensors"], "runs/none: no run folder"),
        (["{root}", "--output=a.safetensors"], "no run folder (it has no run.json)"),
        (["{run}", "--output=a.onnx"], "--output a.onnx: must end in .safetensors"),
        (["{run}", "--format=onnx", "--output=a.pte"], "--output a.pte: must end in .onnx"),
        (
            ["{run}", "--format=tflite", "--output=a"],
            "--format: 'tflite' must be safetensors, onnx",
        ),
        (
            ["{run}", "--format=onnx", "--precision=float16", "--output=a.onnx"],
            "--precision float16: onnx is written in float32 or int8",
        ),
        (
            ["{run}", "--precision=int8", "--output=a.safetensors"],
            "--precision int8: safetensors are what the run has",
        ),
        (
            ["{run}", "--format=onnx", "--output=a.onnx", "--split=holdout"],
            "--split holdout: photos has only train, validation, test",
        ),
        (
            ["{run}", "--format=onnx", "--output=a.onnx", "--precision=int8", "--kept=gates"],
            "--kept: 'gates' must be nothing, se, silu, se+silu",
        ),
        (
            ["{run}", "--format=onnx", "--output=a.onnx", "--kept=se"],
            "--kept se: is for int8; float32 keeps everything",
        ),
        (
            ["{run}", "--format=onnx", "--layout=torchvision", "--output=a.onnx"],
            "--layout torchvision: is for --format safetensors",
        ),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str], message: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled = [a.format(run=run, root=run.parent) for a in arguments]
    with pytest.raises(SystemExit) as raised:
        export.main(filled)
    assert raised.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_an_exported_run_is_read_back_with_its_conventions(run: Path, tmp_path: Path) -> None:
    """Also where they are not timm's for that name: padding same, epsilon 1e-3."""
    fit.main(
        [*B0, f"--run.root={tmp_path}", "--run.group=g", "--run.id=b0", "--model.padding=same"]
    )
    trained = tmp_path / "g" / "b0"
    folder = tmp_path / "out" / "b0"  # made where it is not there
    export.main([str(trained), f"--output={folder}/model.safetensors"])
    found = choose(str(folder))  # a folder as the hub's client makes it
    assert (found.padding, found.bn_eps) == ("same", 1e-3)
    ours, _ = network_of_run(trained)
    again, _ = network_of_run(trained)
    for parameter in again.parameters():
        torch.nn.init.zeros_(parameter)
    found.load_into(again)
    assert torch.equal(logits(ours), logits(again))
    export.main([str(trained), f"--output={folder}/model.safetensors"])  # once more is no harm
    with pytest.raises(SystemExit) as raised:
        export.main([str(run), f"--output={folder}/other.safetensors"])
    assert raised.value.code == 2


def needs_onnx() -> None:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name)


@pytest.fixture(scope="module")
def onnx_file(photos_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs_onnx()
    file = tmp_path_factory.mktemp("onnx") / "new" / "photos.onnx"  # made where it is not there
    export.main([str(photos_run), "--format=onnx", f"--output={file}", "--images=20"])
    return file


def test_a_run_is_written_as_onnx_and_told_how_near_it_is(
    onnx_file: Path, photos_run: Path
) -> None:
    told = json.loads((onnx_file.parent / "photos.onnx.json").read_text())
    network, weights = network_of_run(photos_run)
    assert told["source"]["name"] == str(photos_run)
    assert told["source"]["fingerprint"] == weights.fingerprint
    assert told["preprocessing"]["image_size"] == weights.image_size == 48
    assert told["classes"][:2] == ["astronaut", "chelsea"]
    assert told["compared_on"]["data"] == "photos"
    assert told["parity"]["images"] == 20
    assert told["parity"]["top1_exported"] == told["parity"]["top1_eager"] > 0.4
    images = torch.randn(3, 3, 48, 48)
    assert torch.allclose(load(onnx_file)(images), eager_logits(network, images), atol=1e-4)


def test_the_comparison_is_printed_and_one_that_fails_leaves_no_file(
    onnx_file: Path,
    photos_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write = lambda *rest, **_: shutil.copy(onnx_file, rest[-1])  # noqa: E731
    monkeypatch.setattr(FORMATS["onnx"].module, "write", write)
    file = tmp_path / "again.onnx"
    command = [str(photos_run), "--format=onnx", f"--output={file}", "--images=8"]
    with pytest.raises(SystemExit) as raised:
        export.main([*command, "--relative_error=0"])
    assert raised.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert (
        f"--output {file}: not written: on 8 images its logits are not the network's: relative"
        in line
    )
    assert list(tmp_path.iterdir()) == []
    export.main(command)
    shown = capsys.readouterr().out
    for figure in ("top-1 agreement", "signal to noise", "load time", "peak memory", "processor"):
        assert figure in shown
    assert f"written: {file}" in shown.replace("\n", "")
    assert {found.name for found in tmp_path.iterdir()} == {"again.onnx", "again.onnx.json"}


@pytest.mark.slow
def test_a_released_network_without_images_is_compared_on_photographs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needs_onnx()
    torch.manual_seed(0)
    save_file(
        build("mobilenetv3_large", num_classes=9).state_dict(), tmp_path / "model.safetensors"
    )
    told = {
        "architecture": "mobilenetv3_large_100",
        "pretrained_cfg": {
            "input_size": [3, 64, 64], "crop_pct": 0.9, "interpolation": "bilinear",
            "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25],
        },
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(told))
    file = tmp_path / "out" / "a.onnx"
    flags = ["--network=mobilenetv3_large", "--images=8", "--agreement=0.5"]
    export.main([str(tmp_path), "--format=onnx", f"--output={file}", *flags])
    assert "whose labels are not its classes" in capsys.readouterr().out
    written = json.loads(file.with_name("a.onnx.json").read_text())
    assert written["parity"]["top1_eager"] is None
    assert written["preprocessing"]["interpolation"] == "bilinear"
    assert written["preprocessing"]["std"] == [0.25, 0.25, 0.25]
    assert written["classes"] == [str(number) for number in range(9)]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--images=0"], "--images 0: must be at least 1"),
        (["--calibration=0"], "--calibration 0: must be at least 1"),
        (["--data.name=cifar10"], "cifar10: has 10 classes"),
        (["--output={run}/run.json/a.onnx"], "run.json/a.onnx: cannot be written"),
    ],
)
def test_bad_input_of_a_checked_export_is_one_line(
    flags: list[str],
    message: str,
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    needs_onnx()
    filled = [flag.format(run=run) for flag in flags]
    with pytest.raises(SystemExit) as raised:
        export.main([str(run), "--format=onnx", f"--output={tmp_path}/a.onnx", *filled])
    assert raised.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_a_checkpoint_is_one_line(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needs_onnx()
    shutil.rmtree(trained / "checkpoints")
    with pytest.raises(SystemExit) as raised:
        export.main([str(trained), "--format=onnx", f"--output={tmp_path}/a.onnx"])
    assert raised.value.code == 2
    error = capsys.readouterr().err
    assert "last.ckpt: no such file" in error
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "help_"),
    [("onnx", "pip install"), ("openvino", "pip install"), ("litert", "make mobile")],
)
def test_a_missing_package_is_one_line_with_what_brings_it(
    name: str,
    help_: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda module: None)
    monkeypatch.setenv(packages.MOBILE_VARIABLE, str(tmp_path / "none"))
    file = tmp_path / f"a{FORMATS[name].suffix}"
    with pytest.raises(SystemExit) as raised:
        export.main(["runs/none", f"--format={name}", f"--output={file}"])
    assert raised.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: --format {name}: needs {FORMATS[name].makers[0]}")
    assert help_ in error
    assert len(error.splitlines()) == 1
