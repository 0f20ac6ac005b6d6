"""Tables of the design document: its figure, the published one and ours, side by side.

`document.json` has the figures of the document and of publications; `network/complexity.json` has
the published parameters, MACs and top-1 of the networks that are counted. Ours are passed in, see
`results.design_doc.ours`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from importlib.resources import files
from typing import Any

from lit_effnet.cli.tables import Column, PlainTable, tabulate
from lit_effnet.network.golden import golden_complexity
from lit_effnet.results.design_doc.quantities import Measured, Quantity, Quoted, Row

DOCUMENT = "the design document"
NOT_QUOTED, NO_SOURCE = "no figure is quoted", "no source was found"
GOLDEN = {"parameters": "params_m", "macs": "macs_g", "top1": "top1"}

# Figures by row and quantity; a text is the reason why there is none.
Ours = Mapping[tuple[str, str], Measured | str]


@dataclass(frozen=True)
class Contradiction:
    """A contradiction within the document, between it and others, or within a publication.

    Args:
        id: Name of the contradiction.
        table: Number of the table.
        cells: Quantities that it concerns, by the name of the row.
        text: The contradiction in words.
        source: Where it can be seen.
    """

    id: str
    table: int
    cells: Mapping[str, tuple[str, ...]]
    text: str
    source: str


@dataclass(frozen=True)
class Table:
    """One of the document's tables.

    Args:
        number: Number in the document.
        title: Subject of the table.
        rows: Rows, one for each quantity.
        notes: Remarks on the whole table.
        contradictions: Known contradictions of its rows.
    """

    number: int
    title: str
    rows: tuple[Row, ...]
    notes: tuple[str, ...]
    contradictions: tuple[Contradiction, ...]

    def cell(self, row: str, quantity: str) -> Row:
        """Return the figures of a row's quantity.

        Raises:
            ValueError: The table does not have them.
        """
        for entry in self.rows:
            if (entry.name, entry.quantity.name) == (row, quantity):
                return entry
        raise ValueError(f"row {row!r}: must be one of table {self.number} with {quantity}")


def numbers() -> list[int]:
    """Return the numbers of the document's tables."""
    return [table["number"] for table in _data()["tables"]]


def tables(ours: Ours | None = None) -> list[Table]:
    """Return all tables of the document.

    Args:
        ours: Figures that were counted and measured here.
    """
    return [document_table(number, ours) for number in numbers()]


def document_table(number: int, ours: Ours | None = None) -> Table:
    """Return one table of the document.

    Args:
        number: Number in the document.
        ours: Figures that were counted and measured here.

    Raises:
        ValueError: There is no such table.
    """
    data = _data()
    if number not in numbers():
        raise ValueError(f"number {number}: must be one of {', '.join(map(str, numbers()))}")
    (table,) = (table for table in data["tables"] if table["number"] == number)
    known = contradictions(number)
    rows = []
    for entry in table["rows"]:
        for name, cell in entry["cells"].items():
            quantity = Quantity(name, **data["quantities"][name])
            figure = (ours or {}).get((entry["row"], name))
            ids = tuple(c.id for c in known if name in c.cells.get(entry["row"], ()))
            rows.append(_row(entry, quantity, cell, figure, ids))
    return Table(number, table["title"], tuple(rows), tuple(table["notes"]), tuple(known))


def contradictions(number: int | None = None) -> list[Contradiction]:
    """Return the known contradictions of a table.

    Args:
        number: Number in the document; None for all tables.
    """
    return [
        Contradiction(
            entry["id"],
            entry["table"],
            {row: tuple(quantities) for row, quantities in entry["cells"].items()},
            entry["text"],
            _source(entry["source"]),
        )
        for entry in _data()["contradictions"]
        if number in (None, entry["table"])
    ]


def plain(table: Table) -> PlainTable:
    """Return the table as text, with numbered sources and lettered contradictions below it."""
    letters = {c.id: f"({chr(ord('a') + index)})" for index, c in enumerate(table.contradictions)}
    sources: dict[str, int] = {}

    def cited(text: str, source: str) -> str:
        return f"{text} [{sources.setdefault(source, len(sources) + 1)}]"

    rows = []
    for row in table.rows:
        figures = {
            "document": row.document.printed if row.document else "",
            "published": "; ".join(cited(f.printed, f.source) for f in row.published),
            "ours": cited(_number(row.ours), _origin(row.ours)) if row.ours else "",
        }
        rows.append(
            {
                "row": row.label,
                "quantity": f"{row.quantity.label}, {row.quantity.unit}".removesuffix(", "),
                **{name: text or f"({row.why_empty[name]})" for name, text in figures.items()},
                "marks": "; ".join(letters.get(mark, f"{mark} differ") for mark in row.marks),
            }
        )
    columns = [
        Column(heading, name, left=True)
        for name, heading in (
            *(("row", "row"), ("quantity", "quantity"), ("document", DOCUMENT)),
            *(("published", "published"), ("ours", "ours"), ("marks", "contradictions")),
        )
    ]
    explained = [f"{letters[c.id]} {c.text} ({c.source})" for c in table.contradictions]
    numbered = [f"[{number}] {source}" for source, number in sources.items()]
    title = f"Table {table.number}: {table.title}"
    return tabulate(columns, rows, title=title, notes=[*table.notes, *explained, *numbered])


def _row(
    entry: Mapping[str, Any],
    quantity: Quantity,
    cell: Mapping[str, Any],
    figure: Measured | str | None,
    known: tuple[str, ...],
) -> Row:
    """Return the figures of one cell of the data file, with reasons for the missing ones."""
    published = (
        *_golden(entry["row"], quantity.name),
        *(Quoted(str(value), _source(source)) for value, source in cell.get("published", ())),
    )
    why_empty = {}
    if "document" not in cell:
        why_empty["document"] = NOT_QUOTED
    if not published:
        why_empty["published"] = cell.get("absent", entry.get("published", NO_SOURCE))
    if not isinstance(figure, Measured):
        why_empty["ours"] = figure or cell.get("ours", quantity.ours)
    return Row(
        name=entry["row"],
        label=entry["label"],
        quantity=quantity,
        document=Quoted(str(cell["document"]), DOCUMENT) if "document" in cell else None,
        published=published,
        ours=figure if isinstance(figure, Measured) else None,
        known=known,
        why_empty=why_empty,
    )


def _golden(network: str, quantity: str) -> tuple[Quoted, ...]:
    """Return the published figure that `network/complexity.json` has beside the counts."""
    published = golden_complexity().get(network, {}).get("published") or {}
    value = published.get(GOLDEN.get(quantity, ""))
    return () if value is None else (Quoted(str(value), published["source"]),)


def _number(ours: Measured) -> str:
    def digits(value: float) -> str:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"

    return digits(ours.value) + (
        f" ({digits(ours.interval[0])}..{digits(ours.interval[1])})" if ours.interval else ""
    )


def _origin(ours: Measured) -> str:
    repeats = f", {ours.repeats:,} repeats" if ours.repeats > 1 else ""
    return f"ours: {ours.device}{repeats}, `{ours.command}`"


def _source(key: str) -> str:
    return DOCUMENT if key == "document" else str(_data()["sources"][key])


@cache
def _data() -> dict[str, Any]:
    file = files("lit_effnet.results.design_doc").joinpath("document.json")
    # Decimals keep the digits that were printed.
    data: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"), parse_float=Decimal)
    for quantity in data["quantities"].values():
        for tolerance in {"relative", "absolute"} & quantity.keys():
            quantity[tolerance] = float(quantity[tolerance])
    return data
