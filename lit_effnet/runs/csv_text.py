"""Write and read CSV that no spreadsheet evaluates as formulas.

A text that begins with `=`, `+`, `-`, `@`, a tab or a line break is prefixed with an apostrophe
(OWASP, "CSV Injection"), and so is a text that already has the prefix. Numbers are unchanged.
`read_rows` and `restore` remove the prefix.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from typing import Any

from lit_effnet.runs.yaml_scan import DocumentError

# With their full-width forms, which spreadsheets read alike.
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+](inf|nan)")


def escape(cell: Any) -> Any:
    """Return the cell; a text that a spreadsheet would evaluate is prefixed with an apostrophe."""
    if isinstance(cell, str) and _FORMULA.match(cell) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def restore(text: str) -> str:
    """Return the text before `escape`."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text) else text


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return headings and rows as CSV (RFC 4180, with line feeds).

    Args:
        columns: The headings.
        rows: One cell per column; None for an empty one.
    """
    lines = [[_quoted(escape(cell)) for cell in row] for row in (columns, *rows)]
    # A reader would skip an empty line.
    return "".join((",".join(line) or '""') + "\n" for line in lines)


def _quoted(cell: Any) -> str:
    """Quote the cell if it needs quotes; Python's writer lets a carriage return break rows."""
    text = "" if cell is None else str(cell)
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\r\n') else text


def read_rows(text: str, name: str = "") -> list[dict[str, str]]:
    """Return the rows of CSV written by `csv_text`, by heading.

    Missing cells at the end of a row are empty.

    Args:
        text: The content.
        name: The file, for messages.

    Raises:
        DocumentError: A row has more cells than there are columns, or a cell has more than csv's
            limit of 131,072 characters.
    """
    before = f"{name}: " if name else ""
    lines = [line for _, line in read_lines(text, name) if line]
    names, *rows = [[*map(restore, line)] for line in lines] or [[]]
    for number, row in enumerate(rows, start=2):
        if len(row) > len(names):
            raise DocumentError(f"{before}row {number} has more cells than there are columns")
    return [dict(zip_longest(names, row, fillvalue="")) for row in rows]


def read_lines(text: str, name: str = "", delimiter: str = ",") -> Iterator[tuple[int, list[str]]]:
    """Yield the cells of each row of CSV with the number of its last line.

    Args:
        text: The content.
        name: The file, for messages.
        delimiter: Character between cells.

    Raises:
        DocumentError: It is not CSV, or a cell has more than csv's limit of 131,072 characters.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            yield reader.line_num, row
    except csv.Error as error:
        before = f"{name}: " if name else ""
        raise DocumentError(f"{before}not CSV ({error}, line {reader.line_num})") from error
