"""Data sets in a store: the same images, labels and batches as in the local folder."""

from collections.abc import Callable, Iterator
from pathlib import Path

import datasets
import fsspec
import pytest
import torch
from datasets import ClassLabel, Dataset, Features, Image

from lit_effnet.data.decoding import BadImageError
from lit_effnet.data.images import ImageData
from lit_effnet.data.sources import find


@pytest.fixture
def store(tmp_path: Path) -> Iterator[str]:
    """A folder of the test's own in fsspec's store in this process's memory."""
    files = fsspec.filesystem("memory")
    yield f"memory://{tmp_path.name}"
    if files.exists(f"/{tmp_path.name}"):
        files.rm(f"/{tmp_path.name}", recursive=True)


def put(folder: Path, url: str) -> None:
    for file in folder.rglob("*"):
        if file.is_file():
            with fsspec.open(f"{url}/{file.relative_to(folder).as_posix()}", "wb") as there:
                there.write(file.read_bytes())


def tables(images: Path, folder: Path, most: int | None = None) -> Path:
    """The images as two parquet files, one for each split."""
    files = sorted(images.rglob("*.jpg"))[:most]
    features = Features({"image": Image(), "label": ClassLabel(names=["a", "b", "c"])})
    for split in ("train", "test"):
        cells = [{"bytes": file.read_bytes(), "path": None} for file in files]
        labels = [index % 3 for index in range(len(files))]
        rows = Dataset.from_dict({"image": cells, "label": labels}, features=features)
        folder.mkdir(parents=True, exist_ok=True)
        rows.to_parquet(folder / f"{split}-00000-of-00001.parquet")
    return folder


def batch(name: str, **options: object) -> list[torch.Tensor]:
    data = ImageData(name, image_size=32, batch_size=8, num_workers=0, **options)
    data.setup("fit")
    return list(next(iter(data.train_dataloader())))


@pytest.mark.parametrize("keep_decoded", [True, False])
def test_class_folders_in_a_store_are_those_of_the_disk(
    own_images: Path, store: str, keep_decoded: bool
) -> None:
    (own_images / "cat" / "notes.txt").write_text("a cat")
    for name in ("__MACOSX", "cat/@eaDir"):
        (own_images / name).mkdir()
        (own_images / name / "00.jpg").write_bytes(b"a thumbnail")
    (own_images / "cat" / ".hidden").mkdir()
    (own_images / "cat" / ".hidden" / "x.jpg").write_bytes(b"no image")
    put(own_images, store)
    here, there = find(str(own_images)), find(store)
    assert here.first_fingerprint == there.fingerprint  # for which they are not all fetched
    assert here.notes == there.notes
    assert here.classes == ("cat", "dog", "test_tube")
    assert there.where("train", 0) == here.where("train", 0).replace(str(own_images), store)
    for a, b in zip(
        batch(str(own_images), keep_decoded=keep_decoded),
        batch(store, keep_decoded=keep_decoded),
        strict=True,
    ):
        assert torch.equal(a, b)


def test_splits_of_class_folders_are_found_in_a_store(own_images: Path, store: str) -> None:
    put(own_images, f"{store}/train")
    put(own_images, f"{store}/val")
    assert {name: len(rows) for name, rows in find(store).splits.items()} == {
        "train": 54,
        "validation": 60,
        "test": 6,
    }


def test_tables_in_a_store_are_those_of_the_disk(
    own_images: Path, store: str, tmp_path: Path
) -> None:
    folder = tables(own_images, tmp_path / "tables")
    put(folder, store)
    assert find(str(folder)).fingerprint == find(store).fingerprint
    for a, b in zip(batch(str(folder)), batch(store), strict=True):
        assert torch.equal(a, b)
    named = find("cifar10", store, image_column="image", label_column="label")
    assert len(named.splits["test"]) == 60


def test_tables_that_changed_are_fetched_again_and_others_are_not(
    own_images: Path, store: str, tmp_path: Path
) -> None:
    put(tables(own_images, tmp_path / "old"), store)
    before = set(Path(datasets.config.DOWNLOADED_DATASETS_PATH).glob("lit_effnet-*"))
    first = find(store).fingerprint
    assert find(store).fingerprint == first
    made = set(Path(datasets.config.DOWNLOADED_DATASETS_PATH).glob("lit_effnet-*")) - before
    assert len(made) == 1
    put(tables(own_images, tmp_path / "new", most=33), store)
    assert len(find(store).splits["test"]) == 33


@pytest.mark.parametrize("damage", [Path.unlink, lambda file: file.write_bytes(b"PAR1")])
def test_a_damaged_copy_of_tables_is_fetched_again(
    own_images: Path, store: str, tmp_path: Path, damage: Callable[[Path], object]
) -> None:
    put(tables(own_images, tmp_path / "tables", most=30), store)
    before = set(Path(datasets.config.DOWNLOADED_DATASETS_PATH).glob("lit_effnet-*"))
    first = find(store).fingerprint
    (copy,) = set(Path(datasets.config.DOWNLOADED_DATASETS_PATH).glob("lit_effnet-*")) - before
    damage(copy / "train-00000-of-00001.parquet")
    assert find(store).fingerprint == first


def test_what_datasets_saved_is_read_from_a_store(
    own_images: Path, store: str, tmp_path: Path
) -> None:
    folder = tables(own_images, tmp_path / "tables")
    datasets.load_dataset(str(folder)).save_to_disk(tmp_path / "saved")
    put(tmp_path / "saved", store)
    assert len(find(store).splits["test"]) == 60


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({}, "no such folder"),
        ({"cat/a.txt": b"x"}, "has no images in folders of classes"),
        ({"train.parquet": b"PAR1 but no more"}, "cannot be read"),
    ],
)
def test_a_store_without_images_is_one_line(
    content: dict[str, bytes], message: str, store: str
) -> None:
    for name, data in content.items():
        with fsspec.open(f"{store}/{name}", "wb") as file:
            file.write(data)
    with pytest.raises(ValueError, match=f"^{store}: {message}") as raised:
        find(store)
    assert "\n" not in str(raised.value)


def test_an_image_that_a_store_does_not_give_is_named(own_images: Path, store: str) -> None:
    put(own_images, f"{store}/train")
    data = ImageData(store, image_size=32, batch_size=8, num_workers=0)
    assert data.sizes()["train"] == 48
    lost = data.images.where("train", 7).split("(")[1].split(")")[0]
    fsspec.filesystem("memory").rm_file(lost)
    with pytest.raises(BadImageError, match=f"{lost}.*: the file cannot be read"):
        data.prepare("train")
