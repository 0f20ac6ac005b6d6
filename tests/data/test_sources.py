"""Data sets as they are found: folders, parquet files, columns, splits, what is missing."""

import io
import shutil
from pathlib import Path

import datasets
import numpy as np
import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Image, Value
from PIL import Image as Pillow

from lit_effnet.data.catalog import CATALOG
from lit_effnet.data.decoding import BadImageError
from lit_effnet.data.rows import encoded, labels_of, where
from lit_effnet.data.sources import find, load_from_hub
from lit_effnet.data.splits import stratified_cut


def png(value: int, size: int = 8) -> bytes:
    file = io.BytesIO()
    Pillow.new("RGB", (size, size), (value % 256,) * 3).save(file, "PNG")
    return file.getvalue()


def rows(count: int, classes: int = 3, image: str = "image", label: str = "label") -> Dataset:
    features = Features(
        {image: Image(), label: ClassLabel(names=[f"c{k}" for k in range(classes)])}
    )
    images = [{"bytes": png(k), "path": None} for k in range(count)]
    return Dataset.from_dict({image: images, label: [k % classes for k in range(count)]}, features)


def write(folder: Path, **splits: Dataset) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    for name, split in splits.items():
        split.to_parquet(folder / f"{name}-00000-of-00001.parquet")
    return str(folder)


def test_a_folder_of_class_folders_is_cut_into_three_splits(own_images: Path) -> None:
    found = find(str(own_images))
    assert found.classes == ("cat", "dog", "test_tube")  # no split, whatever its name begins with
    assert list(found.splits) == ["train", "validation", "test"]
    paths = [where(split, index) for split in found.splits.values() for index in range(len(split))]
    assert len({path.split("(")[1] for path in paths}) == 60  # each image is in one split
    for split in found.splits.values():
        assert set(labels_of(split).tolist()) == {0, 1, 2}
        file = where(split, 0).split("(")[1].rstrip(")")
        assert encoded(split, 0) == Path(file).read_bytes()


def test_folders_named_as_splits_are_taken_as_such(own_images: Path, tmp_path: Path) -> None:
    root = tmp_path / "split"
    shutil.copytree(own_images, root / "train")
    shutil.copytree(own_images / "cat", root / "val" / "cat")
    shutil.copytree(own_images / "dog", root / "test" / "dog")
    sizes = {name: len(split) for name, split in find(str(root)).splits.items()}
    assert sizes == {"train": 60, "validation": 20, "test": 20}
    shutil.move(root / "val" / "cat", root / "val" / "cow")
    with pytest.raises(ValueError, match=r"val: has classes that .*train has not: cow"):
        find(str(root))


def test_hidden_and_other_files_are_no_images(own_images: Path) -> None:
    before = find(str(own_images))
    (own_images / "cat" / "notes.txt").write_text("a cat")
    (own_images / "cat" / "._00.jpg").write_bytes(b"resource fork")
    (own_images / ".ipynb_checkpoints").mkdir()
    (own_images / "README.png").write_bytes(png(1))
    assert find(str(own_images)).fingerprint == before.fingerprint
    deeper = own_images / "dog" / "more"
    deeper.mkdir()
    (deeper / "UPPER.JPG").write_bytes((own_images / "dog" / "00.jpg").read_bytes())
    assert sum(map(len, find(str(own_images)).splits.values())) == 61


def test_special_characters_in_a_path(own_images: Path, tmp_path: Path) -> None:
    odd = tmp_path / "my [own] *images* ?"
    shutil.copytree(own_images, odd)
    assert sum(map(len, find(str(odd)).splits.values())) == 60
    with pytest.raises(ValueError, match=r"takes .* in a path for patterns; rename it"):
        find(write(odd / "parquet", train=rows(30)))
    plain = write(tmp_path / "my parquet #1 (own)", train=rows(30))
    assert sum(map(len, find(plain).splits.values())) == 30


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda root: root / "none", "no such folder"),
        (lambda root: root.mkdir() or root, "has no images in folders of classes"),
        (lambda root: root.write_text("x") and root, "is a file, not a folder"),
        (
            lambda root: (root / "a").mkdir(parents=True) or (root / "a" / "b.txt").touch() or root,
            "has no images in folders of classes .*only 1 other files",
        ),
    ],
)
def test_a_folder_without_images_is_one_line(make, message: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        find("cifar10", str(make(tmp_path / "x")))
    assert "\n" not in str(raised.value)


def test_a_broken_parquet_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "train.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(ValueError, match="cannot be read") as raised:
        find(str(tmp_path))
    assert "\n" not in str(raised.value)


def test_what_datasets_saved_is_read(tmp_path: Path) -> None:
    DatasetDict(train=rows(40), test=rows(9)).save_to_disk(tmp_path / "dict")
    rows(40).save_to_disk(tmp_path / "one")
    assert len(find(str(tmp_path / "dict")).splits["test"]) == 9
    one = find(str(tmp_path / "one")).splits
    assert {name: len(set(labels_of(split))) for name, split in one.items()} == {
        "train": 3,
        "validation": 3,
        "test": 3,
    }


def test_columns_are_found_by_type_or_named(tmp_path: Path) -> None:
    found = find(write(tmp_path / "a", train=rows(30, image="picture", label="species")))
    assert found.classes == ("c0", "c1", "c2")
    two = rows(30).add_column("coarse", [0] * 30, feature=ClassLabel(names=["all"]))
    folder = write(tmp_path / "b", train=two)
    with pytest.raises(ValueError, match=r"^label_column could be label, coarse: name it with"):
        find(folder)
    assert find(folder, label_column="coarse").classes == ("all",)
    with pytest.raises(ValueError, match=r"^label_column 'x': must be one of image, label, coarse"):
        find(folder, label_column="x")
    with pytest.raises(ValueError, match=r"^image_column not found among label"):
        find(write(tmp_path / "c", train=rows(9).remove_columns("image")))


def test_files_saved_without_types_are_read(tmp_path: Path) -> None:
    """As pandas writes them: bytes for images, text or numbers for labels."""
    plain = Dataset.from_dict(
        {"content": [png(k) for k in range(40)], "name": ["owl", "ant"] * 20},
        Features({"content": Value("binary"), "name": Value("string")}),
    )
    found = find(write(tmp_path / "text", train=plain))
    assert found.classes == ("ant", "owl")
    assert labels_of(found.splits["train"])[:2].tolist() == [1, 0]
    assert encoded(found.splits["train"], 0) == png(0)
    numbers = plain.remove_columns("name").add_column("label", [0, 2] * 20)
    assert find(write(tmp_path / "number", train=numbers)).classes == ("0", "2")
    nested = Dataset.from_dict({"image": [{"bytes": png(1), "path": "a"}] * 20, "y": [0, 1] * 10})
    copies = find(write(tmp_path / "nested", train=nested)).splits  # of one image
    assert all(set(labels_of(split).tolist()) == {0, 1} for split in copies.values())


def test_labels_of_minus_one_are_an_error_but_for_a_split_without_labels(tmp_path: Path) -> None:
    unlabelled = (
        rows(9)
        .remove_columns("label")
        .add_column("label", [-1] * 9, feature=ClassLabel(names=["c0", "c1", "c2"]))
    )
    found = find(write(tmp_path / "a", train=rows(30), validation=rows(9), test=unlabelled))
    assert "test has no labels (all are -1) and is left out" in found.notes
    some = Dataset.from_dict({"image": rows(9)["image"][:], "label": [0, 1, -1] * 3}).cast(
        unlabelled.features
    )
    with pytest.raises(ValueError, match=r"split validation row 2 has label -1 \(3 such rows\)"):
        find(write(tmp_path / "b", train=rows(30), validation=some))


def test_cutting_is_stratified_repeatable_and_keeps_lone_images() -> None:
    labels = np.repeat([0, 1, 2, 3], [100, 31, 2, 1])
    kept, cut = stratified_cut(labels, 0.1, seed=0)
    assert np.bincount(labels[cut]).tolist() == [10, 3, 1]
    assert sorted([*kept, *cut]) == list(range(134))
    again = stratified_cut(labels, 0.1, seed=0)
    assert np.array_equal(cut, again[1])
    assert not np.array_equal(cut, stratified_cut(labels, 0.1, seed=1)[1])


def test_no_split_is_ever_cut_from_test(tmp_path: Path) -> None:
    test = rows(30)
    found = find(write(tmp_path, train=rows(40), test=test))
    assert len(found.splits["test"]) == 30
    assert len(found.splits["train"]) + len(found.splits["validation"]) == 40


def test_the_fingerprint_follows_images_labels_and_names(own_images: Path, tmp_path: Path) -> None:
    first = find(str(own_images)).fingerprint
    shutil.copytree(own_images, tmp_path / "copy")
    assert find(str(tmp_path / "copy")).fingerprint == first  # wherever it lies
    (own_images / "dog").rename(own_images / "wolf")
    renamed = find(str(own_images)).fingerprint
    assert renamed != first
    (own_images / "wolf" / "00.jpg").write_bytes(png(3))
    assert find(str(own_images)).fingerprint != renamed


def test_numbers_that_their_owner_sorted_as_text_are_noted(tmp_path: Path) -> None:
    names = ["1", "10", "2"]
    features = Features({"image": Image(), "label": ClassLabel(names=names)})
    images = [{"bytes": png(k), "path": None} for k in range(30)]
    table = Dataset.from_dict({"image": images, "label": [0, 1, 2] * 10}, features)
    found = find(write(tmp_path, train=table))
    assert found.classes == ("1", "10", "2")  # the owner's labels are kept
    (note,) = [note for note in found.notes if "sorted as text" in note]
    assert "label 1 is class '10'" in note


def test_an_unknown_name_lists_the_known() -> None:
    with pytest.raises(ValueError, match="must be one of photos, cifar10") as raised:
        find("flower102")
    assert "nearest: flowers102" in str(raised.value)


@pytest.mark.parametrize("name", [name for name, entry in CATALOG.items() if entry.hub_id])
def test_what_cannot_be_reached_says_what_was_tried_and_how_to_do_without(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be") as raised:
        find(name)
    message = str(raised.value)
    assert str(CATALOG[name].hub_id) in message
    assert "--data.path FOLDER reads a local copy (`hf download" in message
    assert "\n" not in message


def test_without_a_network_the_answer_comes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not offline by choice: the hub is asked once, at an address where nobody listens."""
    from huggingface_hub import HfApi, constants

    tried = []

    def refused(self: HfApi, hub_id: str, **options: object) -> None:
        tried.append(options["timeout"])
        raise OSError("Connection refused")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "dataset_info", refused)
    with pytest.raises(ValueError, match=r"the hub cannot be reached for a/b \(Connection refused"):
        load_from_hub("a/b")
    assert tried == [5.0]


LOCAL = {"cifar10": "cifar10_jpeg", "cifar100": "hub_fixtures/uoft-cs__cifar100",
         "flowers102": "flowers102", "imagenette": "imagenette",
         "tiny_imagenet": "hub_fixtures/zh-plus__tiny-imagenet",
         "imagenet": "imagenet_samples"}  # fmt: skip


@pytest.mark.realdata
@pytest.mark.parametrize("name", LOCAL)
def test_the_catalog_reads_the_schema_of_the_hub(name: str, real_data: Path) -> None:
    entry, found = CATALOG[name], find(name, str(real_data / LOCAL[name]))
    assert len(found.classes) == entry.num_classes
    for split in found.splits.values():
        Pillow.open(io.BytesIO(encoded(split, 0))).verify()
    if name in ("cifar10", "flowers102", "imagenette"):
        assert not [note for note in found.notes if "official" in note]
    if name == "flowers102":
        assert {n: len(s) for n, s in found.splits.items()} == {
            "train": 1020,
            "validation": 1020,
            "test": 6149,
        }
        assert np.bincount(labels_of(found.splits["train"])).tolist() == [10] * 102
    if name == "cifar10":
        assert {n: len(s) for n, s in found.splits.items()} == {
            "train": 45_000,
            "validation": 5_000,
            "test": 10_000,
        }
        assert np.bincount(labels_of(found.splits["validation"])).tolist() == [500] * 10


def dogs(count: int) -> Dataset:
    return rows(count, classes=120)


@pytest.mark.parametrize(
    ("name", "splits", "columns"),
    [
        ("stanford_dogs", {"train": 240, "test": 120}, {}),
        ("imagenet", {"train": 2000, "validation": 1000, "test": 10}, {}),
        ("tiny_imagenet", {"train": 400, "valid": 200}, {}),
        ("cifar100", {"train": 200, "test": 100}, {"image": "img", "label": "fine_label"}),
        ("cifar10", {"train": 200, "test": 100}, {"image": "img"}),
    ],
)
def test_the_catalog_reads_a_folder_of_its_schema(
    name: str, splits: dict[str, int], columns: dict[str, str], tmp_path: Path
) -> None:
    classes = CATALOG[name].num_classes
    folder = write(tmp_path, **{s: rows(n, classes, **columns) for s, n in splits.items()})
    found = find(name, folder)
    official = sum("where the official split has" in note for note in found.notes)
    assert official == len(CATALOG[name].splits)
    assert list(found.splits) == ["train", "validation", "test"][: len(found.splits)]
    assert "test" not in found.splits or "test" in CATALOG[name].splits
    assert "validation" in found.splits


def test_every_entry_says_where_it_comes_from_and_how_that_was_checked() -> None:
    assert set(CATALOG) == {
        "photos", "cifar10", "cifar100", "stanford_dogs", "flowers102", "imagenette",
        "tiny_imagenet", "imagenet",
    }  # fmt: skip
    for entry in CATALOG.values():
        assert entry.licence
        assert entry.citation
        assert entry.trap
        assert bool(entry.hub_id) == bool(entry.checked) == (entry.make is None)
    assert {n for n, e in CATALOG.items() if e.from_imagenet} == {
        "stanford_dogs", "imagenette", "tiny_imagenet", "imagenet",
    }  # fmt: skip


def test_tests_keep_their_arrow_tables_to_themselves() -> None:
    assert "lit_effnet-tests-" in str(datasets.config.HF_DATASETS_CACHE)


def test_the_same_class_has_the_same_number_in_every_split(tmp_path: Path) -> None:
    names = {"train": ["cat", "dog"], "test": ["dog", "cat"]}
    splits = {}
    for split, order in names.items():
        features = Features({"image": Image(), "label": ClassLabel(names=order)})
        images = [{"bytes": png(k), "path": None} for k in range(20)]
        splits[split] = Dataset.from_dict({"image": images, "label": [0] * 15 + [1] * 5}, features)
    DatasetDict(splits).save_to_disk(tmp_path / "a")
    found = find(str(tmp_path / "a"))
    assert found.classes == ("cat", "dog")
    assert labels_of(found.splits["test"]).tolist() == [1] * 15 + [0] * 5
    features = Features({"image": Image(), "label": ClassLabel(names=["cat", "cow"])})
    DatasetDict(train=splits["train"], test=splits["test"].cast(features)).save_to_disk(
        tmp_path / "b"
    )
    with pytest.raises(ValueError, match=r"split test has classes that train has not: \['cow'\]"):
        find(str(tmp_path / "b"))


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ([True, False], ("False", "True")),
        ([1, 2], ("1", "2")),
        ([10, 9], ("9", "10")),
        ([1.0, 3.0], ("1", "3")),
        ([0.5, 1.0], ("0.5", "1")),
        (["b", "a"], ("a", "b")),
    ],
)
def test_labels_of_any_kind_are_classes(labels: list, classes: tuple, tmp_path: Path) -> None:
    plain = Dataset.from_dict({"image": [png(k) for k in range(40)], "label": labels * 20})
    assert find(write(tmp_path, train=plain)).classes == classes


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1.0, float("nan")], "split train row 1 has no label"),
        ([1, None], "split train row 1 has no label"),
        (["a", None], "split train row 1 has no label"),
        ([[1], [2]], "name no class each"),
        ([0], "has only the class 0; there must be two at least"),
    ],
)
def test_labels_that_name_no_class_are_one_line(labels: list, message: str, tmp_path: Path) -> None:
    from lit_effnet.data.images import ImageData

    times = 40 // len(labels)
    plain = Dataset.from_dict({"image": [png(k) for k in range(40)], "label": labels * times})
    with pytest.raises(ValueError, match=message) as raised:
        ImageData(write(tmp_path, train=plain)).setup("fit")
    assert "\n" not in str(raised.value)


def test_a_null_label_of_a_class_label_is_one_line(tmp_path: Path) -> None:
    features = Features({"image": Image(), "label": ClassLabel(names=["a", "b"])})
    images = [{"bytes": png(k), "path": None} for k in range(20)]
    split = Dataset.from_dict({"image": images, "label": [0, None] * 10}, features)
    with pytest.raises(ValueError, match=r"split \w+ row \d+ has label -1"):
        find(write(tmp_path, train=split))


def test_a_row_without_an_image_is_a_bad_image(tmp_path: Path) -> None:
    images = [None if k == 7 else {"bytes": png(k), "path": None} for k in range(40)]
    split = Dataset.from_dict({"image": images, "label": [0, 1] * 20}, rows(2, 2).features)
    found = find(write(tmp_path, train=split))
    bad = [s for s, part in found.splits.items() for k in range(len(part))
           if found.where(s, k).split("row ")[1].split(" ")[0] == "7"]  # fmt: skip
    assert len(bad) == 1

    def read_all() -> None:
        for part in found.splits.values():
            for index in range(len(part)):
                encoded(part, index)

    with pytest.raises(BadImageError, match="the row has no image"):
        read_all()


def test_a_row_is_named_by_its_owners_number(tmp_path: Path) -> None:
    """Also after splits were cut from train."""
    found = find(write(tmp_path, train=rows(60)))
    original = rows(60)
    for split, part in found.splits.items():
        for index in range(len(part)):
            place = found.where(split, index)
            number = int(place.split("row ")[1].split(" ")[0])
            assert (
                encoded(part, index)
                == original.cast_column("image", Image(decode=False))[number]["image"]["bytes"]
            )
            assert place.startswith("train" if split == "train" else f"{split}, cut from train,")


def test_columns_that_make_no_sense_are_one_line(tmp_path: Path) -> None:
    folder = write(tmp_path, train=rows(30))
    with pytest.raises(ValueError, match=r"^image_column 'label': holds no images"):
        find(folder, image_column="label", label_column="image")
    with pytest.raises(ValueError, match=r"^image_column and label_column are both 'image'"):
        find(folder, image_column="image", label_column="image")


def test_splits_without_train_are_what_they_are_called(own_images: Path, tmp_path: Path) -> None:
    for split in ("val", "test"):
        shutil.copytree(own_images, tmp_path / "ev" / split)
    found = find(str(tmp_path / "ev"))
    assert list(found.splits) == ["validation", "test"]
    assert found.classes == ("cat", "dog", "test_tube")
    shutil.copytree(own_images / "cat", tmp_path / "ev" / "cow")
    with pytest.raises(ValueError, match="as splits have, beside cow: move one or the other"):
        find(str(tmp_path / "ev"))


def test_a_class_called_as_a_split_is_a_class(own_images: Path) -> None:
    (own_images / "dog").rename(own_images / "train")
    assert find(str(own_images)).classes == ("cat", "test_tube", "train")


def test_catalog_names_take_class_folders_by_our_names(own_images: Path, tmp_path: Path) -> None:
    root = tmp_path / "tiny"
    shutil.copytree(own_images, root / "train")
    shutil.copytree(own_images, root / "val")
    found = find("tiny_imagenet", str(root))
    assert {name: len(split) for name, split in found.splits.items()} == {
        "train": 60,
        "validation": 60,
    }
    assert len(find("cifar10", str(own_images)).splits["validation"]) == 6


def test_what_is_left_out_of_a_folder_is_noted_and_links_are_followed(
    own_images: Path, tmp_path: Path
) -> None:
    (own_images / "cat" / "a.heic").touch()
    (own_images / "cat" / "b.txt").touch()
    (own_images / "sketches").mkdir()
    (own_images / "dog").rename(tmp_path / "dogs")
    (own_images / "dog").symlink_to(tmp_path / "dogs")
    (own_images / "cat" / "broken.jpg").symlink_to(tmp_path / "nowhere")
    more = tmp_path / "more"
    more.mkdir()
    (more / "x.jpg").write_bytes(png(1))
    (own_images / "cat" / "linked").symlink_to(more)
    found = find(str(own_images))
    assert found.classes == ("cat", "dog", "test_tube")
    assert sum(map(len, found.splits.values())) == 62  # the broken link is a bad image
    notes = " ".join(found.notes)
    assert "no class, since there is no image in it: sketches" in notes
    assert ".heic files cannot be read (1 left out): convert them" in notes
    assert "files that are no images are left out: 1 .txt" in notes


def test_imagenettes_folder_of_one_size_is_taken(tmp_path: Path) -> None:
    """The hub's converted branch has a folder for each configuration."""
    for size in ("160px", "320px", "full_size"):
        for split, count in (("train", 40), ("validation", 20)):
            folder = tmp_path / size / split
            folder.mkdir(parents=True)
            rows(count, 10).to_parquet(folder / "0000.parquet")
    sizes = {name: len(split) for name, split in find("imagenette", str(tmp_path)).splits.items()}
    assert sizes == {"train": 40, "validation": 20}


def test_a_large_table_is_not_gathered_for_its_sizes(tmp_path: Path) -> None:
    """Tables may hold more bytes than one Arrow array; the same images, however chunked."""
    from datasets import concatenate_datasets

    from lit_effnet.data.rows import images_fingerprint

    whole = rows(30).cast_column("image", Image(decode=False))
    parts = concatenate_datasets([whole.select(range(10)), whole.select(range(10, 30))])
    assert len(parts.data["image"].chunks) > 1
    assert images_fingerprint(parts) == images_fingerprint(whole)
    assert images_fingerprint(whole.select([1, 0, *range(2, 30)])) != images_fingerprint(whole)
