"""The design document's tables: its figure, the published one and ours, side by side.

What the document and publications say is in `document.json`; published parameters, MACs and top-1
of the networks that are counted stand in `network/complexity.json`. Ours come from the caller, see
`results.document_ours`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from lit_effnet.cli.tables import PlainTable
from lit_effnet.network.golden import golden_complexity
from lit_effnet.results.design_doc.cells import (
    Cell,
    Figure,
    Measured,
    Ours,
    Quantity,
    disagreements,
)

DOCUMENT = "the design document"
NOT_QUOTED, NO_SOURCE = "no figure is quoted", "no source was found"
GOLDEN = {"parameters": "params_m", "macs": "macs_g", "top1": "top1"}
COLUMNS = ("row", "quantity", DOCUMENT, "published", "ours", "contradictions")


@dataclass(frozen=True)
class Contradiction:
    """Where the document contradicts itself or others, or a publication its own rules.

    Args:
        id: Its name.
        table: Number of the table.
        cells: Names of rows, each with the quantities of it.
        text: What contradicts what.
        source: Where that can be seen.
    """

    id: str
    table: int
    cells: Mapping[str, tuple[str, ...]]
    text: str
    source: str


@dataclass(frozen=True)
class Row:
    """A quantity of something.

    Args:
        name: Of a network, an arm or a data set, as commands take it.
        label: As a person reads it.
        quantity: Which.
        cell: Its figures.
    """

    name: str
    label: str
    quantity: Quantity
    cell: Cell


@dataclass(frozen=True)
class Table:
    """One of the document's tables.

    Args:
        number: In the document.
        title: Its subject.
        columns: Headings.
        rows: Its quantities.
        notes: What holds for all of it.
        contradictions: Those of its rows.
    """

    number: int
    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    contradictions: tuple[Contradiction, ...]

    def cell(self, row: str, quantity: str) -> Cell:
        """The figures of a row's quantity.

        Raises:
            ValueError: the table has none such.
        """
        for entry in self.rows:
            if (entry.name, entry.quantity.name) == (row, quantity):
                return entry.cell
        raise ValueError(f"row {row!r}: must be one of table {self.number} with {quantity}")


def numbers() -> list[int]:
    """Numbers of the document's tables."""
    return [told["number"] for told in _data()["tables"]]


def tables(ours: Ours | None = None) -> list[Table]:
    """All tables of the document.

    Args:
        ours: What was counted and measured, by row and quantity; null for nothing.
    """
    return [document_table(number, ours) for number in numbers()]


def document_table(number: int, ours: Ours | None = None) -> Table:
    """One table of the document.

    Args:
        number: In the document.
        ours: What was counted and measured, by row and quantity; null for nothing.

    Raises:
        ValueError: there is no such table.
    """
    data = _data()
    by_number = {told["number"]: told for told in data["tables"]}
    if number not in by_number:
        accepted = ", ".join(map(str, by_number))
        raise ValueError(f"number {number}: must be one of {accepted}")
    table = by_number[number]
    known = contradictions(number)
    rows = []
    for row in table["rows"]:
        for name, told in row["cells"].items():
            quantity = Quantity(name, **data["quantities"][name])
            given = (ours or {}).get((row["row"], name))
            ids = [c.id for c in known if name in c.cells.get(row["row"], ())]
            cell = _cell(row, quantity, told, given, ids)
            rows.append(Row(row["row"], row["label"], quantity, cell))
    return Table(number, table["title"], COLUMNS, tuple(rows), tuple(table["notes"]), tuple(known))


def contradictions(number: int | None = None) -> list[Contradiction]:
    """The known contradictions of a table, or of all.

    Args:
        number: In the document; null for all tables.
    """
    return [
        Contradiction(
            told["id"],
            told["table"],
            {row: tuple(quantities) for row, quantities in told["cells"].items()},
            told["text"],
            _source(told["source"]),
        )
        for told in _data()["contradictions"]
        if number in (None, told["table"])
    ]


def plain(table: Table) -> PlainTable:
    """The table as text; sources are numbered, and stand below it with the contradictions."""
    letters = {c.id: f"({chr(ord('a') + index)})" for index, c in enumerate(table.contradictions)}
    sources: dict[str, int] = {}

    def cited(text: str, source: str) -> str:
        return f"{text} [{sources.setdefault(source, len(sources) + 1)}]"

    rows = []
    for row in table.rows:
        cell, unit = row.cell, row.quantity.unit
        texts = {
            "document": cell.document.printed if cell.document else "",
            "published": "; ".join(cited(f.printed, f.source) for f in cell.published),
            "ours": cited(_number(cell.ours), _origin(cell.ours)) if cell.ours else "",
        }
        rows.append(
            (
                row.label,
                f"{row.quantity.label}, {unit}" if unit else row.quantity.label,
                *(text or f"({cell.why_empty[column]})" for column, text in texts.items()),
                "; ".join(letters.get(mark, f"{mark} differ") for mark in cell.mark),
            )
        )
    told = [f"{letters[c.id]} {c.text} ({c.source})" for c in table.contradictions]
    numbered = [f"[{number}] {source}" for source, number in sources.items()]
    title = f"Table {table.number}: {table.title}"
    return PlainTable(title, table.columns, tuple(rows), (*table.notes, *told, *numbered))


def _cell(
    row: Mapping[str, Any],
    quantity: Quantity,
    told: Mapping[str, Any],
    given: Measured | str | None,
    ids: Sequence[str],
) -> Cell:
    document = Figure(str(told["document"]), DOCUMENT) if "document" in told else None
    published = (
        *_golden(row["row"], quantity.name),
        *(Figure(str(value), _source(source)) for value, source in told.get("published", ())),
    )
    ours = given if isinstance(given, Measured) else None
    if ours and ours.unit != quantity.unit:
        raise ValueError(f"unit {ours.unit!r}: must be {quantity.unit!r} for {quantity.name}")
    why_empty = {}
    if document is None:
        why_empty["document"] = NOT_QUOTED
    if not published:
        why_empty["published"] = told.get("absent", row.get("published", NO_SOURCE))
    if ours is None:
        why_empty["ours"] = given if isinstance(given, str) else told.get("ours", quantity.ours)
    mark = (*disagreements(quantity, document, published, ours), *ids)
    return Cell(document, published, ours, mark, why_empty)


def _golden(network: str, quantity: str) -> tuple[Figure, ...]:
    """The published figure that stands with the counts."""
    told = golden_complexity().get(network, {}).get("published") or {}
    value = told.get(GOLDEN.get(quantity, ""))
    return () if value is None else (Figure(str(value), told["source"]),)


def _number(ours: Measured) -> str:
    def digits(value: float) -> str:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"

    between = f" ({digits(ours.interval[0])}..{digits(ours.interval[1])})" if ours.interval else ""
    return digits(ours.value) + between


def _origin(ours: Measured) -> str:
    repeats = f", {ours.repeats:,} repeats" if ours.repeats > 1 else ""
    return f"ours: {ours.device}{repeats}, `{ours.command}`"


def _source(key: str) -> str:
    return DOCUMENT if key == "document" else str(_data()["sources"][key])


@cache
def _data() -> dict[str, Any]:
    text = (
        files("lit_effnet.results.design_doc").joinpath("document.json").read_text(encoding="utf-8")
    )
    # Decimals keep the digits that were printed.
    data: dict[str, Any] = json.loads(text, parse_float=Decimal)
    for quantity in data["quantities"].values():
        for tolerance in {"relative", "absolute"} & quantity.keys():
            quantity[tolerance] = float(quantity[tolerance])
    return data
