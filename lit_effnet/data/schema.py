"""Columns as owners name them to `image` and `label`, and labels to classes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lit_effnet.data.catalog import Entry
from lit_effnet.data.cutting import cut_missing, not_official
from lit_effnet.data.rows import labels_of

SPLITS = ("train", "validation", "test")


def labelled(
    rows: Mapping[str, Any], entry: Entry | None, image: str | None, label: str | None
) -> tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]:
    """Splits with the columns `image` (encoded) and `label`, the classes, and notes on both.

    Raises:
        ValueError: columns that are not found, classes that train has not, a label out of range.
    """
    features = next(iter(rows.values())).features
    image, label = image_column(features, image), label_column(features, label)
    splits = {}
    for name, split in rows.items():
        if missing := {image, label} - set(split.features):
            raise ValueError(f"split {name} has no column {', '.join(sorted(missing))}")
        columns = split.select_columns([image, label])
        splits[name] = columns.rename_columns({image: "image", label: "label"})
    splits, classes = _encode_labels(splits)
    splits = _encode_images(splits)
    notes = []
    for name in ("validation", "test"):
        if name in splits and not _has_labels(splits[name]):
            del splits[name]
            notes.append(f"{name} has no labels (all are -1) and is left out")
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
    return splits, classes, tuple(notes)


def image_column(features: Mapping[str, Any], named: str | None) -> str:
    """The column of images: the named one, else the only one that holds images.

    Raises:
        ValueError: none, or several, with what there is.
    """
    if named is not None:
        return _column("image_column", named, features)
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


def _encode_labels(splits: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Labels as classes with names; the classes are those of train."""
    from datasets import ClassLabel

    feature = next(iter(splits.values())).features["label"]
    if isinstance(feature, ClassLabel):
        return dict(splits), tuple(feature.names)
    first = splits.get("train", next(iter(splits.values())))
    values = sorted(set(first["label"]) - {-1, None})
    whole = all(isinstance(value, int) for value in values)
    if whole and values and values[0] >= 0 and len(values) > values[-1] / 2:
        names = [str(value) for value in range(values[-1] + 1)]  # some may have no image in train
    else:
        names = [str(value) for value in values]
    number = {name: index for index, name in enumerate(names)}
    encoded_splits = {}
    for split, rows in splits.items():
        found = [str(value) for value in rows["label"]]
        if unknown := sorted(set(found) - set(number) - {"-1"}):
            raise ValueError(f"split {split} has classes that train has not: {unknown[:5]}")
        labels = [number.get(value, -1) for value in found]
        encoded_splits[split] = rows.remove_columns("label").add_column(
            "label", labels, feature=ClassLabel(names=names)
        )
    return encoded_splits, tuple(names)


def _encode_images(splits: Mapping[str, Any]) -> dict[str, Any]:
    """Images as bytes or paths; they are decoded where they are needed."""
    from datasets import Image

    return {name: rows.cast_column("image", Image(decode=False)) for name, rows in splits.items()}


def _has_labels(rows: Any) -> bool:
    return bool((labels_of(rows) >= 0).any())


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
