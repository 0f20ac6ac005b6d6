"""The store of decoded images: one memory-mapped file for all workers, trials and runs.

A data set that fits is decoded once. The files lie in `$LIT_EFFNET_CACHE`, else in
`~/.cache/lit_effnet`, in a folder that is named after the images' fingerprint and the size:

    pixels.bin   uint8 [H, W, 3] of one image after the other
    index.npy    int64 [N, 3]: where an image begins, its height and its width
    bad.json     what could not be decoded, and why
"""

import json
import os
import shutil
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from filelock import FileLock, Timeout

from lit_effnet.data.decoding import BadImageError, decode, open_image
from lit_effnet.data.rows import encoded

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLE = 256  # images whose headers tell how much room a split takes
SHARE = 0.5  # of the free disk, and of the machine's memory, that a store may take
FORMAT = "1"  # another number when the bytes of a store come to mean something else
WAITING = 64  # decoded images that wait to be written


@dataclass
class Store:
    """Decoded images of one split, read from the file that maps them; safe to send to workers."""

    folder: Path
    bad: Mapping[int, str] = field(default_factory=dict)
    _pixels: Any = field(default=None, repr=False)
    _index: Any = field(default=None, repr=False)

    def __call__(self, row: int) -> "NDArray[np.uint8]":
        """Pixels `uint8 [H, W, 3]` of a row of the split."""
        if self._pixels is None:
            self._index = np.load(self.folder / "index.npy")
            # A plain array over the mapping: slices of np.memmap are slow.
            self._pixels = np.asarray(np.memmap(self.folder / "pixels.bin", np.uint8, mode="r"))
        begin, height, width = self._index[row]
        pixels: NDArray[np.uint8] = self._pixels[begin : begin + height * width * 3]
        return pixels.reshape(height, width, 3)

    def __getstate__(self) -> dict[str, Any]:
        """Without the mapping, which every process makes for itself."""
        return {**self.__dict__, "_pixels": None, "_index": None}


def cache_folder() -> Path:
    """Where stores are kept."""
    named = os.environ.get("LIT_EFFNET_CACHE")
    if named:
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "lit_effnet"


def fits(rows: Any, largest_side: int | None) -> tuple[bool, str]:
    """Whether the decoded split fits beside everything else, and in words how much it takes.

    Judged by the headers of 256 images, against half of the free disk and of the memory.
    """
    sizes = []
    for index in np.unique(np.linspace(0, len(rows) - 1, SAMPLE, dtype=int)):
        try:
            width, height = open_image(encoded(rows, int(index))).size
        except (BadImageError, OSError):
            continue
        part = _reduction(height, width, largest_side)
        sizes.append(3 * height * width * part**2)
    needed = float(np.mean(sizes)) * len(rows) if sizes else 0.0
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    folder = cache_folder()
    disk = shutil.disk_usage(next(p for p in (folder, *folder.parents) if p.exists())).free
    return needed <= SHARE * min(memory, disk), f"{needed / 1e9:.1f} GB"


def open_store(
    rows: Any,
    fingerprint: str,
    short_side: int | None,
    say: Callable[[str], None],
    name: str,
) -> Store:
    """The store of a split, decoded now if no process has done so before.

    Args:
        rows: The split.
        fingerprint: Identifies the images of the split.
        short_side: Larger images are reduced to this short side, pixels; null keeps all pixels.
        say: Takes a line for a person.
        name: What the person calls the split.

    Raises:
        OSError: there is no room for it, or its place cannot be written.
    """
    stem = f"{fingerprint}-{short_side or 'all'}-{FORMAT}"
    folder = cache_folder() / stem
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_name(f".{stem}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            say(f"{name}: another process is decoding the images; waiting for it")
            lock.acquire()
        try:
            if not folder.exists():
                _build(folder, rows, short_side, name)
        finally:
            lock.release()
    bad = json.loads((folder / "bad.json").read_text(encoding="utf-8"))
    return Store(folder, {int(row): reason for row, reason in bad.items()})


def remove_stores() -> int:
    """Remove all stores; returns the bytes that were freed. Who reads one goes on reading."""
    freed = 0
    for folder in [pixels.parent for pixels in cache_folder().glob("*/pixels.bin")]:
        freed += sum(file.stat().st_size for file in folder.iterdir())
        shutil.rmtree(folder, ignore_errors=True)
    for file in cache_folder().glob("*-bad.json"):
        file.unlink(missing_ok=True)
    return freed


def _build(folder: Path, rows: Any, short_side: int | None, name: str) -> None:
    """Decode into a folder beside, and rename it; the lock is held."""
    unfinished = folder.with_name(f".{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)  # of a process that was killed
    unfinished.mkdir()
    try:
        index, bad, position = np.zeros((len(rows), 3), np.int64), {}, 0
        with (unfinished / "pixels.bin").open("wb") as file:
            for row, result in enumerate(decoded(rows, short_side, name)):
                if isinstance(result, str):
                    bad[row] = result
                    continue
                index[row] = position, *result.shape[:2]
                file.write(result.data)
                position += result.nbytes
            if not position:
                file.write(b"\0")  # an empty file cannot be mapped
        np.save(unfinished / "index.npy", index)
        (unfinished / "bad.json").write_text(json.dumps(bad), encoding="utf-8")
        unfinished.rename(folder)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise


def decoded(rows: Any, short_side: int | None, name: str) -> Iterator["NDArray[np.uint8] | str"]:
    """Pixels of every row in order, or why there are none; decoded by a thread for each core."""
    from tqdm import tqdm

    def decode_row(content: bytes) -> "NDArray[np.uint8] | str":
        try:
            return reduced(decode(content), short_side)
        except BadImageError as error:
            return str(error)

    waiting: deque[Future[NDArray[np.uint8] | str] | str] = deque()

    def first() -> "NDArray[np.uint8] | str":
        result = waiting.popleft()
        return result if isinstance(result, str) else result.result()

    bar = tqdm(
        total=len(rows),
        desc=f"decode {name}",
        unit=" images",
        leave=False,
        delay=1,
        disable=not sys.stderr.isatty(),
    )
    with ThreadPoolExecutor(len(available_cores())) as threads, bar:
        for index in range(len(rows)):
            try:
                waiting.append(threads.submit(decode_row, encoded(rows, index)))
            except OSError as error:
                waiting.append(f"the file cannot be read ({error.strerror})")
            if len(waiting) >= WAITING:
                yield first()
                bar.update()
        while waiting:
            yield first()
            bar.update()


def reduced(pixels: "NDArray[np.uint8]", short_side: int | None) -> "NDArray[np.uint8]":
    """Pixels `[H, W, 3]` with the short side at most `short_side`, by the mean over areas."""
    height, width = pixels.shape[:2]
    part = _reduction(height, width, short_side)
    if part == 1:
        return pixels
    size = (max(1, round(width * part)), max(1, round(height * part)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _reduction(height: int, width: int, short_side: int | None) -> float:
    return 1.0 if short_side is None else min(1.0, short_side / min(height, width))


def bad_rows(rows: Any, fingerprint: str, name: str) -> Mapping[int, str]:
    """What cannot be decoded of a split that has no store; remembered beside the stores.

    Raises:
        OSError: the place of the stores cannot be written.
    """
    file = cache_folder() / f"{fingerprint}-bad.json"
    if not file.exists():
        found = enumerate(decoded(rows, None, name))
        bad = {row: result for row, result in found if isinstance(result, str)}
        file.parent.mkdir(parents=True, exist_ok=True)
        written = file.with_name(f".{file.name}.{os.getpid()}")
        written.write_text(json.dumps(bad), encoding="utf-8")
        written.replace(file)
    return {int(row): why for row, why in json.loads(file.read_text(encoding="utf-8")).items()}


def available_cores() -> Sequence[int]:
    """The cores that this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return range(os.cpu_count() or 1)
