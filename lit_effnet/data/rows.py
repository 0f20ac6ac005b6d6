"""One row of a split and what identifies all of them: labels, encoded images, places."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

FINGERPRINTED_IMAGES = 64  # whose bytes are looked at, besides the sizes of all


def labels_of(rows: Any) -> NDArray[np.int64]:
    """Labels `int64 [N]` of a split."""
    return np.asarray(rows.with_format("numpy")["label"][:], np.int64)


def encoded(rows: Any, index: int) -> bytes:
    """The encoded image of a row, from the data set or from the file that it names.

    Raises:
        OSError: the file cannot be read.
    """
    image = rows[index]["image"]
    content: bytes | None = image["bytes"]
    return Path(image["path"]).read_bytes() if content is None else content


def where(rows: Any, index: int) -> str:
    """How a person finds the image of a row: its number, and its file if it has a name."""
    path = rows[index]["image"]["path"]
    return f"row {index}" + (f" ({path})" if path else "")


def images_fingerprint(rows: Any, *, with_times: bool = False) -> str:
    """Sixteen hexadecimal digits that follow from the encoded images of a split.

    All sizes and the bytes of 64 images; `with_times` also when files were last changed, which
    tells a changed image of the same size, but is another on every machine.
    """
    digest = hashlib.sha256(f"{len(rows)}".encode())
    for start in range(0, len(rows), 10_000):
        digest.update(_sizes(rows, start, start + 10_000, with_times).tobytes())
    for index in np.unique(np.linspace(0, len(rows) - 1, FINGERPRINTED_IMAGES, dtype=int)):
        try:
            digest.update(encoded(rows, int(index)))
        except OSError:
            digest.update(b"cannot be read")
    return digest.hexdigest()[:16]


def _sizes(rows: Any, start: int, end: int, with_times: bool) -> NDArray[np.int64]:
    """Encoded bytes of each image, and where it is a file of its own the time of its change."""
    import pyarrow.compute as pc

    images = rows.with_format("arrow")[start:end]["image"].combine_chunks()
    lengths = pc.binary_length(pc.struct_field(images, "bytes")).to_pylist()
    paths = pc.struct_field(images, "path").to_pylist()
    sizes = [
        (_file_state(path) if length is None else (length, 0))
        for length, path in zip(lengths, paths, strict=True)
    ]
    return np.asarray(sizes, np.int64)[:, : 2 if with_times else 1]


def _file_state(path: str) -> tuple[int, int]:
    try:
        state = Path(path).stat()
    except OSError:
        return -1, 0
    return state.st_size, state.st_mtime_ns
