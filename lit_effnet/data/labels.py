"""Encode labels of any kind as class numbers, the same in every split."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from lit_effnet.data.rows import labels_of

NAMING = (
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_integer,
    pa.types.is_boolean,
    pa.types.is_floating,
)
UNLABELLED = -1  # marks images without a public label


def in_order(names: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct names of classes in the order of their labels.

    Whole numbers are sorted by value, other names as text. Names of one value ("1" and "01") are
    sorted as text too: the order of a set differs between processes.
    """
    distinct = set(names)
    if all(name.isdecimal() for name in distinct):
        return tuple(sorted(distinct, key=lambda name: (int(name), name)))
    return tuple(sorted(distinct))


def encode_labels(
    splits: Mapping[str, Any], classes: Sequence[str] | None = None
) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the splits with class numbers in column `label`, and the class names of train.

    Names, whole numbers and booleans are classes; -1 stays -1.

    Args:
        splits: The splits by name.
        classes: Names of all classes in the order of their numbers, if a run has fixed it.

    Raises:
        ValueError: a split has classes that train lacks, or labels that are not classes.
    """
    from datasets import ClassLabel

    first = "train" if "train" in splits else next(iter(splits))
    names = _names_of(first, splits[first]) if classes is None else tuple(classes)
    number = {name: index for index, name in enumerate(names)}
    encoded = {}
    for split, rows in splits.items():
        feature = rows.features["label"]
        if isinstance(feature, ClassLabel) and tuple(feature.names) == names:
            encoded[split] = rows
            continue
        texts = _texts(split, rows)
        unknown = sorted(set(texts) - set(number) - {str(UNLABELLED)})
        if unknown:
            owner = first if classes is None else "the run"
            raise ValueError(f"split {split} has classes that {owner} has not: {unknown[:5]}")
        labels = [number.get(text, UNLABELLED) for text in texts]
        encoded[split] = rows.remove_columns("label").add_column(
            "label", labels, feature=ClassLabel(names=list(names))
        )
    return encoded, names


def _names_of(split: str, rows: Any) -> tuple[str, ...]:
    from datasets import ClassLabel

    feature = rows.features["label"]
    if isinstance(feature, ClassLabel):
        return tuple(feature.names)
    return in_order(set(_texts(split, rows)) - {str(UNLABELLED)})


def _texts(split: str, rows: Any) -> Sequence[str]:
    """Return the class name of each row."""
    from datasets import ClassLabel

    feature, kind = rows.features["label"], rows.data["label"].type
    if isinstance(feature, ClassLabel):
        names = feature.names
        return [names[k] if 0 <= k < len(names) else str(UNLABELLED) for k in labels_of(rows)]
    if not any(is_kind(kind) for is_kind in NAMING):
        raise ValueError(f"split {split}: labels of type {kind} name no class each")
    values = rows.select_columns(["label"]).with_format(None)["label"][:]
    for row, value in enumerate(values):
        if value is None or value != value:  # noqa: PLR0124 # which only NaN is
            raise ValueError(f"split {split} row {row} has no label")
    if pa.types.is_floating(kind):  # as pandas keeps whole numbers where one was missing
        values = [int(value) if float(value).is_integer() else value for value in values]
    return [str(value) for value in values]
