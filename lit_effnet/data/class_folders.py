"""Load images from folders named after their classes, optionally below folders of splits."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from lit_effnet.data.image_files import EXTENSIONS, ImageFiles, is_image, subfolders
from lit_effnet.data.label_lists import Listed, labels_of_list
from lit_effnet.data.labels import in_order
from lit_effnet.runs.paths import Location

UNREADABLE = (".heic", ".heif", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".svg", ".psd", ".jxl")

OTHER_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}


UNLABELLED = ("unlabeled", "unlabelled", "unsupervised", "unsup")
# Names of folders that are not classes, if train lacks them.
NO_CLASS = (
    *UNLABELLED,
    "unknown",
    "images",
    "imgs",
    "img",
    "data",
    "all",
    *chain(*OTHER_NAMES.values()),
)
MOST_NAMES = 5  # in a note


def load_class_folders(folder: Location) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Return the splits of a folder, and notes on what is left out.

    A folder without images is not a class. Images without class folders are labelled by a list
    beside them, or left out.

    Raises:
        ValueError: class folders without any image, splits beside classes, a split with classes
            that train lacks, or a folder that cannot be read.
    """
    splits, flat, notes = _split_folders(folder)
    found = _Found([*splits.values(), *flat.values()])
    images = {split: found.by_class(root) for split, root in splits.items()}
    first = next(iter(splits))
    classes = in_order(name for name, paths in images[first].items() if paths)
    if not classes:
        others = found.files.others.total()
        only = f", only {others:,} other files" if others else ""
        raise ValueError(
            f"{splits[first]}: has no images in folders of classes (FOLDER/CLASS/IMAGE{only}; "
            f"accepted are {' '.join(EXTENSIONS[:6])} ..., or a folder of parquet files)"
        )
    unlabelled = {split: list(found.files.below(root)) for split, root in flat.items()}
    for split in [split for split in images if split != first]:
        unlabelled[split] = _in_no_class(images[split], classes, splits[split], splits[first])
    notes += found.notes(classes)
    rows, number = {}, {name: label for label, name in enumerate(classes)}
    for split, names in OTHER_NAMES.items():
        labelled = [
            (path, number[name]) for name, paths in images.get(split, {}).items() for path in paths
        ]
        if unlabelled.get(split):
            place = {**splits, **flat}[split]
            listed = labels_of_list(
                names, _places(folder, place), unlabelled[split], classes
            ) or Listed({})
            labelled += listed.labels.items()
            notes += _of_list(place, listed, len(unlabelled[split]) - len(listed.labels))
        if labelled:
            rows[split] = _rows(labelled, classes)
        elif split in splits and not unlabelled.get(split):
            notes.append(f"{splits[split]}: has no images, and is left out")
    return rows, tuple(notes)


def _in_no_class(
    images: dict[str, list[str]], classes: Sequence[str], split: Location, first: Location
) -> list[str]:
    """Remove images in folders like `unknown` from a split, and return their paths.

    Raises:
        ValueError: classes that the first split lacks.
    """
    unknown = sorted({name for name, paths in images.items() if paths} - set(classes))
    if others := [name for name in unknown if name.lower() not in NO_CLASS]:
        raise ValueError(f"{split}: has classes that {first} has not: {_shown(others)}")
    return [path for name in unknown for path in images.pop(name)]


def _of_list(split: Location, listed: Listed, left: int) -> Iterable[str]:
    """Yield notes on images without class folders."""
    if listed.labels:
        yield f"{split}: {len(listed.labels):,} images are labelled by {listed.source}"
    if left:
        yield (
            f"{split}: {left:,} images are left out, since no list says their classes "
            "(docs/images.md names those that do)"
        )


class _Found:
    """Collect the images of class folders, and count what is left out.

    Args:
        roots: The folders of splits.
    """

    def __init__(self, roots: Sequence[Location]) -> None:
        classes = [path for root in roots for path in subfolders(root) if not _is_link(path)]
        self.files = ImageFiles(classes)
        self.empty: dict[str, None] = {}
        self.unlabelled: list[str] = []
        self.loose = 0

    def by_class(self, root: Location) -> dict[str, list[str]]:
        """Return the paths of the images in each folder of a split."""
        images: dict[str, list[str]] = {}
        self.loose += sum(is_image(path.name) for path in root.iterdir())
        for folder in subfolders(root):
            if _is_link(folder) and not self.files.follows(str(folder)):
                continue
            if folder.name.lower() in UNLABELLED:
                self.unlabelled.append(str(folder))
                continue
            images[folder.name] = list(self.files.below(folder))
            if not images[folder.name]:
                self.empty[folder.name] = None
        return images

    def notes(self, classes: Sequence[str]) -> Iterable[str]:
        """Yield notes on what is left out."""
        if empty := [name for name in self.empty if name not in classes]:
            yield f"no class, since there is no image in it: {_shown(empty)}"
        if self.unlabelled:
            yield f"no class, by its name: {_shown(self.unlabelled)}"
        if self.loose:
            yield f"left out: {self.loose:,} images beside the folders of classes"
        if self.files.links:
            yield f"links to what is read anyway are not followed: {_shown(self.files.links)}"
        if self.files.special:
            yield f"left out, being no regular files: {_shown(self.files.special)}"
        others = self.files.others
        for kind in UNREADABLE:
            if count := others.pop(kind, 0):
                yield (
                    f"{kind} files cannot be read ({count:,} left out): convert them to JPEG or PNG"
                )
        if others:
            kinds = [
                f"{count:,} {kind or 'without ending'}"
                for kind, count in others.most_common(MOST_NAMES)
            ]
            yield f"files that are no images are left out: {', '.join(kinds)}"


def _rows(labelled: Sequence[tuple[str, int]], classes: Sequence[str]) -> Any:
    from datasets import ClassLabel, Dataset, Features, Image

    for path, _ in labelled:
        try:
            path.encode()
        except UnicodeEncodeError:
            raise ValueError(f"{path!r}: the file's name is not UTF-8; rename it") from None
    features = Features({"image": Image(), "label": ClassLabel(names=list(classes))})
    columns = {
        "image": [{"bytes": None, "path": path} for path, _ in labelled],
        "label": [label for _, label in labelled],
    }
    return Dataset.from_dict(columns, features=features)


def _split_folders(
    folder: Location,
) -> tuple[dict[str, Location], dict[str, Location], list[str]]:
    """Return the folders of splits with class folders, those without, and notes.

    A folder without splits holds the classes of train.
    """
    inside = subfolders(folder)
    splits: dict[str, Location] = {}
    for split, path in _named_as_splits(inside):
        if not subfolders(path):
            continue
        if split in splits:
            both = f"{splits[split].name} and {path.name}"
            raise ValueError(f"{folder}: has {both}, which both mean {split}: move one of them")
        splits[split] = path
    others = [path for path in inside if path not in splits.values() and _has_image(path)]
    named = {path: split for split, path in _named_as_splits(others)}
    unlabelled = [path for path in others if path in named or _is_unlabelled(path.name)]
    if not splits:
        if others and others == unlabelled:
            raise ValueError(
                f"{folder}: {_shown([path.name for path in others])} hold images, but no folders "
                "of classes (FOLDER/train/CLASS/IMAGE)"
            )
        notes = [
            f"{path.name}: is taken for a class, since it lies beside classes" for path in named
        ]
        return {"train": folder}, {}, notes
    if classes := [path.name for path in others if path not in unlabelled]:
        raise ValueError(
            f"{folder}: has {', '.join(path.name for path in splits.values())} with folders in "
            f"them, as splits have, beside {_shown(classes)}: move one or the other"
        )
    flat = {named[path]: path for path in others if named.get(path, "train") not in splits}
    left = [path.name for path in others if path not in flat.values()]
    notes = [f"left out, since nothing says the classes of its images: {_shown(left)}"] * bool(left)
    return splits, flat, notes


def _named_as_splits(folders: Sequence[Location]) -> Iterable[tuple[str, Location]]:
    """Yield the usual name and folder of each folder that is named like a split."""
    lowered = {path.name.lower(): path for path in folders}
    for ours, names in OTHER_NAMES.items():
        yield from ((ours, lowered[theirs]) for theirs in names if theirs in lowered)


def _is_unlabelled(name: str) -> bool:
    """Return whether a folder's name means images without classes, such as Kaggle's `test1`."""
    return name.lower().rstrip("0123456789_-") in (*UNLABELLED, *chain(*OTHER_NAMES.values()))


def _places(folder: Location, split: Location) -> list[Location]:
    """Return the folders that may hold the list of a split's labels."""
    kits = [path for path in subfolders(folder) if "devkit" in path.name.lower()]
    return [split, folder, *(kit / "data" for kit in kits if (kit / "data").is_dir())]


def _has_image(folder: Location) -> bool:
    return any(True for _ in ImageFiles([folder]).below(folder))


def _is_link(folder: Location) -> bool:
    return isinstance(folder, Path) and folder.is_symlink()


def _shown(names: Sequence[str]) -> str:
    return ", ".join(names[:MOST_NAMES]) + " ..." * (len(names) > MOST_NAMES)
