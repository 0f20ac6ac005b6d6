"""Labels beside points that cover neither points nor bars nor each other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.lines import Line2D
from matplotlib.transforms import Bbox

# Places of a label, the best first: directions from its point, and distances in points.
DIRECTIONS = ((1, 1), (-1, 1), (1, -1), (-1, -1), (1, 0), (-1, 0), (0, 1), (0, -1))
DISTANCES = (3.5, 7.0, 12.0, 18.0, 26.0)
TIED = 6.0  # beyond this distance a line ties the label to its point
NO_BAR = (float("nan"), float("nan"))
POINT = 2.6  # half the side of what a point covers


@dataclass(frozen=True)
class Label:
    """A label of a point.

    Args:
        text: Text of the label.
        at: Coordinates of the point.
        bar: Lower and upper end of its error bar; NaN without one.
        colour: Colour of the text.
    """

    text: str
    at: tuple[float, float]
    bar: tuple[float, float]
    colour: str


def place(axes: Axes, labels: Sequence[Label], renderer: RendererAgg, *, tied: bool = True) -> bool:
    """Draw labels, those with the fewest free places first, and return whether each found one.

    A place on one of the axes' lines is taken only if there is no other.

    Args:
        axes: Axes that were drawn already; their limits stay.
        labels: Labels; one without a free place is left out.
        renderer: Renderer that measures texts.
        tied: Whether labels may stand away from their points, tied by a line.
    """
    per_point = renderer.dpi / 72
    axes.set_xlim(axes.get_xlim())
    axes.set_ylim(axes.get_ylim())
    taken = [box for label in labels for box in _covered(axes, label, per_point)]
    drawn = [line for line in axes.lines if line.get_linestyle() != "None"]  # markers
    lines = [box for line in drawn for box in _segments(axes, line)]
    sizes = [_size(axes, label, renderer) for label in labels]
    free = [
        [
            spot
            for spot in _places(axes, label, size, per_point)
            if not _hits(spot[1], taken)
            and (tied or _away(axes, label, spot[1]) / per_point <= TIED)
        ]
        for label, size in zip(labels, sizes, strict=True)
    ]
    complete = True
    for index in sorted(range(len(labels)), key=lambda index: len(free[index])):
        left = [spot for spot in free[index] if not _hits(spot[1], taken)]
        clear = (spot for spot in left if not _hits(spot[1], lines))
        chosen = next(clear, left[0] if left else None)
        if chosen is None:
            complete = False
            continue
        offset, box = chosen
        taken.append(box)
        _write(axes, labels[index], offset, _away(axes, labels[index], box) / per_point > TIED)
    return complete


def _covered(axes: Axes, label: Label, per_point: float) -> Iterator[Bbox]:
    """Yield the boxes of a point and its bar, in pixels."""
    x, y = axes.transData.transform(label.at)
    half = POINT * per_point
    yield Bbox([[x - half, y - half], [x + half, y + half]])
    if np.isfinite(label.bar).all():
        ends = [axes.transData.transform((label.at[0], end))[1] for end in label.bar]
        yield Bbox([[x - half / 2, ends[0] - half / 2], [x + half / 2, ends[1] + half / 2]])


def _size(axes: Axes, label: Label, renderer: RendererAgg) -> tuple[float, float]:
    text = axes.text(0, 0, label.text, parse_math=False)
    box = text.get_window_extent(renderer)
    text.remove()
    return box.width, box.height


def _places(
    axes: Axes, label: Label, size: tuple[float, float], per_point: float
) -> Iterator[tuple[tuple[float, float], Bbox]]:
    """Yield offsets of a label's lower left corner from its point, in points, and its boxes."""
    x, y = axes.transData.transform(label.at)
    inside = axes.get_window_extent().padded(2 * per_point)
    for left, low in _corners(axes, label, size, per_point):
        box = Bbox.from_bounds(left, low, *size)
        if (
            inside.x0 <= box.x0
            and box.x1 <= inside.x1
            and inside.y0 <= box.y0 <= inside.y1 - size[1]
        ):
            yield ((left - x) / per_point, (low - y) / per_point), box


def _corners(
    axes: Axes, label: Label, size: tuple[float, float], per_point: float
) -> Iterator[tuple[float, float]]:
    """Yield lower left corners in pixels: around the point, then farther, and beyond its bar."""
    x, y = axes.transData.transform(label.at)
    width, height = size
    for distance in DISTANCES:
        for right, up in DIRECTIONS:
            reach = distance * per_point / float(np.hypot(right, up))
            yield (
                x + right * reach + (right - 1) / 2 * width,
                y + up * reach + (up - 1) / 2 * height,
            )
        if distance == DISTANCES[0] and np.isfinite(label.bar).all():
            low, high = (axes.transData.transform((label.at[0], end))[1] for end in label.bar)
            yield x - width / 2, high + distance * per_point
            yield x - width / 2, low - distance * per_point - height


def _hits(box: Bbox, others: Sequence[Bbox]) -> bool:
    return any(box.overlaps(other) for other in others)


def _segments(axes: Axes, line: Line2D) -> Iterator[Bbox]:
    """Yield the boxes of a line of level and upright steps, in pixels."""
    corners = axes.transData.transform(line.get_xydata())
    for (x0, y0), (x1, y1) in pairwise(corners):
        yield Bbox([[min(x0, x1), min(y0, y1) - 1], [max(x0, x1) + 1, max(y0, y1) + 1]])


def _away(axes: Axes, label: Label, box: Bbox) -> float:
    """Return the pixels from a label to its point, or to the end of its bar."""
    x, y = axes.transData.transform(label.at)
    low = high = y
    if np.isfinite(label.bar).all():
        low, high = (axes.transData.transform((label.at[0], end))[1] for end in label.bar)
    if box.x0 < x < box.x1:  # beyond an end of its bar
        return float(max(box.y0 - high, low - box.y1))
    return float(np.hypot(max(box.x0 - x, x - box.x1), max(box.y0 - y, y - box.y1, 0)))


def _write(axes: Axes, label: Label, offset: tuple[float, float], far: bool) -> None:
    line: dict[str, Any] = {
        "arrowstyle": "-",
        "linewidth": 0.4,
        "color": label.colour,
        "shrinkA": 0,
        "shrinkB": 2,
    }
    axes.annotate(
        label.text,
        label.at,
        offset,
        textcoords="offset points",
        color=label.colour,
        arrowprops=line if far else None,
        zorder=6,
        parse_math=False,
        annotation_clip=False,
    )
