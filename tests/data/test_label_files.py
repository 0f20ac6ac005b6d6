"""Labels in files beside a folder of images: CSV for all, or a list for each split."""

from pathlib import Path

import pytest
from PIL import Image

from lit_effnet.data.rows import labels_of, where
from lit_effnet.data.sources import find


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Forty images that no folder tells the classes of."""
    folder = tmp_path / "all images"
    (folder / "part").mkdir(parents=True)
    for index in range(40):
        place = folder / "part" if index % 4 == 0 else folder
        Image.new("RGB", (8, 8), (index, 0, 0)).save(place / f"img_{index}.png")
    return folder


def of(index: int) -> str:
    return f"{'part/' if index % 4 == 0 else ''}img_{index}"


def labels_by_file(found, split: str) -> dict[str, str]:
    rows = found.splits[split]
    labels = labels_of(rows)
    return {
        Path(where(rows, k).split("(")[1][:-1]).stem: found.classes[labels[k]]
        for k in range(len(rows))
    }


def all_labels(found) -> dict[str, str]:
    return {
        file: name for split in found.splits for file, name in labels_by_file(found, split).items()
    }


ANIMAL = ["ant", "bee"]
EXPECTED = {f"img_{k}": ANIMAL[k % 2] for k in range(40)}


@pytest.mark.parametrize(
    ("lines", "flags"),
    [
        (["image,label", *(f"{of(k)}.png,{ANIMAL[k % 2]}" for k in range(40))], {}),
        ([f"{of(k)}.png,{ANIMAL[k % 2]}" for k in range(40)], {}),  # without a header
        (["id,breed", *(f"img_{k},{ANIMAL[k % 2]}" for k in range(40))], {}),  # as Kaggle's
        (["\ufefffile_name;category", *(f"img_{k}.png;{ANIMAL[k % 2]}" for k in range(40))], {}),
        ([f"{of(k)}.png {ANIMAL[k % 2]}" for k in range(40)], {}),
        (
            ["who,sex,image_id,species", *(f"x,f,img_{k},{ANIMAL[k % 2]}" for k in range(40))],
            {"label_column": "species"},
        ),
        (["image,label", *(f'"img_{k}.png","{ANIMAL[k % 2]}"' for k in range(40))], {}),
    ],
)
def test_a_label_file_names_images_as_people_write_them(
    lines: list[str], flags: dict[str, str], images: Path
) -> None:
    file = images.parent / "labels.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = find(str(images), labels=str(file), **flags)
    assert found.classes == ("ant", "bee")
    assert all_labels(found) == EXPECTED
    assert list(found.splits) == ["train", "validation", "test"]


def test_a_column_of_splits_is_taken(images: Path) -> None:
    splits = ["train", "train", "val", "test"]
    lines = [f"img_{k}.png,{k % 2},{splits[k // 10]}" for k in range(40)]
    (images / "labels.csv").write_text("\n".join(["image,label,split", *lines]))
    found = find(str(images), labels="labels.csv")  # also below the folder of images
    assert {name: len(rows) for name, rows in found.splits.items()} == {
        "train": 20,
        "validation": 10,
        "test": 10,
    }
    assert labels_by_file(found, "test")["img_35"] == "1"


def test_a_list_for_each_split_is_taken(images: Path) -> None:
    lists = images / "lists"
    lists.mkdir()
    for name, numbers in (("train.txt", range(30)), ("val_list.txt", range(30, 40))):
        (lists / name).write_text("".join(f"../{of(k)}.png {k % 2 + 9}\n" for k in numbers))
    found = find(str(images), labels=str(lists))
    assert found.classes == ("9", "10")
    assert set(labels_by_file(found, "validation")) == {f"img_{k}" for k in range(30, 40)}
    assert len(all_labels(found)) == 40


def test_images_without_a_line_are_noted(images: Path) -> None:
    lines = [f"img_{k}.png,{ANIMAL[k % 2]}" for k in range(30)]
    (images / "labels.csv").write_text("\n".join(["image,label", *lines]))
    notes = find(str(images), labels="labels.csv").notes
    assert "10 images have no line in labels.csv and are left out" in notes


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"image,label\nimg_1.png,a\nimg_99.png,b\nx,b\n",
            r"line 3: 'img_99.png' is no image below .*, or more than one \(2 of 3",
        ),
        (b"img_99.png,a\nimg_1.png,b\n", "line 1: .* is no image below"),
        (
            b"image,label\nimg_1.png,a\nimg_1.png,b\n",
            "line 3: 'img_1.png' has two labels, 'a' and 'b'",
        ),
        (b"image,label\nimg_1.png\n", "line 2: must have an image and a label"),
        (b"image,label\nimg_1.png,\n", "line 2: must have an image and a label"),
        (
            b"image,label,split\nimg_1.png,a,holdout\n",
            "line 2: split 'holdout' must be train, valid",
        ),
        (b"image,a,b\nimg_1.png,1,2\n", "label_column of .* could be any of image, a, b"),
        (b"", "has no line"),
        (b"image,label\n", "has no line"),
        ("image,label\nimg_1.png,ö\n".encode("utf-16"), "not UTF-8 text, but UTF-16"),
        (
            b'image,label\nimg_1.png,"' + b"x" * 200_000 + b'"\n',
            r"not CSV \(field larger than field limit .*, line \d\)",
        ),
    ],
)
def test_a_bad_label_file_is_one_line(content: bytes, message: str, images: Path) -> None:
    (images.parent / "labels.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        find(str(images), labels=str(images.parent / "labels.csv"))
    assert "\n" not in str(error.value)


def test_what_is_no_label_file_of_a_folder_is_one_line(images: Path) -> None:
    with pytest.raises(ValueError, match=r"^labels none.csv: no such file or folder"):
        find(str(images), labels="none.csv")
    with pytest.raises(ValueError, match=r"has no train.csv, val.txt or the like"):
        find(str(images), labels="part")
    with pytest.raises(ValueError, match=r"^labels x.csv: is for a folder of images"):
        find("photos", labels="x.csv")
