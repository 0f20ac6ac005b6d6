"""Match the classes of other images with those that a network was trained on."""

import warnings
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from lit_effnet.data.class_matching import KnownClasses, Matched, match
from lit_effnet.data.schema import Use
from lit_effnet.network import imagenet
from lit_effnet.network.weights import Weights


def known_classes(
    name: str, weights: Weights, record_data: Mapping[str, Any]
) -> KnownClasses | None:
    """Return the classes that a network predicts; None if only their number is known.

    Args:
        name: The network's name, for messages.
        weights: The network's weights, which may name their classes.
        record_data: Section `data` of a run's record; empty for released weights.
    """
    names = record_data.get("class_names") or weights.class_names
    if len(names) == weights.num_classes:
        return KnownClasses(name, tuple(names))
    if not record_data and weights.num_classes == imagenet.NUM_CLASSES and weights.seen_imagenet:
        all_names = imagenet.class_names()
        return KnownClasses(name, tuple(first for first, *_ in all_names), all_names)
    return None


def use_of_other_images(
    name: str, weights: Weights, record_data: Mapping[str, Any], *, data: str, whole: bool
) -> Use:
    """Return the use of images that the network was not trained on.

    Args:
        name: The network's name, for messages.
        weights: The network's weights.
        record_data: Section `data` of a run's record; empty for released weights.
        data: Name of the data set, for messages.
        whole: Whether a data set without splits is evaluated whole.
    """
    known = known_classes(name, weights, record_data)
    if known is None:
        return Use(whole=whole, match=partial(_by_number, name, weights.num_classes))
    return Use(whole=whole, match=partial(_by_name, data, known, bool(record_data)))


def _by_name(data: str, known: KnownClasses, of_run: bool, names: Sequence[str]) -> Matched:
    matched = match(names, known)
    if of_run and set(names) == set(known.names):
        warnings.warn(
            f"{data}: counts as images that {known.owner} was not trained on, since they are not "
            "those of its record; check that none of those are among them",
            stacklevel=2,
        )
    if matched.note:
        warnings.warn(f"{data}: {matched.note}", stacklevel=2)
    return matched


def _by_number(name: str, count: int, names: Sequence[str]) -> Matched:
    if len(names) != count:
        raise ValueError(f"has {len(names):,} classes, and {name} has {count:,}")
    warnings.warn(
        f"{name}: the names of its classes are not known; classes of the images are matched by "
        f"their number, 0 for {names[0]!r} and {count - 1} for {names[-1]!r}",
        stacklevel=2,
    )
    return Matched(tuple(names), tuple(range(count)))
