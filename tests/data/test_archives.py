"""The original archives of data sets, as they unpack, built by the libraries of their owners."""

import io
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from lit_effnet.data.decoding import decode
from lit_effnet.data.rows import encoded, labels_of, where
from lit_effnet.data.sources import find

CIFAR10 = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]


class Python2Pickler(pickle._Pickler):
    """Writes bytes as Python 2 wrote its strings, by which CIFAR's files were made."""

    dispatch = pickle._Pickler.dispatch.copy()

    def save_str_of_python2(self, text: bytes) -> None:
        if len(text) < 256:
            self.write(pickle.SHORT_BINSTRING + bytes([len(text)]) + text)
        else:
            self.write(pickle.BINSTRING + len(text).to_bytes(4, "little") + text)
        self.memoize(text)

    dispatch[bytes] = save_str_of_python2


def write_pickle(file: Path, content: object) -> None:
    stream = io.BytesIO()
    Python2Pickler(stream, protocol=2).dump(content)
    text = stream.getvalue().replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    file.write_bytes(text)


def batch(count: int, seed: int, **labels: int) -> dict[bytes, object]:
    """A batch as CIFAR's: rows of red, green and blue planes, labels and file names."""
    generator = np.random.default_rng(seed)
    data = generator.integers(0, 256, (count, 3072), dtype=np.uint8)
    numbers = {key.encode(): [(k + seed) % n for k in range(count)] for key, n in labels.items()}
    names = [f"image_{seed}_{k}.png".encode() for k in range(count)]
    return {b"batch_label": b"a batch", b"data": data, b"filenames": names, **numbers}


@pytest.fixture
def cifar10(tmp_path: Path) -> Path:
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for part in range(1, 6):
        write_pickle(folder / f"data_batch_{part}", batch(20, part, labels=10))
    write_pickle(folder / "test_batch", batch(20, 6, labels=10))
    names = [name.encode() for name in CIFAR10]
    meta = {b"num_cases_per_batch": 20, b"label_names": names, b"num_vis": 3072}
    write_pickle(folder / "batches.meta", meta)
    return folder


def test_cifar10_is_read_as_it_was_published(cifar10: Path) -> None:
    for folder in (cifar10, cifar10.parent):
        found = find("cifar10", str(folder))
        assert found.classes == tuple(CIFAR10)
        sizes = {name: len(rows) for name, rows in found.splits.items()}
        assert sizes == {"train": 90, "validation": 10, "test": 20}  # the cut of the hub's copy
        content = batch(20, 6, labels=10)
        assert labels_of(found.splits["test"]).tolist() == content[b"labels"]
        planes = content[b"data"][3].reshape(3, 32, 32)
        assert np.array_equal(decode(encoded(found.splits["test"], 3)), planes.transpose(1, 2, 0))
    own = find(str(cifar10))  # also by its folder alone
    assert own.classes == tuple(CIFAR10)
    assert len(own.splits["test"]) == 20


def test_cifar100_is_read_with_its_fine_labels(tmp_path: Path) -> None:
    for name, seed in (("train", 1), ("test", 2)):
        write_pickle(tmp_path / name, batch(200, seed, fine_labels=100, coarse_labels=20))
    names = {
        b"fine_label_names": [b"fine%d" % k for k in range(100)],
        b"coarse_label_names": [b"coarse%d" % k for k in range(20)],
    }
    write_pickle(tmp_path / "meta", names)
    found = find("cifar100", str(tmp_path))
    assert found.classes[:2] == ("fine0", "fine1")
    assert labels_of(found.splits["test"])[:3].tolist() == [2, 3, 4]
    coarse = find(str(tmp_path), label_column="coarse_label")
    assert coarse.classes[19] == "coarse19"


def test_pickles_of_python_3_are_read_too(cifar10: Path) -> None:
    for protocol in (2, 4):
        content = batch(20, 6, labels=10)
        (cifar10 / "test_batch").write_bytes(pickle.dumps(content, protocol=protocol))
        found = find("cifar10", str(cifar10))
        assert labels_of(found.splits["test"]).tolist() == content[b"labels"]


class Evil:
    def __reduce__(self) -> tuple[object, ...]:
        return print, ("run",)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: write_pickle(f, {b"data": Evil()}), "could run code and is not loaded"),
        (lambda f: f.write_bytes(f.read_bytes()[:900]), "is no pickle of plain arrays"),
        (lambda f: f.write_bytes(b""), "is no pickle of plain arrays"),
        (lambda f: write_pickle(f, [1]), "holds no dictionary"),
        (lambda f: write_pickle(f, {b"data": 1}), r"data must be \[N, 3072\]"),
        (
            lambda f: write_pickle(f, {b"data": np.zeros((2, 3072))}),
            "an array that is not of bytes",
        ),
        (lambda f: write_pickle(f, batch(20, 1, other=10)), "labels is missing"),
        (lambda f: write_pickle(f, batch(20, 1, labels=12)), "labels beyond its 10 classes"),
        (lambda f: (f.parent / "data_batch_3").unlink(), "data_batch_3: No such file"),
    ],
)
def test_a_pickle_of_anything_else_is_refused(
    spoil, message: str, cifar10: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil(cifar10 / "data_batch_1")
    with pytest.raises(ValueError, match=message) as error:
        find("cifar10", str(cifar10))
    assert "\n" not in str(error.value)
    assert capsys.readouterr().out == ""


def test_a_packed_archive_is_to_be_unpacked(tmp_path: Path) -> None:
    (tmp_path / "cifar-10-python.tar.gz").touch()
    with pytest.raises(ValueError, match="is a packed file, not a folder; unpack it"):
        find("cifar10", str(tmp_path / "cifar-10-python.tar.gz"))


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """As 102flowers.tgz, imagelabels.mat and setid.mat unpack: four images of each flower."""
    (tmp_path / "jpg").mkdir()
    labels = np.repeat(np.arange(1, 103), 4)
    for number, label in enumerate(labels, start=1):
        image = Image.new("RGB", (8, 8), (int(label), number % 256, 0))
        image.save(tmp_path / "jpg" / f"image_{number:05d}.jpg")
    savemat(tmp_path / "imagelabels.mat", {"labels": labels[None].astype(np.uint8)})
    ids = np.arange(1, len(labels) + 1, dtype=np.uint16)
    splits = {
        "trnid": ids[0::4],
        "valid": ids[1::4],
        "tstid": np.concatenate([ids[2::4], ids[3::4]]),
    }
    savemat(tmp_path / "setid.mat", {name: found[None] for name, found in splits.items()})
    return tmp_path


def test_flowers_are_read_with_their_official_splits(flowers: Path) -> None:
    found = find("flowers102", str(flowers))
    assert {name: len(rows) for name, rows in found.splits.items()} == {
        "train": 102,
        "validation": 102,
        "test": 204,
    }
    assert found.classes[:2] == ("pink primrose", "hard-leaved pocket orchid")
    for rows in found.splits.values():
        for row, label in enumerate(labels_of(rows)):
            number = int(where(rows, row).split("image_")[1][:5])
            assert label == (number - 1) // 4  # the owner's labels count from 1


@pytest.fixture
def dogs(tmp_path: Path) -> Path:
    """As images.tar and lists.tar unpack, with cell arrays of file names."""
    breeds = ["n02085620-Chihuahua", "n02085782-Japanese_spaniel", "n02116738-African_hunting_dog"]
    lists: dict[str, tuple[list[str], list[int]]] = {"train": ([], []), "test": ([], [])}
    for label, breed in enumerate(breeds, start=1):
        (tmp_path / "Images" / breed).mkdir(parents=True)
        for index in range(30):
            name = f"{breed}/{breed.split('-')[0]}_{index}.jpg"
            Image.new("RGB", (8, 8), (label, index, 0)).save(tmp_path / "Images" / name)
            files, labels = lists["test" if index % 3 == 0 else "train"]
            files.append(name)
            labels.append(label)
    for split, (files, labels) in lists.items():
        cells = np.empty((len(files), 1), dtype=object)
        cells[:, 0] = files
        content = {"file_list": cells, "annotation_list": cells, "labels": np.array([labels]).T}
        savemat(tmp_path / f"{split}_list.mat", content)
    return tmp_path


def test_dogs_are_read_with_their_official_splits(dogs: Path) -> None:
    found = find(str(dogs))
    assert found.classes == (
        "n02085620-Chihuahua",
        "n02085782-Japanese_spaniel",
        "n02116738-African_hunting_dog",
    )
    assert len(found.splits["test"]) == 30
    assert len(found.splits["train"]) + len(found.splits["validation"]) == 60
    for rows in found.splits.values():
        for row, label in enumerate(labels_of(rows)):
            assert found.classes[label] in where(rows, row)
            assert encoded(rows, row)


@pytest.mark.parametrize("name", ["setid.mat", "imagelabels.mat"])
def test_a_damaged_list_is_one_line(name: str, flowers: Path) -> None:
    (flowers / name).write_bytes(b"MATLAB 5.0 MAT-file, but no more")
    with pytest.raises(ValueError, match=f"{name}: is no file of MATLAB") as error:
        find("flowers102", str(flowers))
    assert "\n" not in str(error.value)
    savemat(flowers / name, {"other": [1]})
    with pytest.raises(ValueError, match=rf"{name}: has no (trnid|labels)"):
        find("flowers102", str(flowers))


def test_images_that_are_not_unpacked_are_one_line(flowers: Path) -> None:
    (flowers / "jpg").rename(flowers / "other")
    with pytest.raises(ValueError, match="jpg: no such folder; unpack the archive of images there"):
        find("flowers102", str(flowers))
