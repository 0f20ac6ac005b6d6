"""Read lists of labels for images without class folders, such as ImageNet's `val/`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from lit_effnet.runs.paths import Location

LARGEST_LIST = 2**26  # bytes; ImageNet's have 10 MB at most
ENDINGS = (".txt", ".csv", ".tsv")
DEVKIT_IDS = "ground_truth"  # in the name of a list of ImageNet's own numbers of its classes


@dataclass(frozen=True)
class Listed:
    """Labels of images from a list.

    Args:
        labels: Class number by path.
        source: Name of the list, and how its numbers are read.
    """

    labels: Mapping[str, int]
    source: str = ""


def labels_of_list(
    names: Sequence[str], folders: Sequence[Location], images: Sequence[str], classes: Sequence[str]
) -> Listed | None:
    """Return the labels of images from a list beside them; None if there is none that fits.

    Accepted are lists of `image class`, and of one class per line in the order of image names:
    Caffe's `val.txt`, Tiny ImageNet's `val_annotations.txt`, Kaggle's `LOC_val_solution.csv`,
    `*synset_labels.txt`, and `*ground_truth.txt` beside the `meta.mat` of ImageNet's kit.

    Args:
        names: Names of the split; the name of its list contains one of them.
        folders: Folders that may hold the list.
        images: Paths of the images.
        classes: Names of the classes; a number stands for a place in this order.
    """
    for folder in folders:
        for file in sorted(path for path in folder.iterdir() if _may_list(path, names)):
            lines = [line.strip() for line in _text(file).splitlines() if line.strip()]
            listed = _by_file(lines, images, classes) or _by_order(lines, images, classes, file)
            if listed:
                return Listed(listed.labels, file.name + listed.source)
    return None


def _may_list(path: Location, names: Sequence[str]) -> bool:
    name = path.name.lower()
    return (
        name.endswith(ENDINGS)
        and name[0] != "."
        and "submission" not in name  # Kaggle's sample, whose classes are made up
        and (any(called in name for called in names) or name.startswith("labels."))
        and path.is_file()
        and path.stat().st_size <= LARGEST_LIST
    )


def _text(file: Location) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return ""


def _by_file(lines: Sequence[str], images: Sequence[str], classes: Sequence[str]) -> Listed | None:
    """Return labels from lines that begin with an image's name, after at most one header."""
    paths = {PurePosixPath(path).name: path for path in images}
    paths |= {PurePosixPath(path).stem: path for path in images}
    found: dict[str, str] = {}
    for number, line in enumerate(lines):
        separator = next((s for s in ("\t", ",") if s in line), None)
        name, *rest = (part.strip().strip('"') for part in line.split(separator))
        path = paths.get(PurePosixPath(name).name)
        if path is None or not rest or not rest[0]:
            if number:  # names of columns
                return None
            continue
        found[path] = rest[0] if rest[0] in classes else rest[0].split()[0]
    return _numbered(found, classes)


def _by_order(
    lines: Sequence[str], images: Sequence[str], classes: Sequence[str], file: Location
) -> Listed | None:
    """Return labels from one class per line, for a list with as many lines as images."""
    if len(lines) != len(images):
        return None
    if all(
        line.isdecimal() for line in lines
    ):  # counted from 0, from 1, or in an order of their own
        wnids = _devkit_classes(file) if DEVKIT_IDS in file.name.lower() else {}
        lines = [wnids.get(int(line), "") for line in lines]
    ordered = sorted(images, key=lambda path: PurePosixPath(path).name)
    return _numbered(dict(zip(ordered, lines, strict=True)), classes)


def _numbered(found: Mapping[str, str], classes: Sequence[str]) -> Listed | None:
    """Return labels by class name, or by class number; None if a class is unknown."""
    number, how = {name: label for label, name in enumerate(classes)}, ""
    texts = set(found.values())
    if not texts <= set(number):
        number = {str(label): label for label in range(len(classes))}
        how = f", where 0 is {classes[0]}"
        if "0" not in texts or not texts <= set(number):  # perhaps counted from 1
            return None
    return Listed({path: number[text] for path, text in found.items()}, how) if found else None


def _devkit_classes(file: Location) -> dict[int, str]:
    """Return the WordNet id of each class by its number in ImageNet's kit, from `meta.mat`."""
    folders = (file.parent, file.parent.parent) if isinstance(file, Path) else ()
    patterns = ("meta.mat", "*/meta.mat", "*/data/meta.mat")
    tables = [found for folder in folders for like in patterns for found in folder.glob(like)]
    if not tables:
        return {}
    from scipy.io import loadmat

    try:
        synsets: Any = loadmat(tables[0], squeeze_me=True)["synsets"]
        return {int(row["ILSVRC2012_ID"]): str(row["WNID"]) for row in synsets}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
