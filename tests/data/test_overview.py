"""The data command: what it prints, the contact sheet, and bad input."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lit_effnet.data.__main__ import main
from lit_effnet.data.overview import CAPTION, CELL, class_counts, contact_sheet, headers
from lit_effnet.data.sources import find


def shown(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    main(arguments)
    return capsys.readouterr().out


def test_headers_count_sizes_and_modes(own_images: Path) -> None:
    Image.new("L", (300, 20)).save(own_images / "cat" / "00.jpg")
    (own_images / "cat" / "01.jpg").write_bytes(b"")
    found = headers(find(str(own_images)), "train")
    assert found.read == 48
    assert found.modes.get("L JPEG", 0) + found.modes["RGB JPEG"] + len(found.bad) == 48
    assert found.widths[0] >= 40
    images = find(str(own_images))
    every = [headers(images, split) for split in images.splits]
    assert sum(len(part.bad) for part in every) == 1
    assert sum(part.modes.get("L JPEG", 0) for part in every) == 1
    assert max(part.widths[2] for part in every) == 300


def test_classes_are_counted_by_split(own_images: Path) -> None:
    assert class_counts(find(str(own_images))).tolist() == [[16] * 3, [2] * 3, [2] * 3]


def test_the_sheet_shows_every_class_and_marks_what_is_bad(
    own_images: Path, tmp_path: Path
) -> None:
    for file in (own_images / "dog").iterdir():
        file.write_bytes(b"no image")
    for file in (own_images / "cat").iterdir():
        Image.new("RGB", (50, 50), "red").save(file, "PNG")  # JPEG would change the colour
    sheet = tmp_path / "sheet.png"
    contact_sheet(find(str(own_images)), sheet)
    pixels = np.asarray(Image.open(sheet).convert("RGB"))
    red = (pixels == [255, 0, 0]).all(2).sum()
    assert red == 16 * CELL * CELL  # all training images of the class
    assert pixels.shape[1] > 10 * CELL
    assert pixels.shape[0] > 4 * (CELL + CAPTION)


def test_a_name_prints_what_a_person_should_know(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    out = shown(["photos"], capsys)
    for part in (
        "licence",
        "2,160",
        "540",
        "RGB PNG",
        "astronaut",
        "240",
        "contact-sheet-photos.png",
        "beware",
    ):
        assert part in out
    assert Image.open(tmp_path / "contact-sheet-photos.png").format == "PNG"


def test_own_images_are_checked_one_by_one(
    own_images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(own_images), "--check=true", f"--sheet={tmp_path}/a.png"]
    assert "all 60 images can be decoded" in shown(arguments, capsys)
    whole = (own_images / "dog" / "07.jpg").read_bytes()
    (own_images / "dog" / "07.jpg").write_bytes(whole[:-100])
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 1
    out = capsys.readouterr().out
    assert "1 image: cannot be decoded" in out
    assert "dog/07.jpg) before the cut: image file is truncated" in " ".join(out.split())


def test_the_catalog_and_the_removal(capsys: pytest.CaptureFixture[str]) -> None:
    out = shown([], capsys)
    for part in ("photos", "cifar100", "dpdl-benchmark/oxford_flowers102", "imagenet"):
        assert part in out
    assert "MB of decoded images" in shown(["--remove_decoded=true"], capsys)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["flower102"], "flower102: must be one of photos, "),
        (["photos", "--sheet=/no/where.png"], "--sheet /no/where.png: cannot be written"),
        (["photos", "--sheet=sheet.xyz"], "--sheet sheet.xyz: cannot be written"),
        (["--path=x"], "--path is the place of a named data set: give the name first"),
        (["cifar10", "--path=/no/where"], "cifar10: /no/where: no such folder"),
        (["cifar10"], "--path FOLDER reads a local copy"),
        (["--chek=true"], "unknown flag --chek; nearest: --check"),
        (["photos", "--check=perhaps"], "--check: 'perhaps' must be"),
    ],
)
def test_bad_input_is_one_line(
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert len(error.splitlines()) == 1


def test_help_is_quick_to_say_what_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main(["--help"])
    assert raised.value.code == 0
    assert "python -m lit_effnet.data FOLDER --check" in capsys.readouterr().out
    assert "lit_effnet.data.__main__" in sys.modules
