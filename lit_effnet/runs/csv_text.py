"""Write and read CSV whose cells no spreadsheet takes for formulas.

A text that begins with `=`, `+`, `-`, `@`, a tab or a line break gets an apostrophe before it
(OWASP, "CSV Injection"), and so does one that would be mistaken for such a cell. Numbers stay as
they are. `read_rows` and `restore` give the text back.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any

from lit_effnet.runs.yaml_scan import DocumentError

# Also in full width, which spreadsheets read as the plain ones.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+](inf|nan)")


def escape(cell: Any) -> Any:
    """Return the cell; a text that a spreadsheet would calculate gets an apostrophe before it."""
    if isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def restore(text: str) -> str:
    """Return the text that `escape` was given."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return headings and rows as CSV (RFC 4180, with line feeds).

    Args:
        columns: The headings.
        rows: A cell for every column; None is an empty one.
    """
    lines = [[_quoted(escape(cell)) for cell in row] for row in (columns, *rows)]
    # An empty line would be no row.
    return "".join((",".join(line) or '""') + "\n" for line in lines)


def _quoted(cell: Any) -> str:
    """The cell in quotes where it needs them; Python's writer lets a carriage return break rows."""
    text = "" if cell is None else str(cell)
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\r\n') else text


def read_rows(text: str, name: str = "") -> list[dict[str, str]]:
    """Return the rows of CSV as `csv_text` wrote it, by their headings.

    A row that is cut has empty cells at its end.

    Args:
        text: The content.
        name: The file, for the message.

    Raises:
        DocumentError: A row has more cells than there are columns, or a cell has more than csv's
            limit of 131,072 characters.
    """
    before = f"{name}: " if name else ""
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline="")) if line]
    except csv.Error as error:
        raise DocumentError(f"{before}not CSV ({error})") from error
    names, *rows = [[*map(restore, line)] for line in lines] or [[]]
    for number, row in enumerate(rows, start=2):
        if len(row) > len(names):
            raise DocumentError(f"{before}row {number} has more cells than there are columns")
    return [dict(zip_longest(names, row, fillvalue="")) for row in rows]
