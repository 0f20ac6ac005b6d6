"""Refusals of formats and int8, and the calibration images of int8."""

import json
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from lit_effnet import export
from lit_effnet.data.photos import NAMES
from lit_effnet.deploy.base import FLOAT32, Conversion
from lit_effnet.deploy.calibration_images import draw_batches
from lit_effnet.deploy.outliers import without_outliers
from lit_effnet.evaluation.target import Overrides, load_target
from tests.deploy.conftest import FORMATS, needs, write_onnx_by


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["{run}", "--format=onnx", "--precision=float16", "--output=a.onnx"],
            "--precision float16: onnx is written in float32 or int8",
        ),
        (
            ["{run}", "--format=onnx", "--output=a.onnx", "--split=holdout"],
            "--split holdout: photos has only train, validation, test",
        ),
        (
            ["{run}", "--format=onnx", "--output=a.onnx", "--precision=int8", "--keep_float=gates"],
            "--keep_float: 'gates' must be nothing, se, silu, se+silu",
        ),
        (
            ["{run}", "--format=onnx", "--output=a.onnx", "--keep_float=se"],
            "--keep_float se: is for int8, not for float32",
        ),
        (
            ["{run}", "--format=onnx", "--output=a.onnx", "--kept=se"],  # the flag's old name
            "--keep_float se: is for int8, not for float32",
        ),
        (
            ["{run}", "--format=onnx", "--output=a.onnx", "--method=mse"],
            "--method mse: is for int8, not for float32",
        ),
        (
            ["{run}", "--format=onnx", "--output=a.onnx", "--precision=int8", "--method=mse"],
            "--method mse: must be min-max, percentile, entropy for onnx",
        ),
        (
            ["{run}", "--format=executorch", "--output=a.pte", "--precision=int8", "--method=mse"],
            "--method mse: executorch offers no choice",
        ),
        (
            ["{run}", "--format=litert", "--output=a.tflite", "--precision=int8", "--method=mse"],
            "--method mse: litert offers no choice",
        ),
        (
            [
                "{run}",
                "--format=executorch",
                "--output=a.pte",
                "--precision=int8",
                "--keep_float=silu",
            ],
            "--keep_float silu: ExecuTorch XNNPACK never quantizes silu",
        ),
        (
            ["{run}", "--format=onnx", "--output=a.onnx", "--precision=int8", "--split=train"],
            "--split train: is the one that int8 is calibrated on; name another split",
        ),
        (
            ["{run}", "--format=onnx", "--output=a.onnx", "--agreement=95"],
            "--agreement 95: must be from 0 to 1",
        ),
        (
            ["{run}", "--format=onnx", "--output=a.onnx", "--agreement=.nan"],
            "--agreement nan: must be from 0 to 1",
        ),
        (
            ["{run}", "--format=onnx", "--output=a.onnx", "--relative_error=0"],
            "--relative_error 0: must be above 0, and finite",
        ),
        (
            ["{run}", "--format=onnx", "--output=a.onnx", "--calibration_data.path=x"],
            "--calibration_data.name null: must name the data set that the path is of",
        ),
    ],
)
def test_impossible_requests_are_one_line(
    arguments: list[str], message: str, photos_run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needs(arguments[1].removeprefix("--format="))
    with pytest.raises(SystemExit) as raised:
        export.main([argument.format(run=photos_run) for argument in arguments])
    assert raised.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def folder_of_photographs(root: Path, *splits: str) -> Path:
    """Nine classes, as the run has them, with a few images in each split."""
    generator = np.random.default_rng(0)
    for split in splits:
        for name in NAMES:
            folder = root / split / name
            folder.mkdir(parents=True)
            for index in range(2):
                pixels = generator.integers(0, 255, (60, 60, 3), np.uint8)
                Image.fromarray(pixels).save(folder / f"{index}.png")
    return root


def test_int8_without_a_training_split_is_one_line(
    photos_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needs("onnx")
    images = folder_of_photographs(tmp_path / "images", "validation")
    file = tmp_path / "out" / "a.onnx"
    flags = ["--format=onnx", "--precision=int8", f"--data.name={images}", f"--output={file}"]
    with pytest.raises(SystemExit) as raised:
        export.main([str(photos_run), *flags])
    assert raised.value.code == 2
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert f"--calibration_data.name null: {images} has no split train; name other images" in line


@pytest.fixture
def quick_int8(monkeypatch: pytest.MonkeyPatch) -> list[Conversion]:
    """Conversions to int8; the file is in float32, so that it takes no time."""
    needs("onnx")
    conversions: list[Conversion] = []

    def write(network: nn.Module, size: int, file: Path, conversion: Conversion) -> None:
        conversions.append(conversion)
        FORMATS["onnx"].write(network, size, file, FLOAT32)

    write_onnx_by(monkeypatch, write)
    return conversions


def test_int8_is_calibrated_as_quantize_does_it_and_says_so(
    quick_int8: list[Conversion],
    photos_run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "a.onnx"
    command = [str(photos_run), "--format=onnx", "--precision=int8", f"--output={file}"]
    flags = ["--images=8", "--calibration=20", "--calibration_seed=3", "--method=entropy"]
    export.main([*command, *flags, "--keep_float=se"])
    found = load_target(str(photos_run), Overrides({}))
    (conversion,) = quick_int8
    drawn = draw_batches(found.data, 20, 3)
    used = without_outliers(found.network, drawn, 0.05)
    assert torch.equal(conversion.calibration, torch.cat(used))
    assert len(conversion.calibration) == 19
    assert conversion.method == "entropy"
    metadata = json.loads(file.with_name("a.onnx.json").read_text())
    assert metadata["calibration"] == {
        "quantizer": "onnxruntime",
        "data": "photos",
        "fingerprint": found.data.fingerprint,
        "images": 20,
        "seed": 3,
        "outliers": 0.05,
        "method": "entropy",
        "kept": "se",
    }
    assert metadata["versions"]["onnxruntime"] == version("onnxruntime")
    shown = capsys.readouterr().out.replace("\n", " ")
    assert "Calibrated by onnxruntime, entropy, on 20 images of photos train, seed 3" in shown


@pytest.mark.slow
def test_int8_may_be_compared_on_training_images_where_others_calibrate(
    quick_int8: list[Conversion], photos_run: Path, tmp_path: Path
) -> None:
    images = folder_of_photographs(tmp_path / "images", "train")
    file = tmp_path / "a.onnx"
    command = [str(photos_run), "--format=onnx", "--precision=int8", f"--output={file}"]
    flags = ["--images=8", "--split=train", f"--calibration_data.name={images}"]
    export.main([*command, *flags])
    metadata = json.loads(file.with_name("a.onnx.json").read_text())
    assert metadata["compared_on"]["split"] == "train"
    (conversion,) = quick_int8
    assert metadata["calibration"]["data"] == str(images)
    assert metadata["calibration"]["images"] == len(conversion.calibration) <= 18
    assert metadata["calibration"]["method"] == "min-max"
    assert conversion.method is None
    assert metadata["calibration"]["fingerprint"] != metadata["compared_on"]["fingerprint"]
