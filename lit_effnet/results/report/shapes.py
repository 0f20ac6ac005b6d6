"""Shapes that figures of the page are made of, and the axes that place them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator

from lit_effnet.results.report.labelling import Placed
from lit_effnet.results.report.language import Text

WIDTH, HEIGHT = 480, 330
LEFT, RIGHT, TOP, BOTTOM = 44, 14, 12, 42


@dataclass(frozen=True)
class Mark:
    """A shape that tells something.

    Args:
        kind: dot, mean or line.
        x: Of its middle.
        y: Of its middle.
        tip: What resting on it tells.
        run: Row of the table of runs that it is of; empty for none.
        path: Of a line.
        front: No other one beats it at no higher cost.
    """

    kind: str
    x: float
    y: float
    tip: Text
    run: str = ""
    path: str = ""
    front: bool = True


@dataclass(frozen=True)
class Chart:
    """A figure.

    Args:
        name: Of its kind: arms, macs, epochs.
        title: Above it.
        about: Below it.
        height: Of the drawing, whose width is `WIDTH`.
        x_label: Of the horizontal axis.
        y_label: Of the vertical one; empty for none.
        x_ticks: Places and texts.
        y_ticks: Places and texts.
        marks: Its shapes.
        bars: Intervals, each from one point to another.
        labels: Names at places.
        guide: Path of a line behind the marks.
        runs: How many runs it rests on.
        curves: Points of each line by its arm; none where it has no lines.
    """

    name: str
    title: Text
    about: Text
    height: float
    x_label: Text
    y_label: Text
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    marks: list[Mark]
    bars: list[tuple[float, float, float, float]]
    labels: list[Placed]
    guide: str
    runs: int
    curves: Mapping[str, Sequence[tuple[float, float]]] = field(default_factory=dict)


@dataclass(frozen=True)
class Axis:
    """Numbers to places.

    Args:
        low: Number at `start`.
        high: Number at `end`.
        start: Place of the lowest.
        end: Place of the highest.
        log: Powers are equally far apart.
    """

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def at(self, value: float) -> float:
        """The place of a number."""
        low, high, of = ((np.log10(v) if self.log else v) for v in (self.low, self.high, value))
        return round(float(self.start + (of - low) / (high - low) * (self.end - self.start)), 2)

    def ticks(self, count: int = 6) -> list[tuple[float, float]]:
        """Places and numbers of the ticks."""
        if self.log:
            decades = np.log10(self.high / self.low)
            subs: Sequence[float] = (1.0,) if decades > 2 else (1.0, 2.0, 5.0)
            if decades < 0.6:
                subs = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
            found = LogLocator(subs=subs).tick_values(self.low, self.high)
            if sum(self.low <= value <= self.high for value in found) < 2:
                found = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(self.low, self.high)
        else:
            found = MaxNLocator(count, steps=[1, 2, 5, 10]).tick_values(self.low, self.high)
        within = [float(value) for value in found if self.low <= value <= self.high]
        return [(self.at(value), value) for value in within]


def axis(values: Sequence[float], start: float, end: float, *, log: bool = False) -> Axis:
    """An axis over values, with room at both ends."""
    known = [value for value in values if np.isfinite(value)]
    low, high = min(known), max(known)
    if log:
        room = max((high / low) ** 0.12, 1.05)
        return Axis(low / room, high * room, start, end, log=True)
    room = (high - low) * 0.08 or 1.0
    return Axis(low - room, high + room, start, end)
