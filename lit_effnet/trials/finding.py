"""Messages for mistakes in a sweep file: where, and what is accepted."""

import re
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from lit_effnet.trials.distributions import KeyPath

# The key of a mistake, and its message.
Finding = tuple[KeyPath, str]


def nearest(word: Any, accepted: Collection[str]) -> str:
    """Return the end of a message: the nearest accepted word, or all of them."""
    near = get_close_matches(str(word), accepted, n=1, cutoff=0.6)
    return f"nearest: {near[0]}" if near else f"accepted: {', '.join(accepted)}"


def unknown_keys(
    section: Mapping[Any, Any], accepted: Collection[str], place: KeyPath
) -> Iterator[Finding]:
    """Yield the keys of a section that do not exist."""
    for key in section:
        if key not in accepted:
            yield (*place, str(key)), f"unknown key; {nearest(key, accepted)}"


def is_number(value: Any) -> bool:
    """Whether a JSON schema accepts a value as a number; booleans are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_whole(value: Any) -> bool:
    """Whether a JSON schema accepts a value as an integer; 2.0 is one."""
    return is_number(value) and (isinstance(value, int) or value.is_integer())


def not_a_number(value: Any) -> str:
    """Return the message for a value that is no finite number, such as YAML's 1e-5."""
    if isinstance(value, str) and re.fullmatch(r"[-+]?[\d.]+([eE][-+]?\d+)?", value.strip()):
        return f"{value!r} is text: YAML wants no quotes, a point and a signed exponent (1.0e-5)"
    return f"{value!r}: must be a finite number"
