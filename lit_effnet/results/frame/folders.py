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
    """What is not in a table, and why.

    Args:
        path: A folder or a file.
        reason: What is wrong with it.
    """

    path: str
    reason: str


@dataclass(frozen=True)
class Folder:
    """A folder of a run, and the names of its files.

    Args:
        path: Where it is.
        files: Names of what is in it.
    """

    path: str
    files: frozenset[str]

    def text(self, name: str) -> str:
        """A file's text.

        Raises:
            ValueError: it cannot be read.
        """
        try:
            return text_of(self.path, name)
        except OSError as error:
            raise ValueError(f"{name}: cannot be read ({error})") from error
        except ValueError as error:
            raise ValueError(str(error).removeprefix(f"{self.path}/")) from error

    def json(self, name: str) -> dict[str, Any]:
        """The object in a JSON file.

        Raises:
            ValueError: it cannot be read, or holds something else.
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
    """Finds run folders below others, each once; what is none is named.

    A folder with a `run.json` is a run's, and not looked into further; so is one with a `.wandb`
    file, W&B's own. Of folders in which there is no run the uppermost is named. Hidden folders are
    left out.

    Args:
        runs: The run folders, in the order of their paths.
        skipped: What is none.
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
        """Whether there is a run, or what has been named already."""
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
    """What tells a folder from others, the names in it, and its folders; links come last."""
    status = os.stat(path)  # noqa: PTH116 # os's own are quicker, for 10,000 folders
    with os.scandir(path) as found:
        entries = sorted(found, key=lambda entry: (entry.is_symlink(), entry.name))
    inner = [entry.path for entry in entries if entry.name[0] != "." and entry.is_dir()]
    return (status.st_dev, status.st_ino), frozenset(entry.name for entry in entries), inner


def _in_store(url: str) -> tuple[Hashable, frozenset[str], list[str]]:
    """The same of a folder in a store, by one request."""
    folders = dict(list_folder(url))
    inner = [f"{url}/{name}" for name in sorted(folders) if folders[name] and name[0] != "."]
    return url, frozenset(folders), inner


def get(content: Mapping[str, Any], name: str, kind: type, *, needed: bool = False) -> Any:
    """A value of a JSON object; null where there is none.

    Args:
        content: The object.
        name: Of the value.
        kind: What it must be; a whole number is a number too.
        needed: It must be there.

    Raises:
        ValueError: it is of another kind, or it is needed and not there.
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
    """A text that every file can hold; half characters, as in odd file names, become "?"."""
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
    """What a value of JSON is, in words."""
    return KINDS[type(value)]
