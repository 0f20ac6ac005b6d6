"""Write files atomically, and remove the temporary files of killed writers."""

import errno
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from lit_effnet.runs.paths import Location, write_file

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT)

NEW_S = 60.0  # a writer locks its temporary file long before


def write_whole(path: Location, content: str | bytes | memoryview) -> None:
    """Write a file under a temporary name and rename it.

    A file in a store is written directly; object stores show complete files only.

    Raises:
        OSError: The file cannot be written; the old one is unchanged.
    """
    data = content.encode() if isinstance(content, str) else content
    if not isinstance(path, Path):
        write_file(path, data)
        return
    remove_leftovers(path)
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            try:
                _lock(file.fileno())
                _write(file, data)
                Path(file.name).chmod(0o644)
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as error:  # its file name is the temporary one, or missing
        raise OSError(error.errno, error.strerror, str(path)) from error


def reason(error: Exception) -> str:
    """Return the operating system's message without its number and the file's name."""
    return getattr(error, "strerror", None) or str(error)


def moved(variable: str, error: Exception) -> str:
    """Return the end of a message on a cache that cannot be written; empty for other errors.

    Args:
        variable: The environment variable that names the cache.
        error: What was raised.
    """
    refused = isinstance(error, OSError) and error.errno in REFUSED
    return f"; {variable} names another place" if refused else ""


@contextmanager
def scratch_folder(path: Path) -> Iterator[Path]:
    """Make a temporary folder beside a file, for its parts; remove it at the end.

    Raises:
        OSError: It cannot be made.
    """
    remove_leftovers(path)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        descriptor = os.open(folder, os.O_RDONLY) if fcntl is not None else None
        try:
            if descriptor is not None:
                _lock(descriptor)
            yield Path(folder)
        finally:
            if descriptor is not None:
                os.close(descriptor)


def remove_leftovers(path: Location) -> None:
    """Remove temporary files of killed writers beside a file; active writers hold a lock."""
    if not isinstance(path, Path) or fcntl is None:
        return
    pattern = re.compile(rf"\.{re.escape(path.name)}\.[a-z0-9_]{{8}}")  # as tempfile names them
    try:
        names = [name for name in os.listdir(path.parent) if pattern.fullmatch(name)]  # noqa: PTH208
    except OSError:
        return
    for left in map(path.with_name, names):
        with suppress(OSError):  # it is locked, or gone
            if time.time() - left.stat().st_mtime > NEW_S:
                _remove_unlocked(left)


def _remove_unlocked(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    if fcntl is not None:
        with suppress(OSError):  # some network file systems have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _write(file: IO[bytes], data: bytes | memoryview) -> None:
    file.write(data)
    file.flush()
    os.fsync(file.fileno())
