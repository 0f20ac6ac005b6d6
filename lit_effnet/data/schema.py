"""Columns as owners name them to `image` and `label`, and labels to classes."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lit_effnet.data.catalog import Entry
from lit_effnet.data.cutting import cut_missing, not_official
from lit_effnet.data.labels import encode_labels
from lit_effnet.data.rows import labels_of

SPLITS = ("train", "validation", "test")


def labelled(
    rows: Mapping[str, Any],
    entry: Entry | None,
    image: str | None,
    label: str | None,
    found: Sequence[str] = (),
) -> tuple[dict[str, Any], tuple[str, ...], tuple[str, ...], frozenset[str]]:
    """Splits with columns `image` (encoded) and `label`, classes, notes, and which were cut.

    Args:
        rows: The splits as they were loaded, by our names.
        entry: The catalog's entry, if there is one.
        image: Name of the column of images; found by its type if null.
        label: Name of the column of labels; found by its type if null.
        found: Notes of what loaded them.

    Raises:
        ValueError: columns that are not found, classes that train has not, a label out of range.
    """
    features = next(iter(rows.values())).features
    image, label = image_column(features, image), label_column(features, label)
    if image == label:
        raise ValueError(f"image_column and label_column are both {image!r}")
    splits = {}
    for name, split in rows.items():
        if missing := {image, label} - set(split.features):
            raise ValueError(f"split {name} has no column {', '.join(sorted(missing))}")
        columns = split.select_columns([image, label])
        splits[name] = columns.rename_columns({image: "image", label: "label"})
    splits, classes = encode_labels(splits)
    splits = _encode_images(splits)
    notes = list(found)
    for name in ("validation", "test"):
        if name in splits and not _has_labels(splits[name]):
            del splits[name]
            notes.append(f"{name} has no labels (all are -1) and is left out")
    there = set(splits)
    splits, cut = cut_missing(splits, entry)
    notes += cut
    notes += not_official(splits, entry)
    if (shown := [c for c in classes if c.isdigit()]) and sorted(shown, key=int) != shown:
        notes.append(
            f"its classes are numbers sorted as text: label 1 is class {classes[1]!r}, "
            "not the second of its owner's list"
        )
    splits = {name: splits[name] for name in SPLITS if name in splits}
    for name, split in splits.items():
        _check_labels(name, split, len(classes))
    notes += _without_image(splits, classes)
    return splits, classes, tuple(notes), frozenset(set(splits) - there)


def image_column(features: Mapping[str, Any], named: str | None) -> str:
    """The column of images: the named one, else the only one that holds images.

    Raises:
        ValueError: none, or several, with what there is.
    """
    if named is not None:
        column = _column("image_column", named, features)
        if not _holds_images(features[column]):
            raise ValueError(f"image_column {named!r}: holds no images but {features[column]}")
        return column
    found = [name for name, feature in features.items() if _holds_images(feature)]
    return _only("image_column", found, features)


def label_column(features: Mapping[str, Any], named: str | None) -> str:
    """The column of labels: the named one, else the only one of classes, else of numbers or text.

    Raises:
        ValueError: none, or several, with what there is.
    """
    from datasets import ClassLabel, Value

    if named is not None:
        return _column("label_column", named, features)
    found = [name for name, feature in features.items() if isinstance(feature, ClassLabel)]
    if not found:
        found = [name for name in features if name in ("label", "labels", "class", "target")]
    if not found:
        kinds = ("int", "uint", "string", "large_string")
        found = [
            name
            for name, feature in features.items()
            if isinstance(feature, Value) and str(feature.dtype).startswith(kinds)
        ]
    return _only("label_column", found, features)


def _holds_images(feature: Any) -> bool:
    from datasets import Image, Value

    fields = feature if isinstance(feature, dict) else {}
    as_saved_without_types = isinstance(feature, Value) and feature.dtype in (
        "binary",
        "large_binary",
    )
    return isinstance(feature, Image) or {"bytes", "path"} <= set(fields) or as_saved_without_types


def _column(argument: str, named: str, features: Mapping[str, Any]) -> str:
    if named not in features:
        raise ValueError(f"{argument} {named!r}: must be one of {', '.join(features)}")
    return named


def _only(argument: str, found: Sequence[str], features: Mapping[str, Any]) -> str:
    if len(found) == 1:
        return found[0]
    seen = f"could be {', '.join(found)}" if found else f"not found among {', '.join(features)}"
    raise ValueError(f"{argument} {seen}: name it with --data.{argument}")


def _encode_images(splits: Mapping[str, Any]) -> dict[str, Any]:
    """Images as bytes or paths; they are decoded where they are needed."""
    from datasets import Image

    return {name: rows.cast_column("image", Image(decode=False)) for name, rows in splits.items()}


def _has_labels(rows: Any) -> bool:
    return bool((labels_of(rows) >= 0).any())


def _without_image(splits: Mapping[str, Any], classes: Sequence[str]) -> Iterable[str]:
    for split, rows in splits.items():
        counts = np.bincount(labels_of(rows), minlength=len(classes))
        empty = [name for name, count in zip(classes, counts, strict=True) if not count]
        if empty:
            shown = ", ".join(empty[:5]) + " ..." * (len(empty) > 5)
            yield f"{len(empty)} of {len(classes)} classes have no image in {split}: {shown}"


def _check_labels(name: str, rows: Any, num_classes: int) -> None:
    labels = labels_of(rows)
    if not len(labels):
        raise ValueError(f"split {name} is empty")
    outside = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if len(outside):
        raise ValueError(
            f"split {name} row {outside[0]} has label {labels[outside[0]]} "
            f"({len(outside):,} such rows): must be from 0 to {num_classes - 1}"
        )
