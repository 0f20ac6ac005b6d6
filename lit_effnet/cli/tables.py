"""Tables: columns are declared once and rendered to the terminal, Markdown, LaTeX, CSV and HTML.

columns = (Column("network", "name", left=True), Column("MACs", "macs", count, unit="M"))
print(as_markdown(tabulate(columns, rows, title="Costs")))
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from lit_effnet.runs.csv_text import csv_text

if TYPE_CHECKING:
    from rich.table import Table as RichTable

# Characters that LaTeX reads as commands, and characters that its usual fonts lack.
LATEX = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    **{character: f"\\{character}" for character in "&%$#_"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "\u00b1": r"$\pm$",
    "\u00d7": r"$\times$",
    "\u2212": "$-$",
    "\u2260": r"$\neq$",
}


Row = Mapping[str, Any]

# In GitHub's Markdown an underscore within a word is no mark.
MARKS = re.compile(r"[*<\[]|(?<![^\W_])_|_(?![^\W_])")
NEGATIVE = re.compile(r"^-(?=[\d.])")


@dataclass(frozen=True)
class Column:
    """One column of a table, declared once for all renderings.

    Args:
        heading: Name of the column, or a message that `tabulate(show=)` turns into text.
        value: Key of the row, or a function of the row; None and NaN leave the cell empty.
        write: Turns a value into text or a message, see `lit_effnet.cli.format`.
        unit: Unit of the numbers; follows the heading.
        left: Whether texts are aligned on the left instead of the right.
        optional: Whether the column is left out where all its cells are empty.
        empty: Text of cells whose value is unknown.
        meaning: One sentence on what the column holds.
    """

    heading: Any
    value: str | Callable[[Row], Any]
    write: Callable[[Any], Any] = str
    _: KW_ONLY
    unit: str = ""
    left: bool = False
    optional: bool = False
    empty: str = ""
    meaning: str = ""

    @property
    def label(self) -> Any:
        """The heading with the unit."""
        return f"{self.heading}, {self.unit}" if self.unit else self.heading

    def of(self, row: Row) -> Any:
        """Return the value for a row; None where it is unknown."""
        value = row.get(self.value) if isinstance(self.value, str) else self.value(row)
        return None if isinstance(value, float) and math.isnan(value) else value

    def text(self, row: Row) -> Any:
        """Return the text or message of a row."""
        value = self.of(row)
        return self.empty if value is None else self.write(value)


@dataclass(frozen=True)
class PlainTable:
    """A table of text, as `tabulate` returns it.

    Args:
        title: Text above the table.
        columns: Headings.
        rows: Rows, each with a text for every column.
        notes: Paragraphs below the table.
        sides: A letter for every column: `l` for texts on the left, `r` for those on the right.
        keys: Sort key of each cell, in the shape of `rows`.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    sides: str
    keys: tuple[tuple[Any, ...], ...]


def tabulate(
    columns: Sequence[Column],
    rows: Sequence[Row],
    *,
    title: Any = "",
    notes: Sequence[Any] = (),
    show: Callable[[Any], str] = str,
) -> PlainTable:
    """Return the rows as a table with these columns, for any rendering below.

    Args:
        columns: The columns; those that are optional and empty are left out.
        rows: One mapping for each line.
        title: Text above the table.
        notes: Paragraphs below the table.
        show: Turns every message into text, in a language for example.
    """
    shown = [c for c in columns if not c.optional or any(c.of(row) is not None for row in rows)]
    return PlainTable(
        show(title),
        tuple(show(column.label) for column in shown),
        tuple(tuple(show(column.text(row)) for column in shown) for row in rows),
        tuple(map(show, notes)),
        "".join("l" if column.left else "r" for column in shown),
        tuple(tuple(column.of(row) for column in shown) for row in rows),
    )


def as_rich(table: PlainTable, *, compact: bool = False) -> "RichTable":
    """Return the table for the terminal, without the notes, which callers print below it.

    Headings are as narrow as their cells, and ranges in parentheses stand in a second line: numbers
    are to fit into 80 columns, since they are never wrapped.

    Args:
        table: The table.
        compact: Whether to leave out lines and padding, and to wrap texts between words only.
    """
    from rich.table import Table as RichTable
    from rich.text import Text

    result = RichTable(title=table.title or None, title_justify="left")
    if compact:
        result.box, result.padding = None, (0, 1, 0, 0)
    for place, (heading, side) in enumerate(zip(table.columns, table.sides, strict=True)):
        cells = [line for row in table.rows for line in _lines(row[place])]
        width = max(map(len, [*cells, *heading.split()]), default=1)
        words = [wrap(line, width) for line in _lines(heading.replace(", ", "\n", 1))]
        result.add_column(
            Text("\n".join(line for lines in words for line in lines)),
            justify="left" if side == "l" else "right",
            no_wrap=side == "r",
            overflow="fold",
            min_width=max((len(word) for cell in cells for word in cell.split()), default=0)
            if compact
            else None,
        )
    for row in table.rows:
        texts = zip(row, table.sides, strict=True)
        result.add_row(*(Text("\n".join(_lines(t)) if s == "r" else t) for t, s in texts))
    return result


def as_html(table: PlainTable, *, name: str = "", row_ids: Sequence[str] = ()) -> Markup:
    """Return the table as HTML whose headings are buttons and whose cells hold their sort keys.

    Args:
        table: The table, with HTML as it is where texts are `Markup`; its title and notes are left
            to the page.
        name: Name of the table for scripts, in `data-table`.
        row_ids: An `id` for every row, for links; empty for none.
    """
    kinds = [Markup(' class="number"') if side == "r" else "" for side in table.sides]
    heading = Markup('<th scope="col"{}><button type="button">{}</button></th>')
    lines = []
    for index, (texts, keys) in enumerate(zip(table.rows, table.keys, strict=True)):
        cells = [
            Markup("<td{}{}>{}</td>").format(kind, _data_key(key), _with_minus(text))
            for kind, key, text in zip(kinds, keys, texts, strict=True)
        ]
        row_id = Markup(' id="{}"').format(row_ids[index]) if row_ids else ""
        lines.append(Markup("<tr{}>{}</tr>").format(row_id, Markup("").join(cells)))
    return Markup("<table{}>\n<thead><tr>{}</tr></thead>\n<tbody>\n{}\n</tbody></table>").format(
        Markup(' data-table="{}"').format(name) if name else "",
        Markup("").join(map(heading.format, kinds, table.columns)),
        Markup("\n").join(lines),
    )


def as_markdown(table: PlainTable) -> str:
    """Return the table as GitHub's Markdown, its title in bold and its notes as paragraphs."""
    rules = ["--:" if side == "r" else "---" for side in table.sides]
    lines = [
        *([f"**{_markdown(table.title)}**", ""] if table.title else []),
        _markdown_row(table.columns),
        f"|{'|'.join(rules)}|",
        *map(_markdown_row, table.rows),
    ]
    for note in table.notes:
        lines += ["", _markdown(note)]
    return "\n".join(lines) + "\n"


def as_latex(table: PlainTable) -> str:
    """Return the table as a LaTeX float, which needs the package booktabs."""
    lines = [
        r"\begin{table}",
        r"  \centering",
        f"  \\caption{{{_latex(table.title)}}}",
        f"  \\begin{{tabular}}{{{table.sides}}}",
        r"    \toprule",
        _latex_row(table.columns),
        r"    \midrule",
        *(_latex_row(row) for row in table.rows),
        r"    \bottomrule",
        r"  \end{tabular}",
    ]
    lines += [f"  \\par\\footnotesize {_latex(note)}" for note in table.notes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def as_csv(table: PlainTable) -> str:
    """Return headings and rows as CSV without formulas; title and notes are left out."""
    return csv_text(table.columns, table.rows)


def _lines(text: str) -> list[str]:
    """Return a number and its range as two lines."""
    return text.replace(" (", "\n(").splitlines()


def _data_key(key: Any) -> Markup:
    """Return the attribute by which a page sorts a cell; none for an unknown value."""
    if isinstance(key, tuple | list):
        key = key[0] if key else None
    if key is None:
        return Markup("")
    return Markup(' data-key="{}"').format(key.lower() if isinstance(key, str) else key)


def _with_minus(text: str) -> str:
    """Return a negative number with the sign of typographers; CSV keeps that of programs."""
    return NEGATIVE.sub("\u2212", text) if NEGATIVE.match(text) else text


def _markdown_row(texts: Sequence[str]) -> str:
    return f"| {' | '.join(_with_minus(_markdown(text)) for text in texts)} |"


def _markdown(text: str) -> str:
    """Return the text in one line, with all marks of Markdown escaped but code in backquotes."""
    parts = " ".join(text.split()).split("`")
    if len(parts) % 2 == 0:  # a backquote that closes nothing
        parts = ["\\`".join(parts)]
    for index, part in enumerate(parts):
        escaped = part.replace("|", r"\|")
        parts[index] = MARKS.sub(r"\\\g<0>", escaped) if index % 2 == 0 else escaped
    return "`".join(parts)


def _latex_row(texts: Sequence[str]) -> str:
    # A row that began with a bracket would be read as the length of the line break before it.
    joined = " & ".join(_latex(_with_minus(text)) for text in texts)
    return f"    {'{}' if joined.startswith('[') else ''}{joined} \\\\"


def _latex(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in " ".join(text.split()))
