"""Cache of decoded images: one memory-mapped file for all workers, trials and runs.

A data set that fits is decoded once. The files are in `$LIT_EFFNET_CACHE`, by default
`~/.cache/lit_effnet`, in a folder named after the images' fingerprint and size:

    pixels.bin   uint8 [H, W, 3] of one image after the other
    index.npy    int64 [N, 3]: offset, height and width of each image
    crc32.npy    uint32 [N] of each image's pixels
    bad.json     reason by row of images that could not be decoded
    sha256       of these files but pixels.bin, of which the size is part

A damaged store is built again: its small files are checked when it is opened, each image when a
process first reads it.
"""

import hashlib
import json
import os
import re
import shutil
import sys
import warnings
import zlib
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from filelock import FileLock, Timeout

from lit_effnet.data.decoding import BadImageError, decode, open_image, quiet_decoders
from lit_effnet.data.rows import encoded, images_fingerprint, spread, where
from lit_effnet.runs.files import write_whole
from lit_effnet.runs.machine import available_cores

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLE = 256  # images whose headers tell how much room a split takes
SHARE = 0.5  # of the free disk, and of the machine's memory, that a store may take
FORMAT = "1"  # another number when the bytes of a store come to mean something else
SEAL = "sha256"
STORES = re.compile(r"[0-9a-f]{16}-(all|[0-9]+)-[0-9]+")  # names of their folders
UNREADABLE = "the file cannot be read"


class Store:
    """Decoded images of one split in a memory-mapped file; can be sent to workers.

    An image whose stored pixels are damaged is decoded from its own file.

    Args:
        folder: Folder of the store.
        rows: The split.
        short_side: Short side in pixels that the store was made with; None for all pixels.
        name: Name of the split, for messages.
    """

    def __init__(self, folder: Path, rows: Any, short_side: int | None, name: str) -> None:
        self.folder, self.rows, self.short_side, self.name = folder, rows, short_side, name
        # Read at once, so that the store stays usable after it is removed.
        self.bad = _read_bad(folder / "bad.json")
        self._index = np.load(folder / "index.npy")
        self._crc32 = np.load(folder / "crc32.npy")
        self._checked = np.zeros(len(self._index), bool)
        # A plain array over the mapping: slices of np.memmap are slow.
        self._pixels = np.asarray(np.memmap(folder / "pixels.bin", np.uint8, mode="r"))

    def __call__(self, row: int) -> "NDArray[np.uint8]":
        """Return the pixels `uint8 [H, W, 3]` of a row of the split."""
        begin, height, width = self._index[row]
        pixels = self._pixels[begin : begin + height * width * 3]
        if not self._checked[row]:
            if zlib.crc32(pixels.data) != self._crc32[row]:
                return self._decoded(row)
            self._checked[row] = True
        return pixels.reshape(height, width, 3)

    def _decoded(self, row: int) -> "NDArray[np.uint8]":
        """Decode a row whose stored pixels are damaged; the next run builds the store again."""
        warnings.warn(
            f"{self.name}: the decoded images in {self.folder} are damaged; such are decoded from "
            "their files, and the next run decodes all again",
            stacklevel=2,
        )
        with suppress(OSError):
            (self.folder / SEAL).unlink(missing_ok=True)
        try:
            return reduced(decode(encoded(self.rows, row)), self.short_side)
        except (BadImageError, OSError) as error:
            raise BadImageError(f"{self.name}: {where(self.rows, row)}: {error}") from error

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle without the mapping, which every process makes for itself."""
        return Store, (self.folder, self.rows, self.short_side, self.name)


def cache_folder() -> Path:
    """Return the folder of all stores."""
    named = os.environ.get("LIT_EFFNET_CACHE")
    if named:
        return Path(named).expanduser()
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "lit_effnet"


def decoded_bytes(rows: Any, short_side: int | None) -> float:
    """Estimate the bytes of a decoded split from the headers of 256 images."""
    sizes = []
    for index in spread(len(rows), SAMPLE):
        try:
            width, height = open_image(encoded(rows, index)).size
        except (BadImageError, OSError):
            continue
        sizes.append(3 * height * width * _reduction(height, width, short_side) ** 2)
    return float(np.mean(sizes)) * len(rows) if sizes else 0.0


def room() -> float:
    """Return the bytes that stores may take: half of the memory, and half of the free disk."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    folder = cache_folder()
    disk = shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.exists())).free
    return SHARE * min(memory, disk)


def place(rows: Any, short_side: int | None) -> Path:
    """Return the folder of a split's store, which may not exist."""
    fingerprint = images_fingerprint(rows, with_times=True)
    return cache_folder() / f"{fingerprint}-{short_side or 'all'}-{FORMAT}"


def open_store(rows: Any, short_side: int | None, say: Callable[[str], None], name: str) -> Store:
    """Open the store of a split, building it if it is missing or damaged.

    It is also built again if a file can be read now that could not be read then.

    Args:
        rows: The split.
        short_side: Short side in pixels to which larger images are reduced; None keeps all pixels.
        say: Called with a message for the user.
        name: Name of the split, for messages.

    Raises:
        OSError: the disk is full, or the cache cannot be written.
    """
    folder = place(rows, short_side)
    if _damage(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_name(f".{folder.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            say(f"{name}: another process is decoding the images; waiting for it")
            lock.acquire()
        try:
            if damage := _damage(folder):
                if folder.exists():
                    say(
                        f"{name}: the decoded images in {folder} are damaged or of an earlier "
                        f"version ({damage}); decoding them again"
                    )
                    _remove(folder)
                _build(folder, rows, short_side, name)
        finally:
            lock.release()
    store = Store(folder, rows, short_side, name)
    if any(why.startswith(UNREADABLE) and _readable(rows, row) for row, why in store.bad.items()):
        _remove(folder)
        return open_store(rows, short_side, say, name)
    return store


def _damage(folder: Path) -> str:
    """Return what is wrong with a store; empty if its files are intact."""
    try:
        return "" if (folder / SEAL).read_text() == _sealed(folder) else f"{SEAL} differs"
    except UnicodeDecodeError:
        return f"{SEAL} is no text"
    except OSError as error:
        return f"{Path(error.filename or folder).name}: {error.strerror}"


def _sealed(folder: Path) -> str:
    """Return the SHA-256 of the small files and of the size of the pixels."""
    digest = hashlib.sha256(str((folder / "pixels.bin").stat().st_size).encode())
    for name in ("index.npy", "crc32.npy", "bad.json"):
        digest.update((folder / name).read_bytes())
    return digest.hexdigest()


def _read_bad(file: Path) -> Mapping[int, str]:
    """Return the reason by row of images that could not be decoded.

    Raises:
        ValueError: the file is damaged.
    """
    content = json.loads(file.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        raise ValueError(f"{file}: must hold a mapping")
    return {int(row): str(why) for row, why in content.items()}


def _readable(rows: Any, row: int) -> bool:
    try:
        encoded(rows, row)
    except (OSError, BadImageError):
        return False
    return True


def remove_stores() -> int:
    """Remove all finished stores, and return the freed bytes.

    A process that has a store open can still read it.
    """
    freed = 0
    for folder in cache_folder().glob("*"):
        if STORES.fullmatch(folder.name):
            freed += sum(file.stat().st_size for file in folder.iterdir())
            _remove(folder)
        elif folder.name.endswith(".removed"):  # by a process that was killed
            shutil.rmtree(folder, ignore_errors=True)
    for file in cache_folder().glob("[!.]*-bad.json"):
        file.unlink(missing_ok=True)
    return freed


def _remove(folder: Path) -> None:
    """Rename a store and remove it, so that no process sees a part of it."""
    gone = folder.with_name(f".{folder.name}.{os.getpid()}.removed")
    with suppress(OSError):
        folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)


def _build(folder: Path, rows: Any, short_side: int | None, name: str) -> None:
    """Decode into a temporary folder, then rename it; the caller holds the lock."""
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)  # of a process that was killed
    unfinished.mkdir()
    try:
        index, bad, position = np.zeros((len(rows), 3), np.int64), {}, 0
        crc32 = np.zeros(len(rows), np.uint32)
        with quiet_decoders(), (unfinished / "pixels.bin").open("wb") as file:
            for row, result in enumerate(decoded(rows, short_side, name)):
                if isinstance(result, str):
                    bad[row] = result
                    continue
                index[row] = position, *result.shape[:2]
                crc32[row] = zlib.crc32(result.data)
                file.write(result.data)
                position += result.nbytes
            if not position:
                file.write(b"\0")  # an empty file cannot be mapped
        np.save(unfinished / "index.npy", index)
        np.save(unfinished / "crc32.npy", crc32)
        (unfinished / "bad.json").write_text(json.dumps(bad), encoding="utf-8")
        (unfinished / SEAL).write_text(_sealed(unfinished))
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def decoded(rows: Any, short_side: int | None, name: str) -> Iterator["NDArray[np.uint8] | str"]:
    """Yield the pixels of every row in order, or the reason for none; one thread for each core."""
    from tqdm import tqdm

    def decode_row(index: int) -> "NDArray[np.uint8] | str":
        try:
            return reduced(decode(encoded(rows, index)), short_side)
        except BadImageError as error:
            return str(error)
        except OSError as error:
            return f"{UNREADABLE} ({error.strerror or error})"

    count = len(available_cores())
    waiting: deque[Future[NDArray[np.uint8] | str]] = deque()
    bar = tqdm(
        total=len(rows),
        desc=f"decode {name}",
        unit=" images",
        leave=False,
        delay=1,
        disable=not sys.stderr.isatty(),
    )
    with ThreadPoolExecutor(count) as threads, bar:
        for index in range(len(rows)):
            waiting.append(threads.submit(decode_row, index))
            if len(waiting) > 2 * count:  # limits the decoded photographs in memory
                yield waiting.popleft().result()
                bar.update()
        while waiting:
            yield waiting.popleft().result()
            bar.update()


def reduced(pixels: "NDArray[np.uint8]", short_side: int | None) -> "NDArray[np.uint8]":
    """Return pixels `[H, W, 3]` reduced to a short side of at most `short_side`, by area means."""
    height, width = pixels.shape[:2]
    part = _reduction(height, width, short_side)
    if part == 1:
        return pixels
    size = (max(1, round(width * part)), max(1, round(height * part)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _reduction(height: int, width: int, short_side: int | None) -> float:
    return 1.0 if short_side is None else min(1.0, short_side / min(height, width))


def bad_rows(rows: Any, name: str) -> Mapping[int, str]:
    """Return the bad images of a split without a cache: reason by row, kept beside the caches."""
    file = cache_folder() / f"{images_fingerprint(rows, with_times=True)}-bad.json"
    with suppress(OSError, ValueError):
        return _read_bad(file)
    with quiet_decoders():
        found = enumerate(decoded(rows, None, name))
        bad = {row: result for row, result in found if isinstance(result, str)}
    if not any(why.startswith(UNREADABLE) for why in bad.values()):  # this may be temporary
        with suppress(OSError):  # the next run checks again
            file.parent.mkdir(parents=True, exist_ok=True)
            write_whole(file, json.dumps(bad))
    return bad
