"""Match the classes of a data set with those of a network by name."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lit_effnet.data.labels import in_order

WORDNET_ID = re.compile(r"(n\d{8})(?![^\W_])")  # also before a name: n02085620-Chihuahua
MOST_OTHER = 0.1  # part of the names that may differ if all others agree


@dataclass(frozen=True)
class KnownClasses:
    """Classes that a network predicts.

    Args:
        owner: Name of the network, for messages.
        names: Class names in the order of its outputs.
        others: Further names of each class; may be empty.
    """

    owner: str
    names: tuple[str, ...]
    others: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True)
class Matched:
    """A data set's classes matched with those of a network.

    Args:
        names: Names of the network's classes, as the data set spells those that it has.
        numbers: Network's class number for each class of the data set.
        note: How they were matched; empty if names and order are the same.
    """

    names: tuple[str, ...]
    numbers: tuple[int, ...]
    note: str = ""

    @property
    def in_order(self) -> bool:
        """Whether each class of the data set has the network's number."""
        return self.numbers == tuple(range(len(self.numbers)))


def match(found: Sequence[str], known: KnownClasses) -> Matched:
    """Match a data set's classes with a network's by name.

    Names are compared exactly, then without case and punctuation, then with the other names of each
    class. Folder names 0 to N - 1 of a network with N classes are class numbers.

    Raises:
        ValueError: a class is unknown to the network, or ambiguous.
    """
    count = len(known.names)
    numbers = _by_name(found, known)
    if None in numbers:
        numbers = _by_other_spelling(found, known)
    agree = [number == index for index, number in enumerate(numbers)]
    note = ""
    in_numbers = any(name.isdecimal() for name in known.names)
    if None in numbers and not in_numbers and in_order(found) == tuple(map(str, range(count))):
        numbers = [int(name) for name in found]
        note = f"its classes are numbers, taken for the numbers of {known.owner}'s classes"
    elif None in numbers:
        unknown = [name for name, number in zip(found, numbers, strict=True) if number is None]
        differ = sum(not same for same in agree)
        if len(found) != count or differ > MOST_OTHER * count or differ > len(unknown):
            raise ValueError(_refusal(found, unknown, known))
        numbers = list(range(count))
        note = (
            f"{differ} of its {count:,} classes have other names than {known.owner}'s (such as "
            f"{unknown[0]!r}) and are taken by their number, as the others agree"
        )
    elif len(found) < count:
        note = f"has {len(found):,} of the {count:,} classes of {known.owner}, matched by name"
    elif not all(agree):
        note = f"its classes are those of {known.owner} in another order, matched by name"
    chosen = [number for number in numbers if number is not None]
    return Matched(_all_names(found, chosen, known), tuple(chosen), note)


def _by_name(found: Sequence[str], known: KnownClasses) -> list[int | None]:
    times = Counter(known.names)  # two of ImageNet's classes are called crane
    numbers = {name: n for n, name in enumerate(known.names) if times[name] == 1}
    return [numbers.get(name) for name in found]


def _by_other_spelling(found: Sequence[str], known: KnownClasses) -> list[int | None]:
    """Return the number of each class whose name, in any spelling, is unique on both sides."""
    others = known.others or ((),) * len(known.names)
    spelt = [
        {_plain(name) for name in (known.names[number], *more)}
        for number, more in enumerate(others)
    ]
    seen = Counter(name for names in spelt for name in names)
    numbers = {name: n for n, names in enumerate(spelt) for name in names if seen[name] == 1}
    matched = [numbers.get(_plain(name)) for name in found]
    times = Counter(matched)
    return [number if times[number] == 1 else None for number in matched]


def _plain(name: str) -> str:
    """Return a name without case, punctuation and leading zeros; the id of a WordNet name."""
    if identified := WORDNET_ID.match(name):
        return identified[1]
    if name.isdecimal():
        return str(int(name))
    return re.sub(r"[\W_]+", " ", name.casefold()).strip() or name


def _all_names(
    found: Sequence[str], numbers: Sequence[int], known: KnownClasses
) -> tuple[str, ...]:
    names = list(known.names)
    for name, number in zip(found, numbers, strict=True):
        names[number] = name
    return tuple(names)


def _refusal(found: Sequence[str], unknown: Sequence[str], known: KnownClasses) -> str:
    count = len(known.names)
    if len(found) > count:
        return f"has {len(found):,} classes, and {known.owner} has only {count:,}"
    if all(name.isdecimal() for name in found):
        return (
            f"its {len(found):,} classes are numbers, such as {found[-1]}: they are taken for the "
            f"numbers of {known.owner}'s classes only where they are all of 0 to {count - 1}"
        )
    shown = ", ".join(name[:20] for name in known.names[:3])
    return (
        f"its class {unknown[0][:40]!r}{f' (and {len(unknown) - 1:,} more)' * (len(unknown) > 1)} "
        f"names none, or several, of the {count:,} classes of {known.owner} ({shown}, ...)"
    )
