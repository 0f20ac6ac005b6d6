"""The tables of the docs show the numbers of the files that ship, which name their source."""

import json
from pathlib import Path

import pytest

from lit_effnet.cli.tables import PlainTable
from lit_effnet.results import pages
from lit_effnet.results.frame.shipped import RESULTS, read_shipped_rows
from lit_effnet.results.pages import TABLES
from lit_effnet.results.tables.measured import int8_table

FILES = sorted(RESULTS.glob("*.json"))


def cells(table: PlainTable) -> list[list[str]]:
    """Headings and rows."""
    return [[*table.columns], *map(list, table.rows)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_row_names_its_command_commit_and_device(file) -> None:
    content = json.loads(file.read_text())
    assert content["command"].startswith(("python -m lit_effnet.", "python benchmarks/"))
    rows = [{**content["same"], **row} for row in content["rows"]]
    assert rows
    for row in rows:
        assert len(row.get("git_commit") or row["commit"]) == 40
        assert row["device"] in {"AMD EPYC", "NVIDIA H200"}
    assert "/tmp/" not in file.read_text()
    if content["kind"] == "runs":
        assert {"config_hash", "seed", "duration_s"} <= set(rows[0])


@pytest.mark.parametrize("name", TABLES)
def test_a_table_has_several_rows_each_with_a_name(name: str) -> None:
    table = TABLES[name]()
    assert len(table.rows) > 2
    assert all(row[0] for row in table.rows)
    assert table.sides[0] == ("r" if name == "coefficient_search" else "l")


def test_the_naive_column_is_of_the_same_variant_with_outliers() -> None:
    shipped = read_shipped_rows(RESULTS / "int8.json")
    heading, *rows = cells(int8_table(shipped))
    assert heading[3] == "naive top-1, %"
    (mixed,) = (row for row in rows if row[:3] == ["OpenVINO, NNCF mixed int8", "mse", "nothing"])
    by_outliers = {
        row["parameters"]["outliers"]: row["top1"]
        for row in shipped
        if [row["parameters"].get(k) for k in ("backend", "method", "kept")]
        == ["openvino_mixed", "mse", "nothing"]
    }
    assert mixed[3:5] == [f"{100 * by_outliers[part]:.1f}" for part in (0, 0.05)]
    timed = [row for row in shipped if row["parameters"].get("outliers") != 0]
    assert "naive top-1, %" not in int8_table(timed).columns


def test_every_file_that_ships_is_read_by_a_table() -> None:
    text = Path(str(pages.__file__)).read_text()
    assert all(f'"{file.stem}"' in text for file in FILES)
