"""Read YAML and JSON files from users, within bounds.

Python's readers accept any size and depth, let the last of two equal keys win, and raise many kinds
of exceptions. Here each problem is a `DocumentError` with one line: file, place, what is accepted.
"""

import json
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml

from lit_effnet.runs.paths import Location, is_url, read_file
from lit_effnet.runs.yaml_scan import LOADER, DocumentError, not_yaml, place, scan

__all__ = [
    "DocumentError",
    "check_yaml",
    "json_rows",
    "load_json",
    "load_yaml",
    "read_json",
    "read_text",
    "read_yaml",
    "text_of",
    "yaml_errors",
]

MOST_YAML = 2**20  # bytes; libyaml reads a megabyte in half a second
MOST_BYTES = 2**26
DEEPEST = 50  # nested lists and objects
WHOLE = range(-(2**63), 2**64)  # integers of 64 bits, signed or unsigned

BYTE_ORDER_MARKS = {b"\xff\xfe": "UTF-16", b"\xfe\xff": "UTF-16"}

_NO_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"?|[^][{}"]+', re.DOTALL)


def read_text(path: Location | str, most: int = MOST_BYTES) -> str:
    """Read a regular file of UTF-8 text.

    Args:
        path: The file, or its URL.
        most: Largest size in bytes.

    Raises:
        OSError: It cannot be read.
        DocumentError: It is too large, not a regular file, or not UTF-8.
    """
    name = str(path)
    if is_url(name):
        content = read_file(name)
    else:
        state = Path(name).stat()
        if stat.S_ISDIR(state.st_mode):
            raise IsADirectoryError(21, "Is a directory", name)
        if not stat.S_ISREG(state.st_mode):
            raise DocumentError(f"{name}: must be a regular file")
        with open(name, "rb") as file:  # noqa: PTH123 # faster, for 10,000 run folders
            content = file.read(most + 1)
    if len(content) > most:
        raise DocumentError(f"{name}: must have at most {most >> 20} MiB")
    return text_of(content, name)


def text_of(content: bytes, name: str) -> str:
    """Decode UTF-8, with or without a byte order mark.

    Raises:
        DocumentError: It is not UTF-8; the message says what it looks like.
    """
    if kind := BYTE_ORDER_MARKS.get(content[:2]):
        raise DocumentError(f"{name}: not UTF-8 text, but {kind}: save it as UTF-8")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        kind = "binary" if b"\x00" in content[:4096] else f"byte {error.start}"
        raise DocumentError(f"{name}: not UTF-8 text ({kind})") from error


def check_yaml(text: str, name: str = "") -> None:
    """Check a YAML text before parsing it.

    Args:
        text: Its content.
        name: The file, for messages.

    Raises:
        DocumentError: It is not YAML, nested too deeply, expands to too many values, or has a
            duplicate key, a key that is not text, a tag, or an integer of more than 64 bits.
    """
    scan(text, name, deepest=DEEPEST, whole=WHOLE)


def load_yaml(text: str, name: str = "") -> Any:
    """Check and parse a YAML text.

    Raises:
        DocumentError: As `check_yaml`, or a value is invalid, such as the date 2026-13-01.
    """
    check_yaml(text, name)
    with yaml_errors(name):
        return yaml.load(text, Loader=LOADER)


@contextmanager
def yaml_errors(name: str) -> Iterator[None]:
    """Turn errors of a YAML parser into `DocumentError`."""
    try:
        yield
    except yaml.YAMLError as error:
        raise DocumentError(not_yaml(name, error)) from error
    except (
        ValueError,
        OverflowError,
    ) as error:  # invalid: the date 2026-13-01, the float ._
        raise DocumentError(f"{place(name)}not YAML: {error}") from error


def load_json(text: str, name: str = "") -> Any:
    """Parse a JSON text.

    Raises:
        DocumentError: It is not JSON or incomplete, nested too deeply, or has a duplicate key or an
            integer of more than 64 bits.
    """
    before = f"{name}: " if name else ""
    if _depth(text) > DEEPEST:
        raise DocumentError(f"{before}must be nested at most {DEEPEST} deep")
    try:
        return json.loads(text, object_pairs_hook=_object, parse_int=_whole)
    except json.JSONDecodeError as error:
        raise DocumentError(f"{before}is not JSON, or incomplete ({error})") from error
    except DocumentError as error:
        raise DocumentError(f"{before}{error}") from None


def read_yaml(path: Location | str) -> Any:
    """Read a YAML file; raise OSError or DocumentError if it cannot be used."""
    return load_yaml(read_text(path, MOST_YAML), str(path))


def read_json(path: Location | str) -> Any:
    """Read a JSON file; raise OSError or DocumentError if it cannot be used."""
    return load_json(read_text(path), str(path))


def json_rows(text: str) -> Iterator[tuple[int, Any]]:
    """Yield number and value of each line of JSON lines; a `DocumentError` for an invalid one."""
    for number, line in enumerate(text.removesuffix("\n").split("\n") if text else (), start=1):
        try:
            yield number, load_json(line)
        except DocumentError as error:
            yield number, error


def _depth(text: str) -> int:
    deepest = depth = 0
    for bracket in _NO_BRACKETS.sub("", text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _object(pairs: Iterable[tuple[str, Any]]) -> Mapping[str, Any]:
    items = [*pairs]
    mapping = dict(items)
    if len(mapping) < len(items):
        names = [name for name, _ in items]
        twice = next(name for name in names if names.count(name) > 1)
        raise DocumentError(f"{twice!r:.60}: given twice")
    return mapping


def _whole(digits: str) -> int:
    if len(digits) <= len(str(WHOLE[-1])) and (number := int(digits)) in WHOLE:
        return number
    raise DocumentError(f"the integer {digits:.30}: must have at most 64 bits")
