"""What people have in folders: links, pipes, clutter of systems, flat splits and their lists."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from lit_effnet.attribution.pictures import from_files
from lit_effnet.data.decoding import BadImageError
from lit_effnet.data.image_files import ImageFiles
from lit_effnet.data.images import ImageData
from lit_effnet.data.rows import encoded, labels_of
from lit_effnet.data.sources import ImageSet, find
from lit_effnet.runs.paths import read_file


def fill(folder: Path, count: int, name: str = "{}.png") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index in range(count):
        Image.new("RGB", (8, 8), (index, len(str(folder)), 0)).save(folder / name.format(index))
    return folder


def sizes(found: ImageSet) -> dict[str, int]:
    return {name: len(rows) for name, rows in found.splits.items()}


def count(found: ImageSet) -> list[int]:
    """Images of each class in all splits."""
    labels = np.concatenate([labels_of(rows) for rows in found.splits.values()])
    return np.bincount(labels, minlength=len(found.classes)).tolist()


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("cat/all", "."),
        ("cat/up", ".."),
        ("cat/top", "../.."),
        ("cat/dogs", "../dog"),
        ("all", "."),
        ("kitten", "cat"),
        ("cat/again.jpg", "00.jpg"),
        ("cat/dog.jpg", "../dog/00.jpg"),
    ],
)
def test_a_link_to_what_is_read_anyway_adds_no_image(
    own_images: Path, link: str, target: str
) -> None:
    before = find(str(own_images))
    (own_images / link).symlink_to(target)
    found = find(str(own_images))
    assert count(found) == [20, 20, 20]
    assert found.classes == before.classes
    assert found.fingerprint == before.fingerprint
    assert f"links to what is read anyway are not followed: {own_images / link}" in found.notes


def test_links_of_one_split_into_another_are_not_followed(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        fill(tmp_path / "train" / name, 9)
        fill(tmp_path / "val" / name, 3)
    (tmp_path / "val" / "cat" / "more").symlink_to("../../train/cat")
    (tmp_path / "val" / "dog" / "x.png").symlink_to("../../train/dog/0.png")
    assert sizes(find(str(tmp_path)))["validation"] == 6


def test_links_that_meet_each_other_outside_are_followed_once(
    own_images: Path, tmp_path: Path
) -> None:
    pool = fill(tmp_path / "pool", 7)
    fill(tmp_path / "other", 2)
    (pool / "loop").symlink_to(pool)
    (pool / "other").symlink_to("../other")
    (tmp_path / "other" / "back").symlink_to("../pool")
    (own_images / "cat" / "pool").symlink_to(pool)
    assert count(find(str(own_images))) == [29, 20, 20]


def test_links_into_a_hidden_folder_beside_are_followed(own_images: Path) -> None:
    """As git-annex and DVC keep files."""
    kept = fill(own_images / ".git" / "annex", 5)
    for file in kept.iterdir():
        (own_images / "cat" / file.name).symlink_to(f"../.git/annex/{file.name}")
    assert count(find(str(own_images))) == [25, 20, 20]


def test_pipes_and_devices_are_no_images(own_images: Path) -> None:
    os.mkfifo(own_images / "cat" / "pipe.jpg")
    (own_images / "dog" / "endless.jpg").symlink_to("/dev/zero")
    (own_images / "dog" / "itself.jpg").symlink_to("itself.jpg")
    found = find(str(own_images))
    assert count(found) == [20, 21, 20]
    (note,) = [note for note in found.notes if note.startswith("left out, being no regular files")]
    assert str(own_images / "cat" / "pipe.jpg") in note
    assert str(own_images / "dog" / "endless.jpg") in note
    splits = found.splits.values()
    bad = [rows for rows in splits for k in range(len(rows)) if not readable(rows, k)]
    assert len(bad) == 1  # the link to itself, as a bad image


def readable(rows: object, index: int) -> bool:
    try:
        encoded(rows, index)
    except OSError:
        return False
    return True


def test_a_pipe_that_is_named_as_an_image_is_an_error_and_no_wait(tmp_path: Path) -> None:
    """By `explain --images`, or in a table of paths."""
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(OSError, match="not a regular file"):
        read_file(str(tmp_path / "pipe.jpg"))
    with pytest.raises(ValueError, match=r"images .*pipe\.jpg: not a regular file"):
        from_files([str(tmp_path / "pipe.jpg")], most=3)
    with pytest.raises(ValueError, match="no images"):
        from_files([str(tmp_path)], most=3)


CLUTTER = (
    *("__MACOSX/cat/._00.jpg", "__MACOSX/00.jpg", "cat/._00.jpg", ".DS_Store", "cat/.DS_Store"),
    *(".ipynb_checkpoints/00.jpg", "cat/.ipynb_checkpoints/00-checkpoint.jpg", "Thumbs.db"),
    *("cat/Thumbs.db", "cat/desktop.ini", "@eaDir/00.jpg", "cat/@eaDir/00.jpg/SYNO_THUMB_XL.jpg"),
    *("$RECYCLE.BIN/00.jpg", "lost+found/00.jpg", "._train.parquet", "__MACOSX/a.parquet"),
)


def test_what_systems_leave_beside_images_is_neither_image_nor_class(
    own_images: Path, tmp_path: Path
) -> None:
    before = find(str(own_images))
    for name in CLUTTER:
        (own_images / name).parent.mkdir(parents=True, exist_ok=True)
        (own_images / name).write_bytes(b"clutter")
    found = find(str(own_images))
    assert found == before or found.notes == before.notes
    assert found.classes == ("cat", "dog", "test_tube")
    assert found.fingerprint == before.fingerprint
    shutil.copytree(own_images, tmp_path / "split" / "train")
    shutil.copytree(own_images, tmp_path / "split" / "val")
    (tmp_path / "split" / "__MACOSX" / "train").mkdir(parents=True)
    assert sizes(find(str(tmp_path / "split"))) == {"train": 48 + 6, "validation": 60, "test": 6}
    pictures, problems = from_files([str(own_images)], most=100)
    assert (len(pictures), problems) == (60, [])


def test_loose_images_beside_classes_are_noted(own_images: Path) -> None:
    fill(own_images, 3)
    assert "left out: 3 images beside the folders of classes" in find(str(own_images)).notes


@pytest.fixture
def trainable(tmp_path: Path) -> Path:
    """A training split of two classes called as ImageNet's."""
    for name in ("n01", "n02"):
        fill(tmp_path / "set" / "train" / name, 20)
    return tmp_path / "set"


@pytest.mark.parametrize(
    ("folder", "note"),
    [
        ("test", "{}: 5 images are left out, since no list says their classes"),
        ("test/unknown", "{}: 5 images are left out, since no list says their classes"),
        ("test/test", "{}: 5 images are left out, since no list says their classes"),
        ("test1", "left out, since nothing says the classes of its images: test1"),
        ("unlabeled", "left out, since nothing says the classes of its images: unlabeled"),
        ("train/unlabeled", "no class, by its name: {}/train/unlabeled"),
    ],
)
def test_images_whose_class_nothing_says_are_left_out_with_a_note(
    trainable: Path, folder: str, note: str
) -> None:
    before = sizes(find(str(trainable)))
    fill(trainable / folder, 5)
    found = find(str(trainable))
    assert found.classes == ("n01", "n02")
    assert sizes(found) == before
    begin = note.format(trainable if "train/" in folder else trainable / "test")
    assert any(note.startswith(begin) for note in found.notes), found.notes


def test_splits_that_are_all_flat_are_no_classes(tmp_path: Path) -> None:
    fill(tmp_path / "train", 20)
    fill(tmp_path / "test", 20)
    with pytest.raises(ValueError, match="test, train hold images, but no folders of classes"):
        find(str(tmp_path))


FILES = [f"ILSVRC2012_val_{index:02d}.JPEG" for index in range(10)]
CLASSES = [1, 0, 0, 1, 1, 1, 0, 1, 0, 1]


def lines(line: Callable[[str, int], str], header: str = "") -> str:
    return header + "".join(line(*pair) + "\n" for pair in zip(FILES, CLASSES, strict=True))


LISTS = {
    "val.txt": lines(lambda file, label: f"{file} {label}"),
    "val/val_annotations.txt": lines(lambda file, label: f"{file}\tn0{label + 1}\t0\t0\t62\t62"),
    "LOC_val_solution.csv": lines(
        lambda file, label: f"{file.removesuffix('.JPEG')},n0{label + 1} 85 1 499 272",
        "ImageId,PredictionString\n",
    ),
    "val_labels.csv": lines(lambda file, label: f"val/{file},n0{label + 1}", "image,label\n"),
    "imagenet_2012_validation_synset_labels.txt": lines(lambda _, label: f"n0{label + 1}"),
    "ILSVRC2012_devkit_t12/data/ILSVRC2012_validation_ground_truth.txt": lines(
        lambda _, label: str(2 - label)  # the kit's own numbers, which are in another order
    ),
}


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("inner", ["val", "val/images"])
def test_a_flat_validation_split_is_labelled_by_the_list_that_belongs_to_it(
    trainable: Path, name: str, inner: str
) -> None:
    for file in FILES:
        fill(trainable / inner, 1, file.replace(".JPEG", ".png"))
        (trainable / inner / file.replace(".JPEG", ".png")).rename(trainable / inner / file)
    (trainable / name).parent.mkdir(parents=True, exist_ok=True)
    (trainable / name).write_text(LISTS[name])
    if "devkit" in name:
        kit = np.zeros(2, dtype=[("ILSVRC2012_ID", object), ("WNID", object)])
        kit[0], kit[1] = (1, "n02"), (2, "n01")
        savemat((trainable / name).parent / "meta.mat", {"synsets": kit})
    found = find(str(trainable))
    rows = found.splits["validation"]
    paths = [Path(rows.data["image"][k].as_py()["path"]).name for k in range(len(rows))]
    assert dict(zip(paths, labels_of(rows), strict=True)) == dict(zip(FILES, CLASSES, strict=True))
    (note,) = [note for note in found.notes if "are labelled by" in note]
    assert note.startswith(f"{trainable}/val: 10 images are labelled by {Path(name).name}")
    assert note.endswith("where 0 is n01") == (name == "val.txt")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("ILSVRC2012_validation_ground_truth.txt", lines(lambda _, label: str(2 - label))),
        ("val.txt", lines(lambda file, label: f"{file} {label + 1}")),  # counted from 1
        ("val.txt", lines(lambda file, label: f"{file} n0{label}")),  # a class train has not
        ("val.txt", lines(lambda _, label: str(label))),  # whose numbers?
        ("val.txt", "\n".join(["n01"] * 9)),  # one too few
        ("sampleSubmission_val.csv", lines(lambda file, _: f"{file},0")),
        ("val.csv", "id,label\n" + lines(lambda file, _: f"{file},")),
    ],
)
def test_a_list_that_leaves_a_doubt_labels_nothing(trainable: Path, name: str, text: str) -> None:
    for file in FILES:
        fill(trainable / "val", 1, file + ".png")
        (trainable / "val" / (file + ".png")).rename(trainable / "val" / file)
    (trainable / name).write_text(text)
    found = find(str(trainable))
    assert any(note.startswith(f"{trainable}/val: 10 images are left out") for note in found.notes)
    assert not any("labelled by" in note for note in found.notes)


@pytest.mark.parametrize("empty", [True, False])
def test_a_class_that_validation_lacks_is_a_note(trainable: Path, empty: bool) -> None:
    fill(trainable / "val" / "n02", 6)
    if empty:
        (trainable / "val" / "n01").mkdir()
    found = find(str(trainable))
    assert sizes(found)["validation"] == 6
    assert labels_of(found.splits["validation"]).tolist() == [1] * 6
    assert "1 of 2 classes have no image in validation: n01" in found.notes
    assert not [note for note in found.notes if note.startswith("no class")]
    data = ImageData(str(trainable), image_size=32, batch_size=8, num_workers=0)
    data.setup("fit")
    assert len(next(iter(data.val_dataloader()))[1]) == 6


def test_a_validation_split_without_images_is_cut_anew(trainable: Path) -> None:
    (trainable / "val" / "n01").mkdir(parents=True)
    found = find(str(trainable))
    assert f"{trainable}/val: has no images, and is left out" in found.notes
    assert sizes(found)["validation"] > 0


def test_a_folder_that_cannot_be_read_is_one_line(
    own_images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its images would be missing without a word."""
    whole = os.scandir

    def locked(folder: str) -> object:
        if str(folder).endswith("dog"):
            raise PermissionError(13, "Permission denied", folder)
        return whole(folder)

    monkeypatch.setattr(os, "scandir", locked)
    with pytest.raises(ValueError, match=r"dog: cannot be read \(Permission denied\)"):
        list(ImageFiles([]).below(own_images))


def test_an_image_replaced_by_one_of_its_size_changes_the_fingerprint(
    own_images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lit_effnet.data import rows

    for name in ("cat", "dog", "test_tube"):
        fill(own_images / name, 60)
    before = find(str(own_images))
    assert before.fingerprint.startswith("2-")
    for index in range(1, 60):  # most are none of the 64 that were looked at
        file = own_images / "cat" / f"{index}.png"
        content = bytearray(file.read_bytes())
        content[-20] ^= 1
        file.write_bytes(content)
        after = find(str(own_images))
        if after.first_fingerprint == before.first_fingerprint:
            break
    else:
        raise AssertionError("the first formula notices all")
    assert after.fingerprint != before.fingerprint
    monkeypatch.setattr(rows, "HASHED_FILES", 1000)
    assert find(str(own_images)).fingerprint == after.first_fingerprint


def test_records_of_earlier_versions_are_compared_by_their_formula(own_images: Path) -> None:
    data = ImageData(str(own_images))
    assert data.fingerprint == data.images.fingerprint != data.images.first_fingerprint
    data.recorded = data.images.first_fingerprint
    assert data.fingerprint == data.recorded
    data.recorded = "0" * 16
    assert data.fingerprint == data.images.first_fingerprint
    data.recorded = data.images.fingerprint
    assert data.fingerprint == data.recorded


def test_the_fingerprint_of_tables_is_as_it_always_was() -> None:
    assert find("photos").fingerprint == "48075f4bfd008a45"


def test_a_damaged_image_is_an_error_that_names_it_also_where_its_store_is_damaged(
    own_images: Path,
) -> None:
    data = ImageData(str(own_images), image_size=32, batch_size=8, num_workers=0)
    data.prepare("train")
    pixels, _ = data._prepare("train")
    pixels._crc32[:] = 0
    first = data.images.where("train", 0).split("(")[1].split(")")[0]
    Path(first).write_bytes(b"")
    with (
        pytest.warns(UserWarning, match="are damaged"),
        pytest.raises(BadImageError, match=rf"train: row \d+ \({first}\): the file is empty"),
    ):
        pixels(0)
