"""Bring a data set to one schema: columns `image` and `label`, class numbers, and splits."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from lit_effnet.data.catalog import Entry
from lit_effnet.data.class_matching import Matched
from lit_effnet.data.labels import encode_labels
from lit_effnet.data.rows import labels_of
from lit_effnet.data.splits import CutRule, missing_parts, not_official

SPLITS = ("train", "validation", "test")
WHOLE = "all"  # the only split of a folder without splits that is evaluated whole


@dataclass(frozen=True)
class Use:
    """Use of a data set, which decides about its classes and splits.

    Args:
        classes: Names in the order of their numbers, of a run that was trained on the data set;
            None for the data set's own order.
        cut: Rule of cutting missing splits from train; named data sets are always shuffled.
        fingerprint: Fingerprint of the data set when the run was trained; None to skip the check.
        whole: Whether a data set with one split keeps it whole, as split `all`.
        match: Matches its classes with those of a network trained on other images.
    """

    classes: tuple[str, ...] | None = None
    cut: CutRule = "hash"
    fingerprint: str | None = None
    whole: bool = False
    match: Callable[[Sequence[str]], Matched] | None = None

    @classmethod
    def of_run(cls, data: Mapping[str, Any]) -> "Use":
        """Return the use by a run, from section `data` of its record.

        Runs without a rule of the cut are older than the rule `hash`.
        """
        names = data.get("class_names")
        cut: CutRule = data.get("cut", "shuffle") or "hash"
        return cls(None if names is None else tuple(names), cut, data.get("fingerprint"))


class Labelled(NamedTuple):
    """Splits with columns `image` (encoded) and `label`; the fields of an `ImageSet`."""

    splits: dict[str, Any]
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    cut: frozenset[str]
    rule: CutRule
    numbers: tuple[int, ...] | None


def labelled(
    rows: Mapping[str, Any],
    entry: Entry | None,
    columns: tuple[str | None, str | None],
    use: Use,
    *,
    root: str = "",
    found: Sequence[str] = (),
) -> Labelled:
    """Find the columns, number the classes and cut the splits that are missing.

    Args:
        rows: The splits as they were loaded, by our names.
        entry: The catalog's entry, if there is one.
        columns: Names of the columns of images and of labels; found by their type if None.
        use: Use of the data set.
        root: The folder that they come from.
        found: Notes of the loader.

    Raises:
        ValueError: columns are not found, classes are missing in train, or a label is out of range.
    """
    splits, classes = encode_labels(_with_columns(rows, *columns), use.classes)
    notes = list(found)
    for name in ("validation", "test"):
        if name in splits and not _has_labels(splits[name]):
            del splits[name]
            notes.append(f"{name} has no labels (all are -1) and is left out")
    there = set(splits)
    rule: CutRule = use.cut if entry is None else "shuffle"
    if use.whole and entry is None and there == {"train"}:
        splits = {WHOLE: splits["train"]}
    for name, split in splits.items():
        _check_labels(name, split, len(classes))
    # By the data set's own numbers, so that its splits do not depend on the network.
    parts, cutting = missing_parts(splits, entry, rule, root)
    notes += cutting
    numbers = None
    if use.match is None:
        notes += _by_text(classes)
    else:
        matched = use.match(classes)
        splits = {name: _renumbered(split, matched.numbers) for name, split in splits.items()}
        classes, numbers = matched.names, matched.numbers
        notes += [matched.note] if matched.note else []
    splits |= {name: splits["train"].select(part) for name, part in parts.items()}
    notes += not_official(splits, entry)
    splits = {name: splits[name] for name in (*SPLITS, WHOLE) if name in splits}
    if use.match is None:
        notes += _without_image(splits, classes)
    cut = frozenset({*parts} - {"train"})
    return Labelled(splits, classes, tuple(notes), cut, rule, numbers)


def _with_columns(rows: Mapping[str, Any], image: str | None, label: str | None) -> dict[str, Any]:
    """Return the splits with columns named `image`, still encoded, and `label`."""
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
    return _encode_images(splits)


def image_column(features: Mapping[str, Any], named: str | None) -> str:
    """Return the column of images: the given one, or the only one that holds images.

    Raises:
        ValueError: there is none, or several.
    """
    if named is not None:
        column = _column("image_column", named, features)
        if not _holds_images(features[column]):
            raise ValueError(f"image_column {named!r}: holds no images but {features[column]}")
        return column
    found = [name for name, feature in features.items() if _holds_images(feature)]
    return _only("image_column", found, features)


def label_column(features: Mapping[str, Any], named: str | None) -> str:
    """Return the column of labels: the given one, or the only one of classes, numbers or text.

    Raises:
        ValueError: there is none, or several.
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
    """Return the splits with images as bytes or paths, to be decoded when needed."""
    from datasets import Image

    return {name: rows.cast_column("image", Image(decode=False)) for name, rows in splits.items()}


def _renumbered(rows: Any, numbers: Sequence[int]) -> Any:
    """Return a split with other class numbers; -1 stays -1."""
    from datasets import Value

    labels = np.append(np.asarray(numbers, np.int64), -1)[labels_of(rows)]
    column = labels.tolist()
    return rows.remove_columns("label").add_column("label", column, feature=Value("int64"))


def _by_text(classes: Sequence[str]) -> Sequence[str]:
    """Return a note on class names that are numbers sorted as text."""
    shown = [name for name in classes if name.isdecimal()]
    if sorted(shown, key=int) == shown:
        return ()
    return (
        f"its classes are numbers sorted as text: label 1 is class {classes[1]!r}, not the second "
        "of its owner's list",
    )


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
