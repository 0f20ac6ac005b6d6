"""One row of a split and what identifies all of them: labels, encoded images, places."""

import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lit_effnet.data.decoding import BadImageError
from lit_effnet.runs.paths import file_state, is_url, read_file

HASHED_BYTES = 4 * 2**30  # of encoded images, which take some seconds
HASHED_FILES = 2**30  # bytes of images in files of their own
FINGERPRINTED_IMAGES = 64  # whose bytes are looked at where there are more


def labels_of(rows: Any) -> NDArray[np.int64]:
    """Labels `int64 [N]` of a split; -1 where there is none."""
    import pyarrow.compute as pc

    chunks = [pc.fill_null(chunk, -1) for chunk in rows.data["label"].chunks]
    found = [np.asarray(chunk.to_numpy(zero_copy_only=False), np.int64) for chunk in chunks]
    return chosen(rows, np.concatenate(found) if found else np.empty(0, np.int64))


def chosen(rows: Any, stored: NDArray[Any]) -> NDArray[Any]:
    """What belongs to the rows of a split, of what belongs to those of its table.

    Asking the split itself would gather all columns, the images among them.
    """
    indices = rows._indices  # null for a split that is its whole table
    return stored if indices is None else stored[indices.column(0).to_numpy()]


def spread(count: int, most: int) -> Sequence[int]:
    """Up to `most` of `count` indices, evenly spread from the first to the last."""
    return [int(index) for index in np.unique(np.linspace(0, count - 1, most, dtype=int))]


def encoded(rows: Any, index: int) -> bytes:
    """The encoded image of a row, from the data set or from the file that it names.

    Raises:
        OSError: the file cannot be read.
        BadImageError: there is none.
    """
    image = _image(rows, index)
    if image is None or (image["bytes"] is None and image["path"] is None):
        raise BadImageError("the row has no image")
    content: bytes | None = image["bytes"]
    return read_file(image["path"]) if content is None else content


def where(rows: Any, index: int) -> str:
    """How a person finds the image of a row: its number at its owner's, and its file."""
    image = _image(rows, index) or {}
    return f"row {_place(rows, index)}" + (f" ({image['path']})" if image.get("path") else "")


def places(rows: Any) -> list[str]:
    """Return where a person finds each image of a split: its file, else its row at its owner's."""
    import pyarrow.compute as pc

    column = rows.data["image"]
    paths = [path for chunk in column.chunks for path in pc.struct_field(chunk, "path").to_pylist()]
    return [
        paths[place] or f"row {place}"
        for place in map(int, chosen(rows, np.arange(len(paths), dtype=np.int64)))
    ]


def _image(rows: Any, index: int) -> Any:
    """The cell of a row's image, as bytes and path; what indexing gives, but without its detour."""
    return rows.data.fast_slice(_place(rows, index), 1).column("image")[0].as_py()


def _place(rows: Any, index: int) -> int:
    """Where the row of a split stands in its table."""
    return index if rows._indices is None else int(rows._indices.column(0)[index].as_py())


def images_fingerprint(rows: Any, *, with_times: bool = False) -> str:
    """Sixteen hexadecimal digits that follow from the encoded images of a split.

    From all their bytes, where these lie in tables of at most 4 GB; else from the sizes of all
    and the bytes of 64. `with_times` adds when files of their own were last changed, which tells
    a changed image of the same size, but is another on every machine.
    """
    sizes = _sizes(rows)
    digest = hashlib.sha256(sizes[:, : 2 if with_times else 1].tobytes())
    table = rows.data["image"]
    if not sizes[:, 1].any() and table.nbytes <= HASHED_BYTES:
        _add_bytes(digest, table)
        if rows._indices is not None:
            digest.update(rows._indices.column(0).to_numpy().tobytes())
        return digest.hexdigest()[:16]
    for index in spread(len(rows), FINGERPRINTED_IMAGES):
        digest.update(_content(rows, index))
    return digest.hexdigest()[:16]


def files_digest(rows: Any) -> bytes:
    """SHA-256 of all bytes of images in files of their own; empty where these are too many.

    At most 1 GB of local files: about a second from memory. From a store the images would have to
    be fetched.
    """
    sizes = _sizes(rows)
    if not sizes[:, 1].any() or sizes[:, 0].sum() > HASHED_FILES or is_url(_path(rows, 0)):
        return b""
    with ThreadPoolExecutor(4) as threads:
        parts = threads.map(
            lambda index: hashlib.sha256(_content(rows, index)).digest(), range(len(rows))
        )
        return hashlib.sha256(b"".join(parts)).digest()


def _content(rows: Any, index: int) -> bytes:
    try:
        return encoded(rows, index)
    except (OSError, BadImageError):
        return b"cannot be read"


def _path(rows: Any, index: int) -> str:
    return str((_image(rows, index) or {}).get("path"))


def _add_bytes(digest: Any, column: Any) -> None:
    """Add all bytes of a column of images, as they lie in Arrow's buffers, however chunked."""
    import pyarrow.compute as pc

    for chunk in column.chunks:
        content = pc.struct_field(chunk, "bytes")
        _, offsets, buffer = content.buffers()
        if buffer is None or not len(content):
            continue
        width = np.int64 if pa.types.is_large_binary(content.type) else np.int32
        ends = np.frombuffer(offsets, width)[content.offset : content.offset + len(content) + 1]
        digest.update(memoryview(buffer)[int(ends[0]) : int(ends[-1])])


def _sizes(rows: Any) -> NDArray[np.int64]:
    """Bytes of each encoded image and, where it is a file of its own, when that changed: `[N, 2]`.

    Arrow keeps the lengths beside the bytes, so that no image is read for this.
    """
    import pyarrow.compute as pc

    found = []
    for chunk in rows.data["image"].chunks:
        lengths = pc.binary_length(pc.struct_field(chunk, "bytes"))
        sizes = np.zeros((len(chunk), 2), np.int64)
        sizes[:, 0] = pc.fill_null(lengths, -1).to_numpy(zero_copy_only=False)
        paths = pc.struct_field(chunk, "path")
        for place in np.flatnonzero(sizes[:, 0] < 0):
            sizes[place] = _file_state(paths[int(place)].as_py())
        found.append(sizes)
    return chosen(rows, np.concatenate(found) if found else np.empty((0, 2), np.int64))


def _file_state(path: str | None) -> tuple[int, int]:
    if path is None:
        return -1, 0
    try:
        return file_state(path)
    except OSError:
        return -1, 0
