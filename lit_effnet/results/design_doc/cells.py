"""Three figures for one quantity: the design document's, the published one and ours."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation


@dataclass(frozen=True)
class Figure:
    """What the document or a publication says.

    Args:
        printed: As it is printed there; a number, or a text.
        source: Where.
    """

    printed: str
    source: str

    @property
    def value(self) -> float | None:
        """The number; null for a text."""
        try:
            return float(Decimal(self.printed))
        except InvalidOperation:
            return None

    @property
    def half_unit(self) -> float:
        """Half a unit of a number's last digit: by so much it may have been rounded."""
        exponent = Decimal(self.printed).as_tuple().exponent
        assert isinstance(exponent, int)  # printed numbers are finite
        return 0.5 * 10.0**exponent


@dataclass(frozen=True)
class Measured:
    """What this project counted or measured.

    Args:
        value: In the unit.
        unit: The quantity's.
        device: What it was measured on, and how.
        command: What gives it again.
        repeats: How often it was measured.
        interval: What the repeats lie between; null for one.
    """

    value: float
    unit: str
    device: str
    command: str
    repeats: int
    interval: tuple[float, float] | None = None


# By row and quantity; a text says why there is none.
Ours = Mapping[tuple[str, str], Measured | str]


@dataclass(frozen=True)
class Quantity:
    """What figures are of.

    Args:
        name: As the data file has it.
        label: As a person reads it.
        unit: Of all its figures; empty where there is none.
        ours: Why there is none of ours, where none is given.
        relative: Up to which part of the larger one two figures agree.
        absolute: Up to which difference they agree; with neither, as for what depends on the
            device, figures are not compared.
    """

    name: str
    label: str
    unit: str
    ours: str
    relative: float | None = None
    absolute: float | None = None

    @property
    def is_compared(self) -> bool:
        """Whether two figures are to agree."""
        return self.relative is not None or self.absolute is not None

    def agree(self, one: Figure, other: Figure) -> bool:
        """Whether two printed figures are the same within tolerance, or what was rounded off.

        Texts agree where they are equal.
        """
        if one.value is None or other.value is None:
            return one.printed == other.printed
        rounded = one.half_unit + other.half_unit
        allowed = max(self._tolerance(one.value, other.value), rounded)
        return _within(one.value - other.value, allowed)

    def agrees(self, ours: Measured, figure: Figure) -> bool:
        """Whether a printed figure agrees with our value, or with any in our interval."""
        if figure.value is None:
            return False
        low, high = ours.interval or (ours.value, ours.value)
        nearest = min(max(figure.value, low), high)
        allowed = max(self._tolerance(nearest, figure.value), figure.half_unit)
        return _within(nearest - figure.value, allowed)

    def _tolerance(self, one: float, other: float) -> float:
        return max((self.relative or 0) * max(abs(one), abs(other)), self.absolute or 0)


@dataclass(frozen=True)
class Cell:
    """The figures of one quantity.

    Args:
        document: The design document's.
        published: The published ones.
        ours: What was counted or measured.
        mark: Columns that do not agree, two and two; then ids of known contradictions.
        why_empty: By column without a figure, the reason.
    """

    document: Figure | None
    published: tuple[Figure, ...]
    ours: Measured | None
    mark: tuple[str, ...]
    why_empty: Mapping[str, str]


def disagreements(
    quantity: Quantity,
    document: Figure | None,
    published: Sequence[Figure],
    ours: Measured | None,
) -> Iterator[str]:
    """The columns that do not agree, two and two.

    Publications differ among themselves: one of them that agrees is enough.

    Args:
        quantity: What the figures are of.
        document: The design document's figure.
        published: The published ones.
        ours: What was counted or measured.
    """
    if not quantity.is_compared:
        return
    if document and published and not any(quantity.agree(document, f) for f in published):
        yield "document and published"
    if ours and document and not quantity.agrees(ours, document):
        yield "document and ours"
    if ours and published and not any(quantity.agrees(ours, f) for f in published):
        yield "published and ours"


def _within(difference: float, allowed: float) -> bool:
    # Decimal figures are not exact in binary.
    return abs(difference) <= allowed + 1e-9
