"""`python -m lit_effnet.explain` as a person types it."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lit_effnet import explain


def run(*arguments: object) -> int:
    try:
        explain.main([str(argument) for argument in arguments])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def test_a_run_gives_maps_and_feature_maps_as_png_and_svg(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    assert run(trained, "--output", tmp_path / "figures", "--count", 3) == 0
    written = {file.name for file in (tmp_path / "figures").iterdir()}
    assert written == {"maps.png", "maps.svg", "features_trained.png", "features_trained.svg"}
    assert str(tmp_path / "figures" / "maps.png") in capsys.readouterr().out
    with Image.open(tmp_path / "figures" / "maps.png") as image:
        assert image.width > image.height * 0.4


def test_arms_of_a_group_stand_side_by_side_one_repeat_each(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    for seed in (1, 2):
        other = trained.with_name(f"seed{seed}")
        shutil.copytree(trained, other)
        record = json.loads((other / "run.json").read_text())
        (other / "run.json").write_text(json.dumps({**record, "seed": seed}))
    larger = trained.with_name("larger")
    shutil.copytree(trained, larger)
    record = json.loads((larger / "run.json").read_text())
    (larger / "run.json").write_text(json.dumps({**record, "arm": "another", "seed": 2}))
    figures = tmp_path / "figures"
    assert run(trained.parent, "--output", figures, "--count", 2) == 0
    assert {file.stem for file in figures.glob("features_*.png")} == {
        "features_trained",
        "features_larger",
    }


def test_files_are_looked_at_and_those_that_are_no_images_are_named(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    good, bad = tmp_path / "good.png", tmp_path / "bad.jpg"
    Image.fromarray(np.zeros((20, 90, 4), np.uint8)).save(good)  # transparent, and not square
    bad.write_bytes(b"no image")
    output = ["--output", tmp_path / "figures", "--features", "false"]
    assert run(trained, "--images", good, bad, *output) == 0
    error = capsys.readouterr().err
    assert f"left out: {bad}: not an image in a format that Pillow reads" in error
    assert run(trained, "--images", bad, *output) == 2
    assert f"error: --images {bad}: not an image" in capsys.readouterr().err


def test_scores_are_rows_paired_by_image_and_a_table(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    shutil.copytree(trained, trained.with_name("second"))
    output = ["--output", tmp_path / "figures", "--count", 2, "--features", "false"]
    scores = "insertion,deletion,road,randomisation"
    assert run(trained, trained.with_name("second"), "--scores", scores, *output) == 0
    lines = (tmp_path / "figures" / "scores.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    assert len(rows) == 4
    first, second = rows[:2], rows[2:]
    for one, other in zip(first, second, strict=True):  # the same weights
        assert one["image"] == other["image"]
        assert one["insertion"] == other["insertion"]
        assert set(one) > {"network", "arm", "method", "target", "deletion", "road"}
        assert next(iter(one["randomisation"])) == "classifier"
    out = capsys.readouterr().out
    assert "+0.000 ± 0.000" in out
    assert "maps of 2 images" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method=gradcan"], "error: --method 'gradcan': must be of gradcam, gradcam++"),
        (["--scores=insert"], "error: --scores 'insert': must be of insertion, deletion"),
        (["--target=chelsee"], "error: --target chelsee: must be label, predicted, a number below"),
        (["--target=9"], "error: --target 9: must be label, predicted, a number below 9 or"),
        (["--images", "nowhere.jpg"], "error: --images nowhere.jpg: no such file or folder"),
        (["--count=0"], "error: --count 0: must be at least 1"),
        (["--channels=0"], "error: --channels 0: must be at least 1"),
        (["--size=4"], "error: --size 4: must be at least 32"),
        (["--method="], "error: --method '': must be of gradcam, gradcam++"),
        (["--images", ".", "--count=0"], "error: --count 0: must be at least 1"),
        (["--split=tests"], "has no split tests, only train, validation, test"),
        (["--batch_size=0"], "error: --batch_size 0: must be at least 1"),
        (["--methods=gradcam"], "error: unknown flag --methods; nearest: --method"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    trained: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture,
    arguments: list[str],
    message: str,
) -> None:
    assert run(trained, "--output", tmp_path / "figures", *arguments) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1


def test_an_output_that_cannot_be_written_is_one_line(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    assert run(trained, "--output", tmp_path / "file" / "figures", "--count", 1) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_targets_are_labels_predictions_or_a_class(trained: Path, tmp_path: Path) -> None:
    common = ["--output", tmp_path / "f", "--count", 2, "--features=false", "--scores=deletion"]

    def targets(*arguments: str) -> list[str]:
        assert run(trained, *common, *arguments) == 0
        lines = (tmp_path / "f" / "scores.jsonl").read_text().splitlines()
        return [json.loads(line)["target"] for line in lines]

    assert targets() == ["astronaut", "rocket"]  # the first and the last image of the split
    assert targets("--target=retina") == targets("--target=7") == ["retina", "retina"]
    assert len(targets("--target=predicted")) == 2
