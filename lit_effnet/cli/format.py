"""Number formats: each quantity is written in one way, in the terminal, on pages and in files.

Each function returns an empty string for None and NaN.
"""

import math
from collections.abc import Callable

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


def duration(seconds: float) -> str:
    """Return seconds as `9 s`, `4 min` or `2 h 05 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"
