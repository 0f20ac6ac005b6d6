"""The tables of results on the pages are those of the files that ship, and say where they are from."""

import json
from pathlib import Path

import pytest

from lit_effnet.results import pages
from lit_effnet.results.frame.shipped import RESULTS, read_shipped_rows
from lit_effnet.results.pages import TABLES
from lit_effnet.results.tables import measured as measured_tables
from lit_effnet.results.tables.measured import int8_table

FILES = sorted(RESULTS.glob("*.json"))


def cells(table: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_every_number_tells_its_command_commit_and_device(file) -> None:
    told = json.loads(file.read_text())
    assert told["command"].startswith(("python -m lit_effnet.", "python benchmarks/"))
    rows = [{**told["same"], **row} for row in told["rows"]]
    assert rows
    for row in rows:
        assert len(row.get("git_commit") or row["commit"]) == 40
        assert row["device"] in {"AMD EPYC", "NVIDIA H200"}
    assert "/tmp/" not in file.read_text()
    if told["kind"] == "runs":
        assert {"config_hash", "seed", "duration_s"} <= set(rows[0])


@pytest.mark.parametrize("name", [name for name in TABLES if name != "complexity"])
def test_a_table_has_as_many_cells_in_every_row(name: str) -> None:
    heading, rule, *rows = cells(TABLES[name]())
    assert len(rows) > 2
    assert {len(row) for row in rows} == {len(heading)} == {len(rule)}
    assert all(row[0] for row in rows)


def test_the_naive_column_is_of_the_same_variant_with_outliers() -> None:
    found = read_shipped_rows(RESULTS / "int8.json")
    heading, _, *rows = cells(int8_table(found))
    assert heading[3] == "naive top-1, %"
    (mixed,) = (row for row in rows if row[:3] == ["OpenVINO, NNCF mixed int8", "mse", "nothing"])
    by_outliers = {
        row["parameters"]["outliers"]: row["top1"]
        for row in found
        if [row["parameters"].get(k) for k in ("backend", "method", "kept")]
        == ["openvino_mixed", "mse", "nothing"]
    }
    assert mixed[3:5] == [f"{100 * by_outliers[part]:.1f}" for part in (0, 0.05)]
    without = cells(int8_table([row for row in found if row["parameters"].get("outliers") != 0]))
    assert "naive top-1, %" not in without[0]


def test_every_file_that_ships_is_read_by_a_table() -> None:
    text = "".join(Path(str(one.__file__)).read_text() for one in (measured_tables, pages))
    assert all(f'"{file.stem}"' in text or file.name in text for file in FILES)
