"""Tables in the terminal, Markdown, LaTeX, CSV and HTML."""

import csv
import io
import re

import pytest
from rich.console import Console

from lit_effnet.cli import format as form
from lit_effnet.cli.tables import (
    Column,
    PlainTable,
    as_csv,
    as_html,
    as_latex,
    as_markdown,
    as_rich,
    tabulate,
)

ODD = r"a|b, 5 % & #1_x {y} ~^\ $2 <b> *c* [d] " + "\u00d7"
TEXTS = [("b0", "77.1"), (ODD, '"quoted"\nin two lines'), ("[1]", "")]


def table_of(title: str, headings: tuple[str, ...], rows: list[tuple[str, ...]]) -> PlainTable:
    """Return a table with the first column on the left, and two notes."""
    columns = [Column(heading, heading, left=place == 0) for place, heading in enumerate(headings)]
    records = [dict(zip(headings, row, strict=True)) for row in rows]
    return tabulate(columns, records, title=title, notes=("See `b0_x | y`.", "It's 5 %."))


TABLE = table_of("Cost & gain, 100 %", ("network", "top-1, %"), TEXTS)


def markdown_cells(line: str) -> list[str]:
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def unescaped(text: str) -> str:
    """LaTeX without its commands and escaped characters."""
    return re.sub(r"\\(?:[a-z]+|[&%$#_{}\\])", "", text)


def test_markdown_is_one_table_with_as_many_cells_in_every_line() -> None:
    lines = as_markdown(TABLE).splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert {len(markdown_cells(line)) for line in table} == {2}
    assert markdown_cells(table[1]) == ["---", "--:"]
    assert len(table) == 2 + len(TABLE.rows)
    assert lines[0] == "**Cost & gain, 100 %**"


def test_markdown_reads_no_text_as_a_mark_but_code() -> None:
    text = as_markdown(TABLE)
    assert r"a\|b, 5 % & #1_x" in text
    assert r"\<b> \*c\* \[d]" in text
    assert r"See `b0_x \| y`." in text
    alone = table_of("t", ("a",), [("one ` alone_",)])
    assert r"one \` alone\_" in as_markdown(alone)


def test_latex_has_balanced_braces_and_environments() -> None:
    text = as_latex(TABLE)
    plain = unescaped(text)
    assert plain.count("{") == plain.count("}")
    begun = re.findall(r"\\begin\{(\w+)\}", text)
    assert begun == re.findall(r"\\end\{(\w+)\}", text)[::-1] == ["table", "tabular"]
    for rule in ("toprule", "midrule", "bottomrule"):
        assert text.count(rf"\{rule}") == 1


def test_latex_escapes_what_it_would_read_as_a_command() -> None:
    text = as_latex(TABLE)
    assert r"a\textbar{}b, 5 \% \& \#1\_x \{y\} \textasciitilde{}\textasciicircum{}" in text
    assert r"\textbackslash{} \$2 \textless{}b\textgreater{}" in text
    assert text.isascii()
    assert not re.search(r"(?<!\\)[%#_]", text)


def test_latex_has_a_cell_for_every_column_and_no_row_that_is_read_as_a_length() -> None:
    body = as_latex(TABLE).split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    rows = [line.strip() for line in body]
    assert [len(re.findall(r"(?<!\\)&", row)) for row in rows] == [1, 1, 1]
    assert all(row.endswith(r"\\") for row in rows)
    assert rows[-1].startswith("{}[1]")


def test_csv_is_read_back_as_it_was() -> None:
    read = list(csv.reader(io.StringIO(as_csv(TABLE), newline="")))
    assert read == [list(TABLE.columns), *map(list, TABLE.rows)]


def test_negative_numbers_have_a_minus_sign_for_readers_and_a_hyphen_for_programs() -> None:
    table = table_of("t", ("=arm", "points"), [("=1+1", "-3.7"), ("-x", "")])
    assert as_csv(table) == "'=arm,points\n'=1+1,-3.7\n'-x,\n"
    assert "| =1+1 | \u22123.7 |" in as_markdown(table)
    assert "=1+1 & $-$3.7" in as_latex(table)
    assert ">\u22123.7</td>" in as_html(table)


COLUMNS = (
    Column(heading="network", value="name", left=True),
    Column(heading="MACs", unit="M", value="macs", write=form.number(",.1f", 1e-6)),
    Column(heading="top-1", unit="%", value=lambda row: row["correct"] / row["images"],
           write=form.percent),
    Column(heading="energy", unit="J", value="joules", optional=True),
)  # fmt: skip
ROWS = [
    {"name": "b0 <b>", "macs": 390_000_000, "correct": 3, "images": 4},
    {"name": "b1 [bold]", "macs": None, "correct": 1, "images": 3},
]


def test_a_column_is_declared_once_for_all_renderings() -> None:
    table = tabulate(COLUMNS, ROWS, title="costs")
    assert table.columns == ("network", "MACs, M", "top-1, %")
    assert table.rows == (("b0 <b>", "390.0", "75.0"), ("b1 [bold]", "", "33.3"))
    assert table.sides == "lrr"
    assert "| b1 \\[bold] |  | 33.3 |" in as_markdown(table)
    assert as_csv(table).splitlines()[1] == "b0 <b>,390.0,75.0"
    html = as_html(table, name="costs", row_ids=("a", "b"))
    assert '<table data-table="costs">' in html
    assert '<th scope="col" class="number"><button type="button">MACs, M</button></th>' in html
    assert '<tr id="a"><td data-key="b0 &lt;b&gt;">b0 &lt;b&gt;</td>' in html
    assert '<td class="number"></td>' in html
    console = Console(width=80, file=io.StringIO(), color_system=None)
    console.print(as_rich(table))
    drawn = console.file.getvalue()
    assert "b1 [bold]" in drawn
    assert "33.3" in drawn


def test_a_range_is_one_cell_that_breaks_in_the_terminal_and_sorts_by_its_centre() -> None:
    column = Column(heading="latency", unit="ms", value="ms", write=form.spread(form.milliseconds))
    table = tabulate([column], [{"ms": [17.1, 16.0, 18.2]}])
    assert as_markdown(table) == "| latency, ms |\n|--:|\n| 17.1 (16.0..18.2) |\n"
    assert 'data-key="17.1"' in as_html(table)
    console = Console(width=80, file=io.StringIO(), color_system=None)
    console.print(as_rich(table))
    assert "latency \u2503" in console.file.getvalue()
    assert "(16.0..18.2) \u2502" in console.file.getvalue()
    assert form.spread(form.ratio)([1.5, None, 2.0]) == "1.50"
    assert form.each(form.percent)([0.5, 0.25]) == "50.0, 25.0"


@pytest.mark.parametrize("write", [form.percent, form.points, form.megabytes, form.count])
def test_an_unknown_number_is_an_empty_text(write: form.Format) -> None:
    assert write(None) == write(float("nan")) == ""


@pytest.mark.parametrize(
    ("seconds", "text"), [(9, "9 s"), (99.4, "99 s"), (240, "4 min"), (7500, "2 h 05 min")]
)
def test_a_duration_has_the_unit_that_fits_it(seconds: float, text: str) -> None:
    assert form.duration(seconds) == text
