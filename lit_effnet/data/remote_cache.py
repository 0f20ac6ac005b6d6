"""Tables of a data set in a store, as a local copy that `datasets` reads like any folder."""

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from lit_effnet.runs.paths import as_os_error, state_of

if TYPE_CHECKING:
    from upath import UPath

# Besides tables what tells their splits, configurations and types.
ENDINGS = (".parquet", ".arrow", ".json", ".md", ".yaml")


def fetched(folder: "UPath") -> Path:
    """A copy of a folder's tables, among the downloads of `datasets`; made if it is not there.

    A copy that lacks a file, or bytes of one, is made anew.

    Not by the downloads of `datasets` itself, which stop at HF_HUB_OFFLINE and take a changed file
    of a store without ETags for the old one. A folder whose files have changed has a new copy.

    Raises:
        OSError: the store or the disk does not do it.
    """
    import datasets

    url = str(folder)
    with as_os_error(url):
        found = folder.fs.find(folder.path, withdirs=False, detail=True)
    files: dict[str, Mapping[str, Any]] = {
        path[len(folder.path) :].lstrip("/"): info
        for path, info in sorted(found.items())
        if path.endswith(ENDINGS)
    }
    states = "".join(f"\n{name} {state_of(info)}" for name, info in files.items())
    digest = hashlib.sha256(f"{url}{states}".encode()).hexdigest()[:16]
    copy = Path(datasets.config.DOWNLOADED_DATASETS_PATH) / f"lit_effnet-{digest}"
    sizes = {name: info["size"] for name, info in files.items() if info["size"] is not None}
    if _is_whole(copy, sizes):
        return copy
    copy.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(copy.with_name(f".{copy.name}.lock")):
        if not _is_whole(copy, sizes):
            shutil.rmtree(copy, ignore_errors=True)
            _copy(folder, list(files), copy)
    return copy


def _is_whole(copy: Path, sizes: Mapping[str, int]) -> bool:
    """Whether each file is there with its number of bytes."""
    try:
        return copy.is_dir() and all(
            (copy / name).stat().st_size == size for name, size in sizes.items()
        )
    except OSError:
        return False


def _copy(folder: "UPath", names: list[str], copy: Path) -> None:
    """Fetch into a folder beside, and rename it; the lock is held."""
    from fsspec.callbacks import TqdmCallback

    unfinished = copy.with_name(f".{copy.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)  # of a process that was killed
    quiet = not sys.stderr.isatty()
    bar = TqdmCallback({"desc": f"fetch {folder}", "unit": " files", "disable": quiet})
    with as_os_error(str(folder)):
        folder.fs.get(
            [f"{folder.path.rstrip('/')}/{name}" for name in names],
            [os.fspath(unfinished / name) for name in names],
            callback=bar,
        )
    unfinished.rename(copy)
