"""A run written in other layouts, read by those whose layouts they are."""

from pathlib import Path

import pytest
import timm
import torch
import torchvision
from safetensors.torch import load_file

from lit_effnet import export, fit
from lit_effnet.network.trained import network_of_run
from lit_effnet.network.weight_sources import choose

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
            ["{run}", "--precision=int8", "--output=a.safetensors"],
            "--precision int8: safetensors hold the run's own float32",
        ),
        *(
            (
                ["{run}", "--output=a.safetensors", f"--{name}={value}"],
                f"--{name} {value}: is for other formats than safetensors",
            )
            for name, value in (
                ("keep_float", "se"),
                ("agreement", 0.9),
                ("relative_error", 0.1),
                ("image_size", 999),
                ("images", 8),
                ("split", "test"),
                ("method", "mse"),
                ("calibration", 8),
                ("calibration_data.name", "photos"),
                ("data.name", "photos"),
                ("network", "efficientnet_b0"),
            )
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
