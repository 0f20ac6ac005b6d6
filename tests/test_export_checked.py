"""A run exported for another runtime: compared, and refused where it differs."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from lit_effnet import export
from lit_effnet.deploy import packages
from lit_effnet.deploy.parity import eager_logits
from lit_effnet.deploy.registry import load
from lit_effnet.network.registry import build
from lit_effnet.network.trained import network_of_run
from tests.deploy.conftest import FORMATS, needs, write_onnx_by


@pytest.fixture(scope="module")
def onnx_file(photos_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    needs("onnx")
    file = tmp_path_factory.mktemp("onnx") / "new" / "photos.onnx"  # made where it is not there
    export.main([str(photos_run), "--format=onnx", f"--output={file}", "--images=20"])
    return file


def test_a_run_is_written_as_onnx_and_told_how_near_it_is(
    onnx_file: Path, photos_run: Path
) -> None:
    metadata = json.loads((onnx_file.parent / "photos.onnx.json").read_text())
    network, weights = network_of_run(photos_run)
    assert metadata["source"]["name"] == str(photos_run)
    assert metadata["source"]["fingerprint"] == weights.fingerprint
    assert metadata["preprocessing"]["image_size"] == weights.image_size == 48
    assert metadata["classes"][:2] == ["astronaut", "chelsea"]
    assert metadata["compared_on"]["data"] == "photos"
    assert metadata["parity"]["images"] == 20
    assert metadata["parity"]["top1_exported"] == metadata["parity"]["top1_eager"] > 0.4
    images = torch.randn(3, 3, 48, 48)
    assert torch.allclose(load(onnx_file)(images), eager_logits(network, images), atol=1e-4)


def test_a_flipped_bit_in_a_written_file_is_noticed_also_under_another_name(
    onnx_file: Path, tmp_path: Path
) -> None:
    file = tmp_path / "renamed.onnx"
    for ending in ("", ".json"):
        shutil.copy(f"{onnx_file}{ending}", f"{file}{ending}")
    assert load(file).name == "ONNX Runtime float32"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"cannot be run \(renamed\.onnx is damaged: its digest"):
        load(file)


def test_the_comparison_is_printed_and_one_that_fails_leaves_no_file(
    onnx_file: Path,
    photos_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write_onnx_by(monkeypatch, lambda *rest: shutil.copy(onnx_file, rest[2]))
    file = tmp_path / "again.onnx"
    command = [str(photos_run), "--format=onnx", f"--output={file}", "--images=8"]
    with pytest.raises(SystemExit) as raised:
        export.main([*command, "--relative_error=1e-12"])
    assert raised.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert (
        f"--output {file}: not written: on 8 images its logits differ from the network's: relative"
        in line
    )
    assert list(tmp_path.iterdir()) == []
    export.main(command)
    shown = capsys.readouterr().out
    for figure in ("top-1 agreement", "signal-to-noise", "load time", "peak memory", "processor"):
        assert figure in shown
    assert f"written: {file}" in shown.replace("\n", "")
    names = {found.name for found in tmp_path.iterdir()}
    assert names == {"again.onnx", "again.onnx.json", "again.onnx.py"}


@pytest.mark.slow
def test_a_released_network_without_images_is_compared_on_photographs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needs("onnx")
    torch.manual_seed(0)
    save_file(
        build("mobilenetv3_large", num_classes=9).state_dict(), tmp_path / "model.safetensors"
    )
    metadata = {
        "architecture": "mobilenetv3_large_100",
        "pretrained_cfg": {
            "input_size": [3, 64, 64], "crop_pct": 0.9, "interpolation": "bilinear",
            "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25],
        },
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(metadata))
    file = tmp_path / "out" / "a.onnx"
    flags = ["--network=mobilenetv3_large", "--images=8", "--agreement=0.5"]
    export.main([str(tmp_path), "--format=onnx", f"--output={file}", *flags])
    assert "whose labels are not classes of the network" in capsys.readouterr().out
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
    photos_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    needs("onnx")
    filled = [flag.format(run=photos_run) for flag in flags]
    with pytest.raises(SystemExit) as raised:
        export.main([str(photos_run), "--format=onnx", f"--output={tmp_path}/a.onnx", *filled])
    assert raised.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_a_checkpoint_is_one_line(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needs("onnx")
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
    assert error.startswith(f"error: --format {name}: needs {FORMATS[name].writers[0]}")
    assert help_ in error
    assert len(error.splitlines()) == 1
