"""Tables: columns declared once; rendered to the terminal, Markdown, LaTeX, CSV and HTML."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from lit_effnet.runs.csv_text import csv_text

if TYPE_CHECKING:
    from rich.table import Table as RichTable

# What LaTeX reads as a command, and characters that its usual fonts lack.
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
    "\u2260": r"$\neq$",
}


Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column of a table, declared once for all renderings.

    Args:
        heading: Its name.
        value: Key of the row, or a function of the row; None and NaN leave the cell empty.
        unit: Of its numbers; follows the heading.
        write: Turns a value into text, see `lit_effnet.cli.format`.
        left: Aligns it on the left, as texts are.
        optional: Leaves the column out where all cells are empty.
        meaning: One sentence on what it holds.
    """

    heading: str
    value: str | Callable[[Row], Any]
    unit: str = ""
    write: Callable[[Any], str] = str
    left: bool = False
    optional: bool = False
    meaning: str = ""

    @property
    def label(self) -> str:
        """The heading with the unit."""
        return f"{self.heading}, {self.unit}" if self.unit else self.heading

    def of(self, row: Row) -> Any:
        """Return the value for a row; None where it is not known."""
        value = row.get(self.value) if isinstance(self.value, str) else self.value(row)
        return None if isinstance(value, float) and math.isnan(value) else value


@dataclass(frozen=True)
class PlainTable:
    """A table of text.

    Args:
        title: Stands above it.
        columns: Headings.
        rows: Each with a text for every column.
        notes: Stand below it, a paragraph each.
        alignment: A letter for every column, `l` or `r`; empty for all on the left.
        keys: What each cell is sorted by, in the shape of `rows`; empty for the texts themselves.

    Raises:
        ValueError: a row with more or fewer texts than columns, or another alignment.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()
    alignment: str = ""
    keys: tuple[tuple[Any, ...], ...] = ()

    def __post_init__(self) -> None:
        count = len(self.columns)
        for row in self.rows:
            if len(row) != count:
                raise ValueError(f"rows {row!r}: must have {count} texts, one for every column")
        if self.alignment and (len(self.alignment) != count or set(self.alignment) - {"l", "r"}):
            raise ValueError(f"alignment {self.alignment!r}: must be {count} letters, each l or r")

    @property
    def sides(self) -> str:
        """The alignment, with a letter for every column."""
        return self.alignment or "l" * len(self.columns)


def tabulate(
    columns: Sequence[Column], rows: Sequence[Row], *, title: str = "", notes: Sequence[str] = ()
) -> PlainTable:
    """Return the rows as a table with these columns, for any rendering below.

    Args:
        columns: Declared once; those that are optional and empty are left out.
        rows: One mapping for each line.
        title: Stands above it.
        notes: Stand below it, a paragraph each.
    """
    shown = [c for c in columns if not c.optional or any(c.of(row) is not None for row in rows)]
    keys = tuple(tuple(column.of(row) for column in shown) for row in rows)
    texts = tuple(
        tuple(
            "" if key is None else column.write(key) for column, key in zip(shown, row, strict=True)
        )
        for row in keys
    )
    sides = "".join("l" if column.left else "r" for column in shown)
    headings = tuple(column.label for column in shown)
    return PlainTable(title, headings, texts, tuple(notes), sides, keys)


def as_rich(table: PlainTable, *, compact: bool = False) -> "RichTable":
    """Return the table for the terminal; notes are left to the caller, who prints them below.

    Args:
        table: The table.
        compact: Leaves lines and padding out, and wraps texts between words only.
    """
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(title=table.title or None, title_justify="left")
    if compact:
        drawn.box, drawn.padding = None, (0, 1, 0, 0)
    for index, (heading, side) in enumerate(zip(table.columns, table.sides, strict=True)):
        left = side == "l"
        words = [word for row in table.rows for word in row[index].split()]
        drawn.add_column(
            Text(heading.replace(", ", "\n", 1)),
            justify="left" if left else "right",
            no_wrap=not left,
            overflow="fold",
            min_width=max(map(len, words), default=0) if compact else None,
        )
    for row in table.rows:
        drawn.add_row(*map(Text, row))
    return drawn


def as_html(table: PlainTable) -> Markup:
    """Return the table as HTML; `data-key` of a cell holds what it is sorted by."""
    rows = table.keys or table.rows
    head = Markup("").join(Markup('<th scope="col">{}</th>').format(text) for text in table.columns)
    body = Markup("").join(
        Markup("<tr>{}</tr>").format(
            Markup("").join(
                Markup('<td class="{}" data-key="{}">{}</td>').format(
                    "number" if side == "r" else "text", "" if key is None else key, text
                )
                for text, key, side in zip(texts, keys, table.sides, strict=True)
            )
        )
        for texts, keys in zip(table.rows, rows, strict=True)
    )
    return Markup("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>").format(head, body)


def as_markdown(table: PlainTable) -> str:
    """The table as GitHub's Markdown, its title in bold and its notes as paragraphs."""
    rules = ["--:" if side == "r" else "---" for side in table.sides]
    lines = [
        f"**{_markdown(table.title)}**",
        "",
        _markdown_row([_markdown(heading) for heading in table.columns]),
        _markdown_row(rules),
        *(_markdown_row([_markdown(text) for text in row]) for row in table.rows),
    ]
    for note in table.notes:
        lines += ["", _markdown(note)]
    return "\n".join(lines) + "\n"


def as_latex(table: PlainTable) -> str:
    """The table as a LaTeX float; it needs the package booktabs."""
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


def markdown_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)
) -> str:
    """A table of Markdown as it stands in a page; its texts may hold marks of Markdown.

    Args:
        columns: Headings.
        rows: Each with a text for every column.
        left: Places of the columns that are not set to the right.
    """
    rules = ["---" if place in left else "--:" for place in range(len(columns))]
    lines = [_markdown_row([*columns]), f"|{'|'.join(rules)}|"]
    return "\n".join([*lines, *(_markdown_row([*cells]) for cells in rows)])


def as_csv(table: PlainTable) -> str:
    """Headings and rows as CSV, without formulas; title and notes are left out."""
    return csv_text(table.columns, ([_ascii_minus(text) for text in row] for row in table.rows))


def _ascii_minus(text: str) -> str:
    """A number with the minus sign that programs read."""
    plain = text.replace("\u2212", "-")
    return plain if plain.removeprefix("-").replace(".", "").isdigit() else text


def _markdown_row(texts: list[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _markdown(text: str) -> str:
    """The text in one line, of which Markdown reads nothing as a mark but code in backquotes."""
    parts = " ".join(text.split()).split("`")
    if len(parts) % 2 == 0:  # a backquote that closes nothing
        parts = ["\\`".join(parts)]
    for index, part in enumerate(parts):
        escaped = part.replace("|", r"\|")
        if index % 2 == 0:
            for mark in "*_<[":
                escaped = escaped.replace(mark, f"\\{mark}")
        parts[index] = escaped
    return "`".join(parts)


def _latex_row(texts: tuple[str, ...]) -> str:
    # A row that began with a bracket would be read as the length of the line break before it.
    joined = " & ".join(_latex(text) for text in texts)
    return f"    {'{}' if joined.startswith('[') else ''}{joined} \\\\"


def _latex(text: str) -> str:
    return "".join(LATEX.get(character, character) for character in " ".join(text.split()))
