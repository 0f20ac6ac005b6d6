"""List image files below a folder: regular files, each once, without files of the system."""

import os
import stat
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from lit_effnet.runs.paths import Location

EXTENSIONS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".avif"),
    *(".tif", ".tiff", ".mpo", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".jp2"),
)

# Files of macOS, Windows, Synology, Linux and Python, besides names that begin with a dot.
CLUTTER = frozenset(
    (
        *("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "$recycle.bin"),
        *("system volume information", "@eadir", "#recycle", "lost+found", "__pycache__"),
    )
)


def is_clutter(name: str) -> bool:
    """Return whether a file or folder belongs to a system or tool, and is not data."""
    return name.startswith(".") or name.lower() in CLUTTER


def ending(name: str) -> str:
    """Return the ending of a file's name in lower case, with its dot."""
    return os.path.splitext(name)[1].lower()  # noqa: PTH122 # a million of them


def is_image(name: str) -> bool:
    """Return whether a file's name is that of an image."""
    return not is_clutter(name) and ending(name) in EXTENSIONS


def subfolders(folder: Location) -> list[Location]:
    """Return the folders in a folder, sorted by name, without clutter.

    Raises:
        ValueError: the folder cannot be read.
    """
    try:
        inside: list[Location] = list(folder.iterdir())
        return sorted(path for path in inside if not is_clutter(path.name) and path.is_dir())
    except OSError as error:
        raise ValueError(f"{folder}: cannot be read ({error.strerror or error})") from error


class ImageFiles:
    """List image files below folders, and record what is left out.

    A link is followed unless it leads into a folder that is read anyway, or to a parent of one:
    a link to its own parent would turn 20 images into 800.

    Args:
        read: Folders that are read anyway.

    Attributes:
        others: Number of files that are not images, by ending.
        special: Pipes, devices and the like with names of images.
        links: Links that are not followed.
    """

    def __init__(self, read: Iterable[Location]) -> None:
        local = [os.path.realpath(folder) for folder in read if isinstance(folder, Path)]
        self._read: set[str] = set()
        self._around: set[str] = set()
        for folder in local:
            self._add(folder)
        self.others: Counter[str] = Counter()
        self.special: list[str] = []
        self.links: list[str] = []

    def _add(self, folder: str) -> None:
        self._read.add(folder)
        self._around.update(map(str, Path(folder).parents))

    def below(self, folder: Location) -> Iterator[str]:
        """Yield the paths of the images below a folder; files before folders, each by name.

        Raises:
            ValueError: a folder cannot be read.
        """
        try:
            if isinstance(folder, Path):
                yield from self._below(str(folder))
                return
            for place, folders, names in folder.walk():
                folders[:] = sorted(name for name in folders if not is_clutter(name))
                for name in sorted(names):
                    if not is_clutter(name) and self._is_image(name):
                        yield f"{place}/{name}"
        except OSError as error:
            where = error.filename or folder
            raise ValueError(f"{where}: cannot be read ({error.strerror or error})") from error

    def _below(self, top: str) -> Iterator[str]:
        waiting = [top]
        while waiting:
            with os.scandir(waiting.pop()) as found:
                entries = sorted(found, key=lambda entry: entry.name)
            folders = []
            for entry in entries:
                if is_clutter(entry.name) or (entry.is_symlink() and not self.follows(entry.path)):
                    continue
                mode = _mode(entry)
                if stat.S_ISDIR(mode):
                    folders.append(entry.path)
                elif self._is_image(entry.name):
                    if stat.S_ISREG(mode):
                        yield entry.path
                    else:
                        self.special.append(entry.path)
            waiting += reversed(folders)

    def follows(self, link: str) -> bool:
        """Return whether a link is followed; its folder then counts as read."""
        target = Path(os.path.realpath(link))
        is_folder = target.is_dir()
        if self._reads(target, is_folder) or (is_folder and str(target) in self._around):
            self.links.append(link)
            return False
        if is_folder:
            self._add(str(target))
        return True

    def _reads(self, target: Path, is_folder: bool) -> bool:
        """Return whether a file or folder is read as part of another folder."""
        if not is_folder and not (target.is_file() and ending(target.name) in EXTENSIONS):
            return False
        for part in (target, *target.parents):
            if str(part) in self._read:
                return True
            if is_clutter(part.name):  # as the files of git-annex and DVC are kept
                return False
        return False

    def _is_image(self, name: str) -> bool:
        if (kind := ending(name)) in EXTENSIONS:
            return True
        self.others[kind] += 1
        return False


def _mode(entry: "os.DirEntry[str]") -> int:
    """Return the type of a file; a broken link is a regular file, which fails when it is read."""
    if entry.is_symlink():
        try:
            return entry.stat().st_mode
        except OSError:
            return stat.S_IFREG
    if entry.is_dir(follow_symlinks=False):
        return stat.S_IFDIR
    return stat.S_IFREG if entry.is_file(follow_symlinks=False) else 0
