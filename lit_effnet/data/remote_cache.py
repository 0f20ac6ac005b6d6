"""Download the tables of a remote data set, so that `datasets` reads them like a local folder."""

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

# Tables, and the files that describe their splits, configurations and types.
ENDINGS = (".parquet", ".arrow", ".json", ".md", ".yaml")


def fetched(folder: "UPath") -> Path:
    """Return a local copy of a remote folder's tables, downloading it if needed.

    An incomplete copy is made again, and a folder whose files have changed gets a new one. The
    downloader of `datasets` is not used: it stops at HF_HUB_OFFLINE, and without ETags it takes a
    changed file for the old one.

    Raises:
        OSError: the download fails, or the disk is full.
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
    """Return whether each file exists with its full size."""
    try:
        return copy.is_dir() and all(
            (copy / name).stat().st_size == size for name, size in sizes.items()
        )
    except OSError:
        return False


def _copy(folder: "UPath", names: list[str], copy: Path) -> None:
    """Download into a temporary folder, then rename it; the caller holds the lock."""
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
