"""Splits cut from train: an image's side follows from the image alone."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from datasets import Dataset, Features
from datasets import Image as Encoded
from PIL import Image

from lit_effnet.data.class_folders import load_class_folders
from lit_effnet.data.images import ImageData
from lit_effnet.data.rows import labels_of, where
from lit_effnet.data.schema import Use
from lit_effnet.data.sources import find
from lit_effnet.data.splits import hashed_cut, image_hashes, missing_parts, stratified_cut


def folder_of(root: Path, count: int, first: int = 0) -> Path:
    """Three classes of `count` small images each, numbered from `first`."""
    for label, name in enumerate(("cat", "dog", "owl")):
        (root / name).mkdir(parents=True, exist_ok=True)
        for index in range(first, first + count):
            value = (37 * index + 80 * label) % 256
            Image.new("RGB", (8, 8), (value, index % 256, label)).save(root / name / f"{index}.png")
    return root


def sides(folder: Path, **options: object) -> dict[str, str]:
    """The split of each image by its file's name below the folder."""
    found = find(str(folder), **options)
    return {
        where(split, row).split(f"{folder}/")[1].rstrip(")"): name
        for name, split in found.splits.items()
        for row in range(len(split))
    }


def test_files_that_are_added_move_no_image(tmp_path: Path) -> None:
    """As a person does it: train on 40 files a class, then add 10 to each."""
    before = sides(folder_of(tmp_path / "images", 40))
    after = sides(folder_of(tmp_path / "images", 10, first=40))
    assert len(before) == 120
    assert len(after) == 150
    assert {file: after[file] for file in before} == before
    assert set(after.values()) == {"train", "validation", "test"}


def test_an_image_has_the_same_side_wherever_its_folder_lies(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "here", 30)
    shutil.copytree(folder, tmp_path / "a" / "copy elsewhere")
    assert sides(folder) == sides(tmp_path / "a" / "copy elsewhere")


def test_images_in_tables_keep_their_side_whatever_their_order(tmp_path: Path) -> None:
    files = sorted(folder_of(tmp_path / "images", 30).glob("*/*.png"))
    whole = Dataset.from_dict(
        {"image": [{"bytes": file.read_bytes(), "path": None} for file in files]},
        features=Features({"image": Encoded(decode=False)}),
    )
    order = np.random.default_rng(0).permutation(len(whole))
    assert np.array_equal(image_hashes(whole.select(order)), image_hashes(whole)[order])
    some = whole.select(order[:50])
    assert set(image_hashes(some)) <= set(image_hashes(whole))


@pytest.mark.parametrize(
    ("images", "sizes"), [(1, (1, 0, 0)), (2, (1, 1, 0)), (3, (1, 1, 1)), (4, None), (12, None)]
)
def test_a_small_class_has_an_image_on_each_side_as_far_as_it_has_enough(
    images: int, sizes: tuple[int, int, int] | None
) -> None:
    for seed in range(200):
        hashes = np.random.default_rng(seed).random(images)
        parts = hashed_cut(np.zeros(images, np.int64), hashes, ("validation", "test"))
        counts = tuple(len(parts[name]) for name in ("train", "validation", "test"))
        assert sum(counts) == images
        assert counts == sizes if sizes else min(counts) >= 1


def test_an_image_of_train_stays_there_when_images_are_added_to_its_class() -> None:
    """Else a network would be judged on images that it was trained on."""
    moved = 0
    for seed in range(300):
        hashes = np.random.default_rng(seed).random(40)
        for few in (5, 8, 20):
            if hashes[:few].max() < 0.2:
                continue  # the one case where the highest of a class that lies low has to move
            before = hashed_cut(np.zeros(few, np.int64), hashes[:few], ("validation", "test"))
            after = hashed_cut(np.zeros(40, np.int64), hashes, ("validation", "test"))
            moved += len(np.setdiff1d(before["train"], after["train"]))
    assert moved == 0


def test_a_cut_takes_a_tenth_for_each_split() -> None:
    hashes = np.random.default_rng(0).random(20_000)
    parts = hashed_cut(np.repeat([0, 1], 10_000), hashes, ("validation", "test"))
    assert len(parts["validation"]) == pytest.approx(2000, rel=0.05)
    assert len(parts["test"]) == pytest.approx(2000, rel=0.05)
    # And validation is the same one where there is a test split already.
    only = hashed_cut(np.repeat([0, 1], 10_000), hashes, ("validation",))
    assert np.array_equal(only["validation"], parts["validation"])


def test_copies_of_an_image_are_on_one_side_beside_other_images() -> None:
    hashes = np.array([0.05, 0.05, 0.05, 0.15, 0.15, 0.9, 0.9])
    parts = hashed_cut(np.zeros(7, np.int64), hashes, ("validation", "test"))
    assert [parts[name].tolist() for name in parts] == [[5, 6], [0, 1, 2], [3, 4]]


def test_a_run_without_a_rule_on_record_keeps_the_cut_that_it_had(tmp_path: Path) -> None:
    """The cut of version 0.1, written out: a tenth of every class, shuffled, then another."""
    folder = folder_of(tmp_path / "images", 25)
    old = find(str(folder), use=Use.of_run({"class_names": ["cat", "dog", "owl"]}))
    labels = np.repeat([0, 1, 2], 25)
    kept, validation = stratified_cut(labels, 0.1, 0)
    rest, test = stratified_cut(labels[kept], 0.1, 0)
    for name, rows in (("validation", validation), ("test", kept[test]), ("train", kept[rest])):
        assert labels_of(old.splits[name]).tolist() == labels[rows].tolist()
        assert [where(old.splits[name], k).split()[1] for k in range(len(rows))] == [
            str(row) for row in rows
        ]
    assert old.rule == "shuffle"
    assert find(str(folder)).rule == "hash"


def test_named_data_sets_keep_their_cut(tmp_path: Path) -> None:
    from lit_effnet.data.catalog import CATALOG

    rows, _ = load_class_folders(folder_of(tmp_path / "images", 25))
    parts, notes = missing_parts(rows, CATALOG["cifar10"], "shuffle")
    assert np.array_equal(parts["validation"], stratified_cut(np.repeat([0, 1, 2], 25), 0.1, 0)[1])
    assert notes == ["validation is 6 images cut from train, stratified, the same in every run"]


def test_data_that_changed_since_the_training_are_noted_or_refused(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "images", 25)
    told = {"class_names": ["cat", "dog", "owl"], "cut": "hash"}
    told["fingerprint"] = find(str(folder)).fingerprint
    old = {"class_names": told["class_names"]}
    old["fingerprint"] = find(str(folder), use=Use.of_run(old)).fingerprint
    with pytest.warns(UserWarning, match="is cut by the rule of earlier versions"):
        _ = ImageData(str(folder)).used_as(Use.of_run(old)).images
    folder_of(folder, 10, first=25)
    with pytest.warns(
        UserWarning, match="has changed since the run was trained on it .*renamed or removed"
    ):
        _ = ImageData(str(folder)).used_as(Use.of_run(told)).images
    with pytest.raises(ValueError, match="would be cut anew, with images that it was") as refused:
        _ = ImageData(str(folder)).used_as(Use.of_run(old)).images
    assert len(str(refused.value)) < 300 + len(str(folder))


def test_what_an_old_run_was_trained_on_is_found_again(tmp_path: Path) -> None:
    """Classes, splits and images of version 0.1, whose fingerprint this is."""
    for label, name in enumerate(("1", "2", "10")):
        (tmp_path / name).mkdir()
        for index in range(25):
            pixels = bytes((index * k + label) % 256 for k in range(192))
            (tmp_path / name / f"{index:02d}.ppm").write_bytes(b"P6 8 8 255\n" + pixels)
    record = {"class_names": ["1", "10", "2"], "fingerprint": "3f55f546874c5d12"}
    found = find(str(tmp_path), use=Use.of_run(record))
    assert found.fingerprint_as(record["fingerprint"]) == record["fingerprint"]
    assert found.classes == ("1", "10", "2")
    assert find(str(tmp_path)).classes == ("1", "2", "10")
