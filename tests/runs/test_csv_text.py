"""CSV that no spreadsheet calculates, and that is read back as it was."""

import csv
import io

import pytest

from lit_effnet.runs.csv_text import csv_text, read_rows
from lit_effnet.runs.documents import DocumentError
from tests.conftest import ROOT

FORMULAS = [
    "=1+1",
    "+cmd",
    "-1+1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\uff1d1",
    '=HYPERLINK("http://x","y")',
    "-3.7 [-9.1, +1.7]",
    "-",
    "'=1",
    "''-x",
]
PLAIN = [
    "",
    "a=1",
    "'quoted'",
    "depth=1.5, width=2",
    "a\r\nb",
    "a\rb",
    "1-2",
    "\u22123",
    " =1",
    "\u00e9",
]
NUMBERS = ["-3.7", "+1.7", "-1e-05", "-.5", "+3.", "-inf", "-nan", "-0"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_text_that_a_spreadsheet_would_calculate_begins_with_an_apostrophe(text: str) -> None:
    (_, (cell,)) = csv.reader(io.StringIO(csv_text(["a"], [[text]]), newline=""))
    assert cell == f"'{text}"


@pytest.mark.parametrize("text", [*PLAIN, *NUMBERS])
def test_other_texts_and_numbers_stay_as_they_are(text: str) -> None:
    (_, (cell, _)) = csv.reader(io.StringIO(csv_text(["a", "b"], [[text, "x"]]), newline=""))
    assert cell == text


def test_every_text_is_read_back_as_it_was_and_so_is_every_heading() -> None:
    texts = [*FORMULAS, *PLAIN, *NUMBERS]
    columns = [f"{text}#" for text in texts]
    written = csv_text(columns, [texts, texts[::-1]])
    assert read_rows(written) == [
        dict(zip(columns, texts, strict=True)),
        dict(zip(columns, texts[::-1], strict=True)),
    ]


def test_numbers_are_written_as_python_writes_them_and_none_as_an_empty_cell() -> None:
    assert csv_text(["a", "b", "c"], [[-3.7, None, -1e-05]]) == "a,b,c\n-3.7,,-1e-05\n"


def test_a_row_that_is_cut_has_empty_cells_and_a_longer_one_is_refused() -> None:
    assert read_rows("a,b\n1") == [{"a": "1", "b": ""}]
    assert read_rows("") == []
    assert read_rows(csv_text(["a"], [[""], [None]])) == [{"a": ""}, {"a": ""}]
    with pytest.raises(DocumentError, match=r"^row 2 has more cells than there are columns"):
        read_rows("a,b\n1,2,3\n")
    with pytest.raises(DocumentError, match=r"^x\.csv: not CSV \(field larger than field limit"):
        read_rows("a\n" + "1" * 131_073, "x.csv")


def test_nothing_else_in_the_package_writes_csv() -> None:
    package = ROOT / "lit_effnet"
    others = [file for file in package.rglob("*.py") if file.name != "csv_text.py"]
    words = ("to_csv", "csv.writer", "DictWriter", "savetxt")
    assert not [file for file in others if any(word in file.read_text() for word in words)]
