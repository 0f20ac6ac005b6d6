"""Read rows of a split: labels, encoded images, files; and the fingerprint of its images."""

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
FINGERPRINTED_IMAGES = 64  # whose bytes are hashed if there are more


def labels_of(rows: Any) -> NDArray[np.int64]:
    """Return the labels `int64 [N]` of a split; -1 for no label."""
    import pyarrow.compute as pc

    chunks = [pc.fill_null(chunk, -1) for chunk in rows.data["label"].chunks]
    found = [np.asarray(chunk.to_numpy(zero_copy_only=False), np.int64) for chunk in chunks]
    return chosen(rows, np.concatenate(found) if found else np.empty(0, np.int64))


def chosen(rows: Any, stored: NDArray[Any]) -> NDArray[Any]:
    """Return the values of a split's rows, given those of all rows of its table.

    Indexing the split itself would gather all columns, including the images.
    """
    indices = rows._indices  # None for a split that is its whole table
    return stored if indices is None else stored[indices.column(0).to_numpy()]


def spread(count: int, most: int) -> Sequence[int]:
    """Return up to `most` of `count` indices, evenly spread from the first to the last."""
    return [int(index) for index in np.unique(np.linspace(0, count - 1, most, dtype=int))]


def encoded(rows: Any, index: int) -> bytes:
    """Return the encoded image of a row, from the table or from its file.

    Raises:
        OSError: the file cannot be read.
        BadImageError: the row has no image.
    """
    image = _image(rows, index)
    if image is None or (image["bytes"] is None and image["path"] is None):
        raise BadImageError("the row has no image")
    content: bytes | None = image["bytes"]
    return read_file(image["path"]) if content is None else content


def where(rows: Any, index: int) -> str:
    """Return where to find the image of a row: its number in the original table, and its file."""
    image = _image(rows, index) or {}
    return f"row {_place(rows, index)}" + (f" ({image['path']})" if image.get("path") else "")


def places(rows: Any) -> list[str]:
    """Return the file of each image of a split, or its row in the original table."""
    import pyarrow.compute as pc

    column = rows.data["image"]
    paths = [path for chunk in column.chunks for path in pc.struct_field(chunk, "path").to_pylist()]
    return [
        paths[place] or f"row {place}"
        for place in map(int, chosen(rows, np.arange(len(paths), dtype=np.int64)))
    ]


def _image(rows: Any, index: int) -> Any:
    """Return a row's image as bytes and path; faster than indexing the split."""
    return rows.data.fast_slice(_place(rows, index), 1).column("image")[0].as_py()


def _place(rows: Any, index: int) -> int:
    """Return the index in the table of a row of the split."""
    return index if rows._indices is None else int(rows._indices.column(0)[index].as_py())


def images_fingerprint(rows: Any, *, with_times: bool = False) -> str:
    """Return sixteen hexadecimal digits that follow from the encoded images of a split.

    All bytes are hashed for tables of at most 4 GB; otherwise the sizes of all images and the bytes
    of 64. `with_times` adds the modification times of image files. That detects a changed image of
    the same size, but differs between machines.
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
    """Return the SHA-256 of all image files; empty for more than 1 GB, or for remote files.

    1 GB takes about a second from memory. Remote files would have to be downloaded.
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
    """Add all bytes of a column of images from Arrow's buffers, independent of its chunks."""
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
    """Return bytes of each encoded image, and the modification time of its file: `[N, 2]`.

    Arrow keeps lengths apart from the bytes, so no image is read.
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
