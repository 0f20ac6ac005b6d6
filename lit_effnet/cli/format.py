"""Number formats: each quantity is written in one way, in the terminal, on pages and in files.

Each format turns a number into text, and None and NaN into an empty text.
"""

import math
from collections.abc import Callable, Iterable, Sequence

Format = Callable[[float | None], str]


def number(spec: str, scale: float = 1.0) -> Format:
    """Return a format: the number times `scale`, written by Python's format specification."""

    def write(value: float | None) -> str:
        if value is None or math.isnan(value):
            return ""
        return format(value * scale, spec)

    return write


percent = number(".1f", 100)  # of a fraction, without the sign, which the heading has
points = number("+z.1f", 100)  # a difference of fractions, in percentage points
count = number(",.0f")
millions = number(",.2f", 1e-6)
megabytes = number(",.1f", 1e-6)
milliseconds = number(",.1f")
decibels = number(".1f")
ratio = number(".2f")
plain = number("g")
scientific = number(".1e")


def interval(form: Format) -> Callable[[Sequence[float | None]], str]:
    """Return a format of low and high, as in `70.1..73.4`."""
    return lambda ends: "..".join(map(form, ends))


def spread(form: Format) -> Callable[[Sequence[float | None]], str]:
    """Return a format of a centre with low and high, as in `17.1 (16.1..18.2)`.

    Low and high are left out where one of them is None.
    """

    def write(values: Sequence[float | None]) -> str:
        centre, *ends = values
        return form(centre) if None in ends else f"{form(centre)} ({interval(form)(ends)})"

    return write


def each(form: Format) -> Callable[[Iterable[float]], str]:
    """Return a format of several numbers, as in `70.1, 71.5, 69.9`."""
    return lambda values: ", ".join(map(form, values))


def code(text: object) -> str:
    """Return a text in Markdown's backquotes, which no renderer reads as marks."""
    return f"`{text}`"


def duration(seconds: float) -> str:
    """Return seconds as `9 s`, `4 min` or `2 h 05 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
