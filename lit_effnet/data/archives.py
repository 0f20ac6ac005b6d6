"""Load the unpacked original archives of CIFAR-10, CIFAR-100, Flowers-102 and Stanford Dogs.

    cifar-10-batches-py/   data_batch_1 .. data_batch_5, test_batch, batches.meta
    cifar-100-python/      train, test, meta
    FOLDER/                jpg/image_00001.jpg .., imagelabels.mat, setid.mat
    FOLDER/                Images/n02085620-Chihuahua/.., train_list.mat, test_list.mat

Splits are the published ones. Pickles may hold numbers, bytes, lists and dictionaries only; any
other content could run code and is refused.
"""

import io
import pickle
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lit_effnet.runs.paths import Location

CIFAR_SIDE = 32  # pixels
PPM_HEADER = b"P6 32 32 255\n"  # an encoding that keeps the pixels and costs nothing
FLOWER_LISTS = {"train": "trnid", "validation": "valid", "test": "tstid"}


class Archive(NamedTuple):
    """An original archive: its splits by their usual names, and the column of its labels."""

    rows: Mapping[str, Any]
    label_column: str = "label"


def load_archive(folder: Location) -> Archive | None:
    """Return the archive in a folder; None if there is none.

    Raises:
        ValueError: a part of the archive is missing or damaged.
    """
    kinds: tuple[tuple[str, tuple[str, ...], Callable[[Location], Archive]], ...] = (
        ("cifar-10-batches-py", ("batches.meta", "test_batch"), _cifar10),
        ("cifar-100-python", ("meta", "train", "test"), _cifar100),
        ("", ("setid.mat", "imagelabels.mat"), _flowers),
        ("", ("train_list.mat", "test_list.mat"), _dogs),
        ("lists", ("train_list.mat", "test_list.mat"), _dogs),
    )
    for inner, files, load in kinds:
        for place in dict.fromkeys((folder, folder / inner)):
            if all((place / file).is_file() for file in files):
                return load(place)
    return None


def _cifar10(folder: Location) -> Archive:
    names = _texts(folder / "batches.meta", b"label_names")
    files = {"train": [f"data_batch_{part}" for part in range(1, 6)], "test": ["test_batch"]}
    splits = {
        split: _cifar_rows([folder / file for file in parts], {"label": (b"labels", names)})
        for split, parts in files.items()
    }
    return Archive(splits)


def _cifar100(folder: Location) -> Archive:
    labels = {
        f"{kind}_label": (
            f"{kind}_labels".encode(),
            _texts(folder / "meta", f"{kind}_label_names".encode()),
        )
        for kind in ("fine", "coarse")
    }
    splits = {split: _cifar_rows([folder / split], labels) for split in ("train", "test")}
    return Archive(splits, "fine_label")


def _cifar_rows(
    files: Sequence[Location], labels: Mapping[str, tuple[bytes, Sequence[str]]]
) -> Any:
    """Return a split of CIFAR with the column `img`, as on the hub, and columns of labels.

    Args:
        files: Its batches in order.
        labels: Key in the batch and class names, by column.
    """
    import pyarrow as pa
    from datasets import ClassLabel, Dataset, DatasetInfo, Features, Image

    pixels: list[NDArray[np.uint8]] = []
    numbers: dict[str, list[int]] = {column: [] for column in labels}
    for file in files:
        batch = _unpickled(file)
        data = batch.get(b"data")
        size = 3 * CIFAR_SIDE**2
        if not isinstance(data, np.ndarray) or data.ndim != 2 or data.shape[1] != size:
            raise ValueError(f"{file}: is no batch of CIFAR (data must be [N, {size}])")
        pixels.append(data)
        for column, (key, names) in labels.items():
            found = batch.get(key)
            if not isinstance(found, list) or len(found) != len(data):
                raise ValueError(f"{file}: is no batch of CIFAR ({key.decode()} is missing)")
            if not all(isinstance(label, int) and 0 <= label < len(names) for label in found):
                raise ValueError(f"{file}: has labels beyond its {len(names)} classes")
            numbers[column] += found
    planes = np.concatenate(pixels).reshape(-1, 3, CIFAR_SIDE**2)
    header = np.tile(np.frombuffer(PPM_HEADER, np.uint8), (len(planes), 1))
    encoded = np.hstack([header, planes.transpose(0, 2, 1).reshape(len(planes), -1)])
    ends = np.arange(len(encoded) + 1, dtype=np.int64) * encoded.shape[1]
    content = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(encoded), [None, pa.py_buffer(ends), pa.py_buffer(encoded)]
    )
    paths = pa.nulls(len(encoded), pa.string())
    images = pa.StructArray.from_arrays([content.cast(pa.binary()), paths], ["bytes", "path"])
    columns = {"img": images, **{column: pa.array(found) for column, found in numbers.items()}}
    features = {column: ClassLabel(names=list(names)) for column, (_, names) in labels.items()}
    info = DatasetInfo(features=Features({"img": Image(), **features}))
    return Dataset(pa.table(columns), info=info)


def _texts(file: Location, key: bytes) -> list[str]:
    names = _unpickled(file).get(key)
    if not isinstance(names, list) or not all(isinstance(name, bytes | str) for name in names):
        raise ValueError(f"{file}: has no list of {key.decode()}")
    return [name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in names]


def _unpickled(file: Location) -> dict[bytes, Any]:
    """Return the dictionary in a pickle of Python 2, with keys as bytes.

    Raises:
        ValueError: the file is missing or damaged, or holds more than plain values and arrays.
    """
    try:
        content = _PlainUnpickler(io.BytesIO(file.read_bytes()), encoding="bytes").load()
        if isinstance(content, dict):
            content = {_key(key): _plain(value) for key, value in content.items()}
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror or error}") from error
    # A damaged pickle fails in many ways, IndexError and MemoryError among them.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{file}: is no pickle of plain arrays and lists ({reason})") from error
    if not isinstance(content, dict):
        raise ValueError(f"{file}: holds no dictionary")
    return content


def _key(key: Any) -> Any:
    return key.encode() if isinstance(key, str) else key


def _plain(value: Any) -> Any:
    return value.array() if isinstance(value, _Array) else value


class _Array:
    """Stands for a NumPy array of bytes while a pickle is read."""

    def __init__(self, *_: Any) -> None:
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def array(self) -> NDArray[np.uint8]:
        """Return the array `uint8` that the state describes.

        Raises:
            ValueError: another data type, or a size that does not fit.
        """
        _, shape, kind, by_column, content = self.state
        if not isinstance(kind, _Kind) or not isinstance(content, bytes):
            raise ValueError("an array that is not of bytes")
        values = np.frombuffer(content, np.uint8)
        return values.reshape(shape[::-1]).T if by_column else values.reshape(shape)


class _Kind:
    """Stands for a NumPy data type, which must be bytes."""

    def __init__(self, code: str | bytes, *_: Any) -> None:
        if code not in ("u1", "|u1", b"u1", b"|u1"):
            raise ValueError("an array that is not of bytes")

    def __setstate__(self, state: Any) -> None:
        """Ignore the byte order; a number has one byte."""


def _latin1(text: str, encoding: str) -> bytes:
    """Return bytes as Python 3 writes them in a pickle for Python 2."""
    if encoding != "latin1":
        raise ValueError(f"bytes in {encoding}")
    return text.encode("latin1")


class _PlainUnpickler(pickle.Unpickler):
    """Read plain values and arrays of bytes, and refuse anything that could run code."""

    allowed: Mapping[tuple[str, str], Any] = {
        ("numpy.core.multiarray", "_reconstruct"): _Array,
        ("numpy._core.multiarray", "_reconstruct"): _Array,
        ("numpy", "ndarray"): _Array,
        ("numpy", "dtype"): _Kind,
        ("_codecs", "encode"): _latin1,
    }

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in for a name; only parts of arrays have one."""
        found = self.allowed.get((module, name))
        if found is None:
            raise pickle.UnpicklingError(f"{module}.{name} could run code and is not loaded")
        return found


def _flowers(folder: Location) -> Archive:
    from torchvision.datasets import Flowers102

    _check_images(folder / "jpg")
    names = Flowers102.classes
    labels = _column(folder / "imagelabels.mat", "labels") - 1
    if labels.min() < 0 or labels.max() >= len(names):
        raise ValueError(f"{folder / 'imagelabels.mat'}: labels must be from 1 to {len(names)}")
    splits = {}
    for split, key in FLOWER_LISTS.items():
        numbers = _column(folder / "setid.mat", key)
        if numbers.min() < 1 or numbers.max() > len(labels):
            raise ValueError(f"{folder / 'setid.mat'}: {key} must be from 1 to {len(labels)}")
        files = [f"{folder}/jpg/image_{number:05d}.jpg" for number in numbers]
        splits[split] = _file_rows(files, labels[numbers - 1], names)
    return Archive(splits)


def _dogs(folder: Location) -> Archive:
    images = folder / "Images" if (folder / "Images").is_dir() else folder.parent / "Images"
    _check_images(images)
    lists = {split: folder / f"{split}_list.mat" for split in ("train", "test")}
    files = {split: _cells(file, "file_list") for split, file in lists.items()}
    labels = {split: _column(file, "labels") - 1 for split, file in lists.items()}
    for split, numbers in labels.items():
        if numbers.min() < 0:
            raise ValueError(f"{lists[split]}: labels must be from 1")
    names = [""] * (1 + max(int(found.max()) for found in labels.values()))
    for split, found in files.items():
        count = len(labels[split])
        if len(found) != count:
            raise ValueError(f"{lists[split]}: has {len(found)} files and {count} labels")
        for file, label in zip(found, labels[split], strict=True):
            name = file.split("/")[0]
            if names[label] not in ("", name):
                raise ValueError(
                    f"{lists[split]}: label {label + 1} is both {names[label]!r} and {name!r}"
                )
            names[label] = name
    return Archive(
        {
            split: _file_rows([f"{images}/{file}" for file in found], labels[split], names)
            for split, found in files.items()
        }
    )


def _check_images(folder: Location) -> None:
    if not folder.is_dir():
        raise ValueError(f"{folder}: no such folder; unpack the archive of images there")


def _file_rows(files: Sequence[str], labels: NDArray[np.int64], names: Sequence[str]) -> Any:
    from datasets import ClassLabel, Dataset, Features, Image

    features = Features({"image": Image(), "label": ClassLabel(names=list(names))})
    images = [{"bytes": None, "path": file} for file in files]
    return Dataset.from_dict({"image": images, "label": labels.tolist()}, features=features)


def _column(file: Location, key: str) -> NDArray[np.int64]:
    """Return a vector of whole numbers from a MATLAB file, `int64 [N]`."""
    found = _matlab(file, key).reshape(-1)
    if not len(found) or found.dtype.kind not in "iuf":
        raise ValueError(f"{file}: {key} must be a list of whole numbers")
    return found.astype(np.int64)


def _cells(file: Location, key: str) -> list[str]:
    """Return a cell array of texts from a MATLAB file."""
    found = [np.asarray(cell).reshape(-1) for cell in _matlab(file, key).reshape(-1)]
    if not found or not all(len(cell) == 1 and cell.dtype.kind == "U" for cell in found):
        raise ValueError(f"{file}: {key} must be a list of file names")
    return [str(cell[0]) for cell in found]


def _matlab(file: Location, key: str) -> NDArray[Any]:
    """Return a variable of a MATLAB file.

    Raises:
        ValueError: the variable is missing, or the file is damaged.
    """
    from scipy.io import loadmat

    try:
        content = loadmat(io.BytesIO(file.read_bytes()), variable_names=[key])
    except OSError as error:
        raise ValueError(f"{file}: {error.strerror or error}") from error
    except Exception as error:  # a damaged file fails in many ways
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{file}: is no file of MATLAB ({reason})") from error
    if key not in content:
        raise ValueError(f"{file}: has no {key}")
    return np.asarray(content[key])
