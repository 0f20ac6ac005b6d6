"""Files that ship are small, of no machine, and read back as the table they were; found by name."""

import json
import time
from pathlib import Path

import pandas as pd
import pytest
import yaml

from lit_effnet.results.frame.lookup import (
    newest_run,
    project_root,
    read_int8_rows,
    read_rows,
    read_runs,
)
from lit_effnet.results.frame.run_parts import (
    METRICS,
    command_of,
    common,
    joined,
    parts_of,
    text_of,
    without,
)
from lit_effnet.results.frame.shipped import read_shipped, read_shipped_rows, ship, ship_rows
from lit_effnet.results.frame.table import load
from lit_effnet.results.report.plan import parameters_of
from tests.results.figures import examples
from tests.results.runs import make_run

ROOT = Path(__file__).parents[3]
SHIPPED = sorted((ROOT / "results").glob("*.json"))


def test_a_table_comes_back_as_it_was(tmp_path: Path) -> None:
    make_run(tmp_path / "group" / "a", {"condition": "gaussian_noise", "parameters": {"sigma": 1}})
    make_run(tmp_path / "group" / "b", arm="width 2", seed=1)
    frame = load([tmp_path]).frame
    ship(frame, tmp_path / "made.json", "the command")
    found = read_shipped(tmp_path / "made.json")
    left_out = ["run", "reason", "training_images_per_s"]
    pd.testing.assert_frame_equal(found.drop(columns=left_out), frame.drop(columns=left_out))
    file = f"{tmp_path}/made.json"
    assert found["run"].to_list() == [f"{file}#group/{run}" for run in ("a", "a", "b")]
    pd.testing.assert_frame_equal(load([file]).frame, found)
    assert json.loads((tmp_path / "made.json").read_text())["command"] == "the command"


def test_each_run_keeps_its_configuration_and_its_epochs(tmp_path: Path) -> None:
    config = {
        "trainer": {"limit_val_batches": None},
        "data": {"path": "/home/me/images"},
        "recipe": {"learning_rate": 0.0123456789},  # a hash was made of all its digits
    }
    told = {"a": "baseline", "b": "depth=1.5"}
    for name, arm in told.items():
        run = make_run(tmp_path / "group" / name, recipe={"name": "plain", "momentum": 0.9})
        (run / "config.yaml").write_text(yaml.safe_dump(config | {"scaling": {"arm": arm}}))
        (run / "parameters.json").write_text(json.dumps({"scaling.arm": arm, "cut": True}))
        (run / "metrics.csv").write_text("epoch,val/top1,val/x\n0,0.25,\n1,0.5,1e-5\n")
    file = tmp_path / "made.json"
    ship(load([tmp_path / "group"]).frame, file, "the command")
    for name, arm in told.items():
        run_in_file = f"{file}#group/{name}"
        flags = yaml.safe_load(text_of(run_in_file, "config.yaml"))
        assert flags == {**config, "data": {"path": "images"}, "scaling": {"arm": arm}}
        point = json.loads(text_of(run_in_file, "parameters.json"))
        assert point == {"scaling.arm": arm, "cut": True}
        record = json.loads(text_of(run_in_file, "run.json"))
        assert record == {"recipe": {"name": "plain", "momentum": 0.9}}
        assert text_of(run_in_file, "metrics.csv") == "epoch,val/top1,val/x\n0,0.25,\n1,0.5,1e-05\n"
    with pytest.raises(FileNotFoundError, match=r"has no trial\.log of group/a"):
        text_of(f"{file}#group/a", "trial.log")
    assert command_of(f"{file}#group/a") == "the command"
    assert command_of(f"{tmp_path}/group/a") is None


def test_nested_mappings_come_apart_and_together() -> None:
    parts = [
        {"a": {"x": 1, "y": 2}, "b": 1, "c": [1]},
        {"a": {"x": 1, "y": 3}, "b": True, "c": [1], "d": {}},
        {"a": {"x": 1}, "b": 1, "c": [1], "d": {"e": None}},
    ]
    same = common(parts)
    assert same == {"a": {"x": 1}, "c": [1]}
    assert [joined(same, without(part, same)) for part in parts] == parts


def test_a_broken_file_of_results_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    run = make_run(tmp_path / "group" / "a")
    (tmp_path / "made.json").write_text('{"rows": [')
    table = load([run, tmp_path / "made.json", tmp_path / "none.json"])
    assert len(table.frame) == 1
    assert [Path(one.path).name for one in table.skipped] == ["made.json", "none.json"]
    assert [one.reason.split(" (")[0] for one in table.skipped] == [
        "is no file of results",
        "cannot be read",
    ]


DAMAGED = {
    "deep": ("[" * 100_000, "is no file of results (must be nested at most 50 deep)"),
    "utf-16": ("{}".encode("utf-16"), "is no file of results (not UTF-8 text, but UTF-16: save it"),
    "binary": (b"\x89PNG" + bytes(99), "is no file of results (not UTF-8 text (binary))"),
    "list": ("[]", "is no file of results: must be an object with format, kind, same and rows"),
    "65 bits": (
        '"seed": 0',
        f'"seed": {2**64}',
        "is no file of results (the integer 18446744073709",
    ),
    "64 bits": (
        '"seed": 0',
        f'"seed": {2**63}',
        "row 1: seed 9223372036854775808: must be a whole",
    ),
    "fraction": ('"seed": 0', '"seed": 0.5', "row 1: seed 0.5: must be a whole number"),
    "truth": ('"seed": 0', '"seed": true', "row 1: seed True: must be a whole number"),
    "text": ('"top1": 0.75', '"top1": "0.75"', "row 1: top1 '0.75': must be a number"),
    "list in a cell": ('"arm": "baseline"', '"arm": ["b"]', "row 1: arm ['b']: must be a text"),
    "no run": ('"run": "group/a", ', "", "row 1: run: is missing"),
    "column": ('"seed": 0', '"sed": 0', "row 1: must have columns of the table, and has 'sed'"),
    "condition": ('"{}"', '"[]"', "row 1: condition_parameters: must be an object, as JSON"),
    "part": (
        '"run.json": {',
        '"run.json": 3, "x": {',
        "runs.group/a: run.json: is no part of a run",
    ),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_results_are_refused_in_a_line_that_says_where(name: str, tmp_path: Path) -> None:
    file = tmp_path / "made.json"
    ship(load([make_run(tmp_path / "group" / "a")]).frame, file, "command")
    whole = file.read_text()
    assert len(load([file]).frame) == 1
    *change, message = DAMAGED[name]
    if len(change) == 2:
        assert change[0] in whole
        change = [whole.replace(*change)]
    file.write_bytes(change[0].encode() if isinstance(change[0], str) else change[0])
    table = load([file])
    assert table.frame.empty
    (skipped,) = table.skipped
    assert skipped.reason.startswith(message)
    assert len(skipped.reason) < 200


def test_a_launchers_file_of_ten_megabytes_is_read_in_a_moment(tmp_path: Path) -> None:
    run = make_run(tmp_path / "group" / "a")
    point = {f"p{n}": "x" * 90 for n in range(100_000)}
    (run / "parameters.json").write_text(json.dumps(point))
    began = time.process_time()
    assert parameters_of(str(run)) == point
    assert time.process_time() - began < 10


def test_a_cell_beyond_csvs_limit_is_no_column(tmp_path: Path) -> None:
    run = make_run(tmp_path / "group" / "a")
    (run / "metrics.csv").write_text("epoch,val/top1\n0," + "1" * 140_000 + "\n")
    assert METRICS not in parts_of(str(run))


def test_a_file_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    ship(load([make_run(tmp_path / "group" / "a")]).frame, tmp_path / "made.json", "command")
    assert (
        len(load([tmp_path / "made.json", f"{tmp_path}/../{tmp_path.name}/made.json"]).frame) == 1
    )


def test_two_runs_of_one_id_do_not_ship(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / root / "group" / "a") for root in ("one", "two")]
    with pytest.raises(ValueError, match="runs of one GROUP/ID each"):
        ship(load(runs).frame, tmp_path / "made.json", "command")
    with pytest.raises(ValueError, match="runs of one GROUP/ID each"):
        ship(load(runs[:1]).frame.assign(group=pd.NA), tmp_path / "made.json", "command")


def test_released_weights_ship_with_their_evaluations(tmp_path: Path) -> None:
    made_by = {"git_commit": "abc", "processor": "a processor", "device": "cpu"}
    run = make_run(tmp_path / "released" / "lite0", made_by, status="released", metrics={})
    ship(load([run]).frame, tmp_path / "made.json", "command")
    (row,) = read_shipped(tmp_path / "made.json").to_dict("records")
    assert (row["status"], row["evaluation_commit"]) == ("released", "abc")
    assert row["evaluation_device"] == "a processor"


def test_places_of_the_machine_are_cut(tmp_path: Path) -> None:
    run = make_run(tmp_path / "group" / "a", data={"name": "/home/me/images", "classes": 2})
    ship(load([run]).frame, tmp_path / "runs.json", "command")
    assert read_shipped(tmp_path / "runs.json")["data"].to_list() == ["images"]
    ship_rows([{"inner": {"data": ["/home/me/images"]}}], tmp_path / "rows.json", "command")
    assert read_shipped_rows(tmp_path / "rows.json") == [{"inner": {"data": ["images"]}}]


def test_only_finished_runs_ship(tmp_path: Path) -> None:
    frame = load([make_run(tmp_path / "group" / "a", status="interrupted")]).frame
    with pytest.raises(ValueError, match="finished runs only, and has interrupted"):
        ship(frame, tmp_path / "made.json", "command")
    with pytest.raises(ValueError, match="has no row"):
        ship(frame[:0], tmp_path / "made.json", "command")
    with pytest.raises(ValueError, match="rows: must have one"):
        ship_rows([], tmp_path / "made.json", "command")
    assert not (tmp_path / "made.json").exists()


def test_what_is_no_file_of_results_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "made.json"
    file.write_text("{}")
    with pytest.raises(ValueError, match=r"made.json: is no file of results"):
        read_shipped(file)
    ship_rows([{"name": "b0"}], file, "command")
    with pytest.raises(ValueError, match=r"made.json: holds measurements, and no runs of a sweep"):
        read_shipped(file)
    unknown = {"format": 1, "kind": "runs", "same": {}, "rows": [{"price": 1}]}
    file.write_text(json.dumps(unknown))
    with pytest.raises(ValueError, match="'price'"):
        read_shipped(file)


@pytest.mark.parametrize("file", SHIPPED, ids=lambda file: file.name)
def test_what_ships_is_whole_and_small(file: Path) -> None:
    content = json.loads(file.read_text())
    assert content["command"].startswith(("python -m lit_effnet.", "python benchmarks/"))
    assert file.stat().st_size < 400_000
    assert '"/' not in file.read_text()
    if content["kind"] == "runs":
        frame = read_shipped(file)
        told = ["seed", "commit", "device", "duration_s", "config_hash", "macs", "top1"]
        assert frame[told].notna().all(axis=None)
        assert not frame["commit"].str.endswith("+changes").any()
        trials = frame[["arm", "seed", "learning_rate"]].drop_duplicates()
        equal = trials["arm"].value_counts().nunique() == 1
        assert equal or "did not end" in content["note"]


def test_own_runs_come_before_those_that_ship(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    ship(examples.se_runs(), tmp_path / "results" / "se_ratio_photos.json", "command")
    assert len(read_runs("se_ratio", tmp_path)) == len(examples.se_runs())
    make_run(tmp_path / "runs" / "se_ratio_photos" / "a", status="running", metrics={})
    assert len(read_runs("se_ratio", tmp_path)) == len(examples.se_runs())
    make_run(tmp_path / "runs" / "se_ratio_photos" / "b")
    assert len(read_runs("se_ratio", tmp_path)) == 2


def test_what_is_missing_names_its_command(tmp_path: Path) -> None:
    for read, name, command in (
        (read_runs, "se_ratio", "lit_effnet.sweep sweeps/se_ratio.yaml --on photos"),
        (read_rows, "efficiency", "lit_effnet.measure"),
        (read_int8_rows, "int8", "lit_effnet.quantize"),
        (newest_run, "photos", "make fit"),
    ):
        with pytest.raises(ValueError, match=f"^{name}: no .*{command}"):
            read(name, tmp_path)


def test_rows_of_measurements_are_found(tmp_path: Path) -> None:
    (tmp_path / "results").mkdir()
    ship_rows(examples.efficiency_rows(), tmp_path / "results" / "efficiency.json", "command")
    assert read_rows("efficiency", tmp_path) == examples.efficiency_rows()
    (tmp_path / "runs").mkdir()
    (tmp_path / "runs" / "efficiency.jsonl").write_text('{"name": "b0"}\n{"name": "b')
    assert read_rows("efficiency", tmp_path) == [{"name": "b0"}]


def test_int8_is_of_the_run_that_was_quantised_last(tmp_path: Path) -> None:
    for name, top1, year in (("a", 0.7, 2026), ("b", 0.6, 2025)):
        rows = [{**row, "evaluated": f"{year}-01-01"} for row in examples.int8_rows(top1)]
        make_run(tmp_path / "runs" / "photos" / name, {}, *rows)
    found = read_int8_rows(root=tmp_path)
    assert [row["top1"] for row in found if row["top1"] < 0.8] == [0.7]
    assert len(found) == len(examples.int8_rows())


def test_the_newest_run_has_weights(tmp_path: Path) -> None:
    for day in (1, 2, 3):
        run = make_run(tmp_path / "runs" / "photos" / f"{day}", started=f"2026-01-0{day}T00:00:00Z")
        if day < 3:
            (run / "checkpoints").mkdir()
            (run / "checkpoints" / "last.ckpt").touch()
    assert newest_run(root=tmp_path).name == "2"


def test_the_project_is_found_from_its_folders(tmp_path: Path) -> None:
    assert project_root(ROOT) == project_root(ROOT / "analysis") == ROOT
    assert project_root(tmp_path) == tmp_path.resolve()
