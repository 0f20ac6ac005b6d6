"""Run folders on the disk, and what their files hold; what is none is named."""

import os
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lit_effnet.results.frame.run_parts import text_of
from lit_effnet.runs.documents import DocumentError, load_json
from lit_effnet.runs.paths import is_url, list_folder, locate

DEEPEST = 5  # folders below one that is given; a link that leads back would have no end


EMPTY = "no run folder: there is no run.json in it"


@dataclass(frozen=True)
class Skipped:
    """A folder or file that is left out of the table.

    Args:
        path: Path of the folder or file.
        reason: Reason, for the user.
    """

    path: str
    reason: str


@dataclass(frozen=True)
class Folder:
    """A run directory and the names of its files."""

    path: str
    files: frozenset[str]

    def text(self, name: str) -> str:
        """Return the text of a file.

        Raises:
            ValueError: The file cannot be read.
        """
        try:
            return text_of(self.path, name)
        except OSError as error:
            raise ValueError(f"{name}: cannot be read ({error})") from error
        except ValueError as error:
            raise ValueError(str(error).removeprefix(f"{self.path}/")) from error

    def json(self, name: str) -> dict[str, Any]:
        """Return the object in a JSON file.

        Raises:
            ValueError: The file cannot be read, or does not hold an object.
        """
        try:
            content = load_json(self.text(name), name)
        except DocumentError as error:
            raise ValueError(str(error)) from error
        if not isinstance(content, dict):
            raise ValueError(f"{name}: must hold an object, and holds {kind_of(content)}")
        return content


@dataclass
class Search:
    """Find the run directories below some folders, each once.

    A folder with a `run.json` or a W&B log is a run directory and is not searched further. Hidden
    folders are ignored. If no run is found below a folder, the topmost folder is reported.
    """

    runs: list[Folder] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    _seen: set[Hashable] = field(default_factory=set)

    def add(self, path: str | Path) -> None:
        """Look for runs in a folder, which may be one itself, and may lie in a store."""
        try:
            location = locate(path)
        except ValueError as error:
            self._skip(str(path), str(error).removeprefix(f"{path}: "))
            return
        name = str(location).rstrip("/") or "/"
        self._look(name, 0) or self._skip(name, EMPTY)

    def _look(self, path: str, depth: int) -> bool:
        """Add the run directories of a folder; return whether it holds a run or was reported."""
        try:
            identity, names, inner = _in_store(path) if is_url(path) else _on_disk(path)
        except OSError as error:
            return self._skip(path, f"cannot be read ({error.strerror or error})")
        if identity in self._seen:
            return True
        self._seen.add(identity)
        if "run.json" in names or any(name.endswith(".wandb") for name in names):
            self.runs.append(Folder(path, names))
            return True
        if inner and depth == DEEPEST:
            return self._skip(path, f"lies {DEEPEST} folders deep, and is not looked into")
        without = [one for one in inner if not self._look(one, depth + 1)]
        if len(without) == len(inner):
            return False
        return all(self._skip(one, EMPTY) for one in without)

    def _skip(self, path: str, reason: str) -> bool:
        self.skipped.append(Skipped(printable(path), reason))
        return True


def _on_disk(path: str) -> tuple[Hashable, frozenset[str], list[str]]:
    """Return the identity of a folder, its file names and its subfolders, symbolic links last."""
    status = os.stat(path)  # noqa: PTH116 # os's own are quicker, for 10,000 folders
    with os.scandir(path) as found:
        entries = sorted(found, key=lambda entry: (entry.is_symlink(), entry.name))
    inner = [entry.path for entry in entries if entry.name[0] != "." and entry.is_dir()]
    return (status.st_dev, status.st_ino), frozenset(entry.name for entry in entries), inner


def _in_store(url: str) -> tuple[Hashable, frozenset[str], list[str]]:
    """Return the same for a folder in remote storage, with one request."""
    folders = dict(list_folder(url))
    inner = [f"{url}/{name}" for name in sorted(folders) if folders[name] and name[0] != "."]
    return url, frozenset(folders), inner


def get(content: Mapping[str, Any], name: str, kind: type, *, needed: bool = False) -> Any:
    """Return a value of a JSON object, or None if the key is missing.

    Args:
        content: JSON object.
        name: Key of the value.
        kind: Required type; an int is accepted for float.
        needed: Whether the key must be present.

    Raises:
        ValueError: The value has another type, or a required key is missing.
    """
    value = content.get(name)
    if value is None:
        if needed:
            raise ValueError(f"{name}: is missing")
        return None
    if kind is float and type(value) is int and abs(value) < 2**63:
        return float(value)
    # A bool is an int, and no number of images; a column of a frame has 64 bits, or UTF-8.
    too_large = isinstance(value, int) and not -(2**63) <= value < 2**63
    half = isinstance(value, str) and not value.isascii() and printable(value) != value
    if type(value) is not kind or too_large or half:
        raise ValueError(f"{name} {value!r:.40}: must be {KINDS[kind]}")
    return value


def printable(text: str) -> str:
    """Return text that any file can hold; lone surrogates, as in odd file names, become "?"."""
    return text.encode(errors="replace").decode()


KINDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    dict: "an object",
    list: "a list",
    bool: "true or false",
    type(None): "null",
}


def kind_of(value: object) -> str:
    """Return the JSON type of a value, for messages."""
    return KINDS[type(value)]
