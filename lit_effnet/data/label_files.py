"""Read labels of a folder of images from a CSV file or list, or from one file for each split.

labels.csv           image,label      one line for each image, and a column `split` if there are any
lists/train.txt      cat/1.jpg 0      or a folder with a list for each split, also as CSV

An image is named by its path below the folder, with or without folders and ending.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from lit_effnet.data.class_folders import OTHER_NAMES
from lit_effnet.data.image_files import ImageFiles
from lit_effnet.runs.csv_text import read_lines
from lit_effnet.runs.documents import DocumentError, read_text
from lit_effnet.runs.paths import Location, locate

ENDINGS = (".csv", ".tsv", ".txt")
IMAGE_NAMES = (
    *("image", "images", "img", "file", "filename", "file_name", "path", "filepath", "file_path"),
    *("image_path", "image_name", "image_id", "imageid", "name", "id"),
)
LABEL_NAMES = ("label", "labels", "class", "class_name", "classname", "category", "target")
SPLIT_NAMES = ("split", "subset", "set", "fold")
SHOWN = 60  # characters of a cell in a message


class Line(NamedTuple):
    """A line of a label file: line number, name of the image, label and split."""

    number: int
    image: str
    label: str
    split: str


def load_label_files(
    folder: Location, name: str, image_column: str | None, label_column: str | None
) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Return the labelled images of a folder by split, and notes.

    Args:
        folder: The folder of images.
        name: The file, or a folder with a file for each split; also relative to `folder`.
        image_column: Name of the column of images; found by its name if None.
        label_column: Name of the column of labels; found by its name if None.

    Raises:
        ValueError: a file is missing or cannot be read, or an image is missing or has two labels.
    """
    place = locate(name, "labels")
    if not place.exists() and (folder / name).exists():
        place = folder / name
    if not place.exists():
        raise ValueError(f"labels {name}: no such file or folder")
    files = _lists(place) if place.is_dir() else {"": place}
    images = _Images(folder)
    rows: dict[str, dict[str, str]] = {}
    for split, file in files.items():
        lines = list(_lines(file, images, image_column, label_column))
        if not lines:
            raise ValueError(f"labels {file}: has no line")
        for line, path in images.resolved(file, split, lines):
            of_split = rows.setdefault(split or line.split, {})
            if of_split.setdefault(path, line.label) != line.label:
                raise ValueError(
                    f"labels {file} line {line.number}: {line.image[:SHOWN]!r} has two labels, "
                    f"{of_split[path][:SHOWN]!r} and {line.label[:SHOWN]!r}"
                )
    named = {path for of_split in rows.values() for path in of_split}
    notes = []
    if left := len(images.paths) - len(named):
        notes.append(f"{left:,} images have no line in {name} and are left out")
    if twice := sum(map(len, rows.values())) - len(named):
        notes.append(f"{twice:,} images are in more than one split")
    ordered = {split: rows[split] for split in OTHER_NAMES if split in rows}
    return {split: _dataset(of_split) for split, of_split in ordered.items()}, tuple(notes)


def _dataset(labels: Mapping[str, str]) -> Any:
    from datasets import Dataset, Features, Image, Value

    images = [{"bytes": None, "path": path} for path in labels]
    features = Features({"image": Image(), "label": Value("string")})
    return Dataset.from_dict({"image": images, "label": [*labels.values()]}, features=features)


def _split_of(word: str) -> str | None:
    """Return the usual name of a split; None for an unknown one."""
    lowered = word.strip().lower()
    return next((ours for ours, names in OTHER_NAMES.items() if lowered in names), None)


def _lists(folder: Location) -> dict[str, Location]:
    """Return the files of a folder that are named after splits."""
    found: dict[str, Location] = {}
    files: list[Location] = sorted(folder.iterdir(), key=str)
    for file in files:
        split = _split_of(re.split(r"[_.-]", file.name)[0])
        if split is None or not file.name.lower().endswith(ENDINGS):
            continue
        if split in found:
            raise ValueError(f"labels {folder}: has both {found[split].name} and {file.name}")
        found[split] = file
    if not found:
        raise ValueError(f"labels {folder}: has no train.csv, val.txt or the like")
    return found


class _Images:
    """Find image files below a folder by their names in a list."""

    def __init__(self, folder: Location) -> None:
        self.root = str(folder).rstrip("/")
        self.paths = {
            path[len(self.root) + 1 :]: path for path in ImageFiles([folder]).below(folder)
        }
        self._short: dict[str, str | None] = {}  # None for a name that two files have
        for below, path in self.paths.items():
            stem, base = posixpath.splitext(below)[0], posixpath.basename(below)
            for name in {stem, base, posixpath.splitext(base)[0]} - {below}:
                self._short[name] = None if name in self._short else path

    def find(self, name: str, folders: Sequence[str] = ("",)) -> str | None:
        """Return the path of an image, also inside one of the folders; None if there is none."""
        plain = name.strip().replace("\\", "/").removeprefix(f"{self.root}/")
        for folder in folders:
            below = posixpath.normpath(posixpath.join(folder, plain))
            if found := self.paths.get(below) or self._short.get(below):
                return found
        return None

    def resolved(
        self, file: Location, split: str, lines: Sequence[Line]
    ) -> Iterator[tuple[Line, str]]:
        """Yield each line with the path of its image.

        Raises:
            ValueError: an image is missing, or its name is ambiguous.
        """
        beside = str(file.parent).removeprefix(self.root).strip("/")
        missing = []
        for line in lines:
            folders = ["", *OTHER_NAMES.get(split or line.split, ()), beside]
            path = self.find(line.image, folders)
            if path is None:
                missing.append(line)
            else:
                yield line, path
        if missing:
            more = f" ({len(missing):,} of {len(lines):,} lines)" if len(missing) > 1 else ""
            raise ValueError(
                f"labels {file} line {missing[0].number}: {missing[0].image[:SHOWN]!r} is no "
                f"image below {self.root}, or more than one{more}"
            )


def _lines(
    file: Location, images: _Images, image_column: str | None, label_column: str | None
) -> Iterator[Line]:
    """Yield the lines of a file; the split is train if the file has none."""
    cells = list(_cells(file))
    if not cells:
        return
    image, label, split = 0, 1, 2 if len(cells[0][1]) == 3 else None
    header = cells[0][1]
    known = {*IMAGE_NAMES, *LABEL_NAMES, image_column, label_column}
    if images.find(header[0]) is None and any(c in known or c.lower() in known for c in header):
        del cells[0]
        image = _column(file, header, IMAGE_NAMES, "image_column", image_column)
        label = _column(file, header, LABEL_NAMES, "label_column", label_column)
        named = [index for index, name in enumerate(header) if name.lower() in SPLIT_NAMES]
        split = named[0] if named else None
    for number, row in cells:
        if len(row) <= max(image, label) or not row[label].strip():
            raise ValueError(f"labels {file} line {number}: must have an image and a label")
        of_split = None if split is None or split >= len(row) else _split_of(row[split])
        if split is not None and of_split is None:
            given = row[split][:SHOWN] if split < len(row) else ""
            raise ValueError(
                f"labels {file} line {number}: split {given!r} must be train, validation or test"
            )
        yield Line(number, row[image], row[label].strip(), of_split or "train")


def _column(
    file: Location, header: Sequence[str], usual: Sequence[str], flag: str, named: str | None
) -> int:
    """Return the index of a column: by its given name, by a usual name, or by position."""
    if named is not None:
        if named not in header:
            raise ValueError(f"{flag} {named!r}: must be one of {', '.join(header)[:SHOWN]}")
        return header.index(named)
    found = [header.index(name) for name in header if name.lower() in usual]
    if len(found) == 1:
        return found[0]
    if not found and len(header) == 2:
        return 0 if flag == "image_column" else 1
    raise ValueError(
        f"{flag} of {file} could be any of {', '.join(header)[:SHOWN]}: name it with --data.{flag}"
    )


def _cells(file: Location) -> Iterator[tuple[int, list[str]]]:
    """Yield line number and cells of each line that is not empty.

    Raises:
        ValueError: the file is not text in UTF-8, not CSV, or larger than 64 MiB.
    """
    try:
        text = read_text(file)
        first = next((line for line in text.splitlines() if line.strip()), "")
        delimiter = next((mark for mark in ("\t", ";", ",") if mark in first), None)
        if delimiter is None:
            for number, line in enumerate(text.splitlines(), start=1):
                if line.strip():
                    yield number, line.rsplit(None, 1)
            return
        for number, row in read_lines(text, str(file), delimiter):
            if any(cell.strip() for cell in row):
                yield number, [cell.strip() for cell in row]
    except DocumentError as error:
        raise ValueError(f"labels {error}") from error
    except OSError as error:
        raise ValueError(f"labels {file}: {error.strerror or error}") from error
