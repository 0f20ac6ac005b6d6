"""Images in folders named after their classes, below train, validation and test if there are."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lit_effnet.locations import Location

EXTENSIONS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".avif"),
    *(".tif", ".tiff", ".mpo", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".jp2"),
)

UNREADABLE = (".heic", ".heif", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".svg", ".psd", ".jxl")

OTHER_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}


def load_class_folders(folder: Location) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """The splits of a folder by our names, and notes on what in it was no image.

    Links are followed. A folder without an image is no class; a file whose name has another
    ending is no image.

    Raises:
        ValueError: no image in a folder of a class, splits beside classes, or a split with
            classes that train has not.
    """
    splits = _split_folders(folder) or {"train": folder}
    files = {split: _images_by_class(root) for split, root in splits.items()}
    first, found = next(iter(files.items()))
    classes = [name for name, images in found.images.items() if images]
    if not classes:
        others = f", only {found.others.total():,} other files" if found.others else ""
        raise ValueError(
            f"{splits[first]}: has no images in folders of classes (FOLDER/CLASS/IMAGE{others}; "
            f"accepted are {' '.join(EXTENSIONS[:6])} ..., or a folder of parquet files)"
        )
    rows = {}
    for split, of_split in files.items():
        unknown = [name for name, images in of_split.images.items() if images]
        if unknown := sorted(set(unknown) - set(classes)):
            raise ValueError(
                f"{splits[split]}: has classes that {splits[first]} has not: "
                f"{', '.join(unknown[:5])}"
            )
        rows[split] = _rows(of_split.images, classes)
    return rows, tuple(note for of_split in files.values() for note in of_split.notes())


class _Found:
    """What a folder holds: paths of images by class, and how many other files by ending."""

    def __init__(self) -> None:
        self.images: dict[str, list[str]] = {}
        self.others: Counter[str] = Counter()

    def notes(self) -> Iterable[str]:
        """What a person would not expect to be left out."""
        if empty := [name for name, images in self.images.items() if not images]:
            shown = ", ".join(empty[:5]) + " ..." * (len(empty) > 5)
            yield f"no class, since there is no image in it: {shown}"
        pictures = {kind: count for kind, count in self.others.items() if kind in UNREADABLE}
        for kind, count in pictures.items():
            yield f"{kind} files cannot be read ({count:,} left out): convert them to JPEG or PNG"
        others = Counter({k: count for k, count in self.others.items() if k not in pictures})
        if others:
            kinds = [
                f"{count:,} {kind or 'without ending'}" for kind, count in others.most_common(5)
            ]
            yield f"files that are no images are left out: {', '.join(kinds)}"


def _images_by_class(root: Location) -> _Found:
    found = _Found()
    for folder in _subfolders(root):
        images = found.images.setdefault(folder.name, [])
        for place, folders, names in _walk(folder):
            folders[:] = sorted(name for name in folders if name[0] != ".")
            for name in sorted(names):
                if name[0] == ".":
                    continue
                ending = os.path.splitext(name)[1].lower()  # noqa: PTH122 # a million of them
                if ending in EXTENSIONS:
                    images.append(f"{place}/{name}")
                else:
                    found.others[ending] += 1
    return found


def _rows(images: Mapping[str, Sequence[str]], classes: Sequence[str]) -> Any:
    from datasets import ClassLabel, Dataset, Features, Image

    files: list[dict[str, str | None]] = []
    labels: list[int] = []
    for label, name in enumerate(classes):
        for path in images.get(name, ()):
            try:
                path.encode()
            except UnicodeEncodeError:
                raise ValueError(f"{path!r}: the file's name is not UTF-8; rename it") from None
            files.append({"bytes": None, "path": path})
            labels.append(label)
    features = Features({"image": Image(), "label": ClassLabel(names=list(classes))})
    return Dataset.from_dict({"image": files, "label": labels}, features=features)


def _split_folders(folder: Location) -> dict[str, Location]:
    """The folders that are splits, by our names; none where the folder holds classes."""
    subfolders = {entry.name: entry for entry in _subfolders(folder)}
    lowered = {name.lower(): entry for name, entry in subfolders.items()}
    splits = {
        ours: lowered[theirs]
        for ours, names in OTHER_NAMES.items()
        for theirs in names
        if theirs in lowered and list(_subfolders(lowered[theirs]))
    }
    others = sorted(set(subfolders.values()) - set(splits.values()))
    with_images = [other.name for other in others if _has_image(other)]
    if splits and with_images:
        raise ValueError(
            f"{folder}: has {', '.join(path.name for path in splits.values())} with folders in "
            f"them, as splits have, beside {', '.join(with_images[:5])}: move one or the other"
        )
    return splits


def _has_image(folder: Location) -> bool:
    return any(name.lower().endswith(EXTENSIONS) for _, _, names in _walk(folder) for name in names)


def _walk(folder: Location) -> Iterable[tuple[Any, list[str], list[str]]]:
    """Each folder below, with the names of the folders and files in it."""
    return os.walk(folder, followlinks=True) if isinstance(folder, Path) else folder.walk()


def _subfolders(folder: Location) -> Iterable[Location]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and entry.name[0] != ".")
