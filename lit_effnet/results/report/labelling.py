"""Names beside the points of a drawing, where they cover neither a point nor each other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lit_effnet.results.report.language import Text

SIZE = 11.0  # of a letter, in the drawing's units
WIDE = 0.56  # of a letter's size, on average
POINT = 6.0  # half the side of what a point covers


@dataclass(frozen=True)
class Placed:
    """A name and its place.

    Args:
        x: Of its anchor.
        y: Of its base line.
        text: The name.
        anchor: Where x is: start, middle or end.
    """

    x: float
    y: float
    text: Text
    anchor: str


STEPS = 24  # between two points of a line
Point = tuple[float, float]
Box = tuple[float, float, float, float]


def placed(
    names: Sequence[tuple[Text, tuple[float, float]]], width: float, height: float
) -> list[Placed]:
    """Places of the names that have room; the others are told by resting on their points.

    Args:
        names: Each with its point.
        width: Of the drawing.
        height: Of what lies above the axis.
    """
    points = [_around(at) for _, at in names]
    taken: list[Box] = list(points)
    found = []
    for text, (x, y) in names:
        long = len(text.en) * SIZE * WIDE  # Chinese names are shorter
        tries = (
            (Placed(x + 8, y + 4, text, "start"), (x + 8, y - 6, x + 8 + long, y + 6)),
            (Placed(x - 8, y + 4, text, "end"), (x - 8 - long, y - 6, x - 8, y + 6)),
            (
                Placed(x, y - 10, text, "middle"),
                (x - long / 2, y - 20, x + long / 2, y - 8),
            ),
            (
                Placed(x, y + 18, text, "middle"),
                (x - long / 2, y + 8, x + long / 2, y + 20),
            ),
        )
        for label, box in tries:
            inside = box[0] >= 40 and box[2] <= width and box[1] >= 0 and box[3] <= height
            if inside and not any(_hit(box, other) for other in taken):
                taken.append(box)
                found.append(label)
                break
    return found


def at_ends(lines: Sequence[tuple[Text, Sequence[Point]]], height: float) -> list[Placed]:
    """Places above or below the ends of lines, for the names that have room there.

    Args:
        lines: Each name with the points of its line, from left to right.
        height: Of what lies above the axis.
    """
    taken = [_around(at, 1) for _, points in lines for at in _along(points)]
    found = []
    for text, points in sorted(lines, key=lambda line: line[1][-1][1]):
        x, y = points[-1]
        long = len(text.en) * SIZE * WIDE
        for base in (y - 8, y + 17):
            box = (x - long, base - SIZE + 2, x, base + 2)
            if box[1] >= 0 and box[3] <= height and not any(_hit(box, one) for one in taken):
                taken.append(box)
                found.append(Placed(x, base, text, "end"))
                break
    return found


def _along(points: Sequence[Point]) -> Iterator[Point]:
    """Points of a line, close to each other."""
    for (x, y), (to_x, to_y) in pairwise(points):
        for step in range(STEPS + 1):
            yield x + (to_x - x) * step / STEPS, y + (to_y - y) * step / STEPS


def _around(at: Point, half: float = POINT) -> Box:
    x, y = at
    return (x - half, y - half, x + half, y + half)


def _hit(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
