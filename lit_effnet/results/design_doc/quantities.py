"""Quantities of the design document, and when two figures of one agree."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation


@dataclass(frozen=True)
class Quoted:
    """A figure of the document or of a publication.

    Args:
        printed: The figure as it is printed: a number or a text.
        source: Where it is printed.
    """

    printed: str
    source: str

    @property
    def value(self) -> float | None:
        """The number; None for a text."""
        try:
            return float(Decimal(self.printed))
        except InvalidOperation:
            return None

    @property
    def half_unit(self) -> float:
        """Half a unit of the last digit, by which a number may have been rounded."""
        exponent = Decimal(self.printed).as_tuple().exponent
        assert isinstance(exponent, int)  # printed numbers are finite
        return 0.5 * 10.0**exponent


@dataclass(frozen=True)
class Measured:
    """A figure that this project counted or measured.

    Args:
        value: The figure, in the unit of its quantity.
        device: Device and settings of the measurement.
        command: Command that repeats it.
        repeats: Number of measurements.
        interval: Lowest and highest of the repeats, or percentiles; None for one.
    """

    value: float
    device: str
    command: str
    repeats: int = 1
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Quantity:
    """A quantity of a table, with the tolerance at which its figures agree.

    Args:
        name: Key in the data file.
        label: Name for readers.
        unit: Unit of all figures; empty where there is none.
        ours: Reason why this project has no figure, where none is given.
        relative: Tolerance relative to the larger figure.
        absolute: Tolerance in the unit. Without any tolerance figures are not compared, since they
            depend on the device.
    """

    name: str
    label: str
    unit: str
    ours: str
    relative: float | None = None
    absolute: float | None = None

    @property
    def is_compared(self) -> bool:
        """Whether figures are compared."""
        return self.relative is not None or self.absolute is not None

    def agree(self, first: Quoted, second: Quoted) -> bool:
        """Return whether two printed figures agree, within the tolerance and their rounding.

        Texts agree where they are equal.
        """
        if first.value is None or second.value is None:
            return first.printed == second.printed
        rounded = first.half_unit + second.half_unit
        return self._is_close(first.value, second.value, rounded)

    def agrees(self, ours: Measured, quoted: Quoted) -> bool:
        """Return whether a printed figure agrees with our value, or with any in our interval."""
        if quoted.value is None:
            return False
        low, high = ours.interval or (ours.value, ours.value)
        return self._is_close(min(max(quoted.value, low), high), quoted.value, quoted.half_unit)

    def _is_close(self, first: float, second: float, rounded: float) -> bool:
        relative = (self.relative or 0) * max(abs(first), abs(second))
        allowed = max(relative, self.absolute or 0, rounded)
        return abs(first - second) <= allowed + 1e-9  # decimal figures are not exact in binary


@dataclass(frozen=True, kw_only=True)
class Row:
    """The figures of one quantity of a network, an arm or a data set.

    Args:
        name: Name of the network, arm or data set for commands.
        label: Name for readers.
        quantity: The quantity.
        document: Figure of the design document.
        published: Published figures.
        ours: Figure that was counted or measured here.
        known: Ids of the known contradictions of the figures.
        why_empty: Reasons, by column without a figure.
    """

    name: str
    label: str
    quantity: Quantity
    document: Quoted | None
    published: tuple[Quoted, ...]
    ours: Measured | None
    known: tuple[str, ...]
    why_empty: Mapping[str, str]

    @property
    def marks(self) -> tuple[str, ...]:
        """Pairs of columns that disagree, then the ids of known contradictions.

        Publications differ among themselves: one of them that agrees is enough.
        """
        document, published, ours = self.document, self.published, self.ours
        agree, agrees = self.quantity.agree, self.quantity.agrees
        pairs = {
            "document and published": (document and published)
            and not any(agree(document, figure) for figure in published),
            "document and ours": (document and ours) and not agrees(ours, document),
            "published and ours": (published and ours)
            and not any(agrees(ours, figure) for figure in published),
        }
        is_compared = self.quantity.is_compared
        return (*(pair for pair, differ in pairs.items() if differ and is_compared), *self.known)
