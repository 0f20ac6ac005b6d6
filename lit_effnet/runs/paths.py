"""Paths of this machine, and URLs of stores that fsspec supports.

locate("runs/photos")       # pathlib's Path
locate("file:///x/runs")    # the same, as /x/runs
locate("s3://bucket/runs")  # universal_pathlib's UPath, which has the same methods
"""

import errno
import hashlib
import os
import re
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Union

if TYPE_CHECKING:
    from upath import UPath

Location: TypeAlias = Union[Path, "UPath"]

URL = re.compile(r"([A-Za-z][\w+.:-]*)://")
HERE = ("file", "local")  # fsspec's names of this machine's own files

# Attributes of a file in a store that change with it; a hash of its content comes first.
CHANGING = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "created")


def is_url(name: str) -> bool:
    """Whether a name is a URL, of any protocol."""
    return URL.match(name) is not None


def locate(name: str | Path, argument: str = "") -> Location:
    """Return the location of a path or URL; the store of a URL is contacted once.

    Args:
        name: A path, which may begin with `~`; `file://` and a path; or a URL for fsspec.
        argument: The argument with this name, for messages.

    Raises:
        ValueError: The protocol is unknown, lacks its package, or does not answer; or a NUL.
    """
    text, shown = str(name), f"{argument} {name}".strip()
    protocol = _protocol(text)
    if "\0" in text:
        raise ValueError(f"{shown!r}: must be a path without NUL")
    if protocol is None:
        _check_slashes(text, shown)
        # No shell expands --root=~. An unknown user's name stays; pathlib would raise.
        return Path(os.path.expanduser(text))  # noqa: PTH111
    import fsspec

    if protocol in HERE:
        return Path(fsspec.core.strip_protocol(text))
    from upath import UPath

    try:
        fsspec.get_filesystem_class(protocol)
    except ValueError:
        raise ValueError(
            f"{shown}: must be a local path, or the URL of a store that fsspec supports, such as "
            f"s3://BUCKET/FOLDER; {protocol}:// is unknown"
        ) from None
    except ImportError as error:
        raise ValueError(
            f"{shown}: must be in a store whose package is installed ({error}{_remedy(protocol)})"
        ) from error
    try:
        location = UPath(text)
        location.fs.invalidate_cache()  # others may have written there since
        location.exists()
    except Exception as error:  # each store's client raises its own types
        raise ValueError(f"{shown}: cannot be reached ({_reason(error)})") from error
    return location


def local(name: str, argument: str) -> Path:
    """Return a path of this machine.

    Args:
        name: A path, or `file://` and a path.
        argument: The argument with this name, for messages.

    Raises:
        ValueError: It is the URL of a store.
    """
    if _protocol(name) in (None, *HERE):
        return Path(locate(name))  # type: ignore[arg-type] # a Path for these protocols
    raise ValueError(f"{argument} {name}: must be a local path, not the URL of a store")


def read_file(name: str) -> bytes:
    """Return the content of a file; from a store, in one request.

    Raises:
        OSError: It cannot be read, or is not a regular file: a pipe would never end.
    """
    if not is_url(name):
        if not stat.S_ISREG(Path(name).stat().st_mode):
            raise OSError(errno.EINVAL, "not a regular file", name)
        return Path(name).read_bytes()
    from upath import UPath

    with as_os_error(name):
        # A new one each time: another process's or thread's client must not be used.
        location = UPath(name)
        return bytes(location.fs.cat_file(location.path))


def list_folder(url: str) -> Iterator[tuple[str, bool]]:
    """Yield the names in a folder of a store, and whether each is a folder.

    Raises:
        OSError: It cannot be read.
    """
    from upath import UPath

    with as_os_error(url):
        location = UPath(url)
        for info in location.fs.ls(location.path, detail=True):
            name = str(info["name"]).rstrip("/").rsplit("/", 1)[-1]
            yield name, info["type"] == "directory"


def write_file(location: "UPath", content: bytes | memoryview) -> None:
    """Write a file of a store; an object store shows it to readers once it is complete.

    Raises:
        OSError: It cannot be written.
    """
    with as_os_error(str(location)):
        location.write_bytes(content)  # type: ignore[arg-type] # fsspec takes any buffer


def file_state(name: str) -> tuple[int, int]:
    """Return the size of a file in bytes, and a positive number that changes with its content.

    For a file of this machine the number is its modification time in nanoseconds.

    Raises:
        OSError: It cannot be read.
    """
    if not is_url(name):
        state = Path(name).stat()
        return state.st_size, state.st_mtime_ns
    from upath import UPath

    with as_os_error(name):
        location = UPath(name)
        return state_of(location.fs.info(location.path))


def state_of(info: Mapping[str, Any]) -> tuple[int, int]:
    """Return size and number, as `file_state`, from a store's attributes of a file."""
    version = next((str(info[key]) for key in CHANGING if info.get(key)), "")
    return int(info["size"] or 0), 1 + int(hashlib.sha256(version.encode()).hexdigest()[:15], 16)


@contextmanager
def as_os_error(name: str) -> Iterator[None]:
    """Turn errors of a store's client into OSError."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:  # each client raises its own types
        raise OSError(errno.EIO, _reason(error), name) from error


def _protocol(name: str) -> str | None:
    match = URL.match(name)
    return match[1] if match else None


def _check_slashes(text: str, shown: str) -> None:
    """Raise ValueError for a path that was meant as a URL, like s3:BUCKET."""
    match = re.match(r"([a-z][a-z0-9]+):", text)
    if match is None:
        return
    from fsspec.registry import known_implementations

    if match[1] in known_implementations and not Path(text).exists():
        raise ValueError(f"{shown}: must begin with {match[1]}:// to be the URL of a store")


def _remedy(protocol: str) -> str:
    """Return how to install the package of a protocol; empty if fsspec has it."""
    from fsspec.registry import known_implementations

    package = known_implementations.get(protocol, {}).get("class", "fsspec").split(".")[0]
    return "" if package == "fsspec" else f": pip install {package}"


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
