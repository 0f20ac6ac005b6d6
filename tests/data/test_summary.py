"""The data command: what it prints, the contact sheet, and bad input."""

import io
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lit_effnet.data import duplicates
from lit_effnet.data.__main__ import main
from lit_effnet.data.duplicates import Signatures, similar
from lit_effnet.data.sources import find
from lit_effnet.data.summary import CAPTION, CELL, class_counts, contact_sheet, headers


def shown(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    main(arguments)
    return capsys.readouterr().out


def test_headers_count_sizes_and_modes(own_images: Path) -> None:
    Image.new("L", (300, 20)).save(own_images / "cat" / "00.jpg")
    (own_images / "cat" / "01.jpg").write_bytes(b"")
    images = find(str(own_images))
    found, count = headers(images, "train"), len(images.splits["train"])
    assert found.read == count
    assert found.modes.get("L JPEG", 0) + found.modes["RGB JPEG"] + len(found.bad) == count
    assert found.widths[0] >= 40
    every = [headers(images, split) for split in images.splits]
    assert sum(len(part.bad) for part in every) == 1
    assert sum(part.modes.get("L JPEG", 0) for part in every) == 1
    assert max(part.widths[2] for part in every) == 300


def test_classes_are_counted_by_split(own_images: Path) -> None:
    counts = class_counts(find(str(own_images)))
    assert counts.sum(axis=0).tolist() == [20, 20, 20]
    assert counts.min() >= 1
    assert counts[0].min() >= 10


def test_the_sheet_shows_every_class_and_marks_what_is_bad(
    own_images: Path, tmp_path: Path
) -> None:
    for file in (own_images / "dog").iterdir():
        file.write_bytes(b"no image")
    for file in (own_images / "cat").iterdir():
        Image.new("RGB", (50, 50), "red").save(file, "PNG")  # JPEG would change the colour
    sheet = tmp_path / "sheet.png"
    images = find(str(own_images))
    contact_sheet(images, sheet)
    pixels = np.asarray(Image.open(sheet).convert("RGB"))
    red = (pixels == [255, 0, 0]).all(2).sum()
    assert red == class_counts(images)[0, 0] * CELL * CELL  # all training images of the class
    assert pixels.shape[1] > 10 * CELL
    assert pixels.shape[0] > 4 * (CELL + CAPTION)


def test_a_name_prints_what_a_person_should_know(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    shown(["photos"], capsys)
    assert not list(tmp_path.iterdir())  # no file that nobody asked for
    out = shown(["photos", "--sheet=sheet.png"], capsys)
    for part in (
        "licence",
        "2,160",
        "540",
        "RGB PNG",
        "astronaut",
        "240",
        "sheet.png",
        "beware",
    ):
        assert part in out
    assert Image.open(tmp_path / "sheet.png").format == "PNG"


def test_own_images_are_checked_one_by_one(
    own_images: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(own_images), "--check=true"]
    assert "all 60 images can be decoded" in shown(arguments, capsys)
    whole = (own_images / "dog" / "07.jpg").read_bytes()
    (own_images / "dog" / "07.jpg").write_bytes(whole[:-100])
    with pytest.raises(SystemExit) as raised:
        main(arguments)
    assert raised.value.code == 1
    out = capsys.readouterr().out
    assert "1 image: cannot be decoded" in out
    place = re.search(r"row 27 \(\S+dog/07.jpg\).*: image file is truncated", " ".join(out.split()))
    assert place


def test_a_check_lists_every_bad_image_and_no_line_of_a_c_library(
    own_images: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = io.BytesIO()
    Image.open(own_images / "cat" / "00.jpg").save(file, "TIFF", compression="tiff_lzw")
    broken = bytearray(file.getvalue())
    broken[300:400] = bytes(100)
    for index in range(14):
        (own_images / "dog" / f"bad{index}.tif").write_bytes(broken)
    with pytest.raises(SystemExit) as raised:
        main([str(own_images), "--check"])
    assert raised.value.code == 1
    out, err = capfd.readouterr()
    for index in range(14):
        assert f"dog/bad{index}.tif)" in out
    assert out.splitlines()[-1] == "check    14 of 74 images cannot be decoded"
    assert not err


def test_a_check_names_images_that_are_in_two_splits_or_nearly_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    generator = np.random.default_rng(0)
    for split, count in (("train", 8), ("val", 4), ("test", 4)):
        for name in "ab":
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            for index in range(count):
                noise = Image.fromarray(generator.integers(0, 256, (6, 6, 3), np.uint8))
                noise.resize((90, 80), Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    Image.new("RGB", (80, 80), "blue").save(tmp_path / "train" / "a" / "sky.png")
    Image.new("RGB", (90, 90), (0, 0, 250)).save(tmp_path / "test" / "b" / "sky.png")
    clean = shown([str(tmp_path), "--check"], capsys)
    assert "same" not in clean  # not the skies either
    Image.open(tmp_path / "train/a/3.png").save(tmp_path / "val/b/copy.bmp")
    Image.open(tmp_path / "train/b/5.png").resize((60, 50)).save(
        tmp_path / "test/b/small.jpg", quality=60
    )
    shutil.copy(tmp_path / "train/b/7.png", tmp_path / "train/b/again.png")
    lines = [line.strip() for line in shown([str(tmp_path), "--check"], capsys).splitlines()]
    for title, first, second, more in (
        ("validation with the same pixels as one of train", "val/b/copy.bmp", "train/a/3.png", 1),
        ("test nearly the same as one of train", "test/b/small.jpg", "train/b/5.png", 0),
        ("train with the same pixels as an earlier one", "train/b/again.png", "train/b/7.png", 0),
    ):
        pair = lines[lines.index(f"1 image of {title}") + 1]
        there, here = pair.split(" = ")
        assert f"({tmp_path}/{first})" in there
        assert f"({tmp_path}/{second})" in here
        assert here.endswith(" (as b, and as a)") == bool(more)
    assert lines[-1] == "check    all 37 images can be decoded"


def test_all_pairs_of_near_copies_are_found_as_by_comparing_each() -> None:
    generator = np.random.default_rng(0)

    def signatures(count: int) -> Signatures:
        found = Signatures()
        for row in range(count):
            found.add(row, generator.integers(0, 256, (8, 9, 3), np.uint8))
        return found

    first, second = signatures(300), signatures(40)
    for row in range(0, 40, 2):  # nearly the same as three times that row
        pixels = np.repeat(first.small[3 * row].reshape(8, 9, 1), 3, axis=2).copy()
        pixels[0, :2] = 255 - pixels[0, :2]
        second.exact.pop(row)
        second.small.pop(row)
        second.rows.pop(row)
        second.add(row, pixels)
        for values in (second.exact, second.small, second.rows):
            values.insert(row, values.pop())
    expected = {(3 * row, row) for row in range(0, 40, 2)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(duplicates, "BLOCK", 1000)  # several blocks
        patch.setattr(duplicates, "MOST_GREY", 12.0)
        assert set(similar(first, second)) == expected


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
