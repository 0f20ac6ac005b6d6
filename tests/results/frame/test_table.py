"""Every run is in the table or is named with the reason why not."""

import json
import os
import sys
from pathlib import Path

import pandas as pd
import pytest

from lit_effnet.results.frame.columns import COLUMNS
from lit_effnet.results.frame.table import load, write
from lit_effnet.runs.csv_text import read_rows
from tests.results.runs import EVALUATION, RECORD, make_run


def test_a_run_without_evaluations_is_a_row_of_what_the_training_scored(tmp_path: Path) -> None:
    run = make_run(tmp_path / "group" / "a")
    table = load([run])
    assert table.skipped == ()
    assert list(table.frame) == [*COLUMNS]
    (row,) = table.frame.to_dict("records")
    assert (row["run"], row["group"], row["id"]) == (str(run), "group", "a")
    assert (row["condition"], row["split"], row["source"]) == ("clean", "validation", "training")
    assert (row["top1"], row["loss"], row["images"], row["correct"]) == (0.75, 1.0, 40, 30)
    assert (row["depth"], row["width"], row["resolution"]) == (1.0, 0.5, 1.0)
    assert (row["macs"], row["parameters"], row["latency_ms"]) == (2000, 1000, 1.5)
    assert (row["duration_s"], row["training_images_per_s"]) == (12.5, 50.0)
    assert row["started"] == pd.Timestamp("2026-01-02T03:04:05Z")


def test_images_are_not_known_where_a_limit_left_some_out(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a")
    (run / "config.yaml").write_text("trainer:\n  limit_val_batches: 2\n")
    frame = load([run]).frame
    assert frame["top1"].to_list() == [0.75]
    assert frame[["images", "correct"]].isna().all(axis=None)


def test_each_condition_is_a_row_and_replaces_what_the_training_scored(tmp_path: Path) -> None:
    noise = {"condition": "noise", "parameters": {"sigma": 0.1}, "made_at": "reference"}
    run = make_run(tmp_path / "a", {}, noise, test={"test/top1": 0.25, "test/loss": 2.0})
    frame = load([run]).frame
    told = frame[["source", "split", "condition", "condition_parameters", "top1"]]
    assert told.to_numpy().tolist() == [
        ["training", "test", "clean", "{}", 0.25],
        ["evaluation", "validation", "clean", "{}", 0.5],
        ["evaluation", "validation", "noise", '{"sigma": 0.1}', 0.5],
    ]


@pytest.mark.parametrize(
    "other",
    [
        {"data_fingerprint": "f1"},
        {"not_own": ["image_size 96 instead of 64"]},
        {"made_at": "reference"},
        {"split": "test"},
    ],
)
def test_clean_images_in_another_view_replace_nothing(tmp_path: Path, other: dict) -> None:
    frame = load([make_run(tmp_path / "a", other)]).frame
    assert frame["source"].to_list() == ["training", "evaluation"]


def test_rows_of_older_weights_are_marked(tmp_path: Path) -> None:
    frame = load([make_run(tmp_path / "a", {"weights": "old"}, {"weights": "new"})]).frame
    assert frame["newest"].to_list() == [False, True]


def test_runs_of_any_status_are_in_it(tmp_path: Path) -> None:
    make_run(tmp_path / "g" / "a", status="running", metrics={})
    make_run(tmp_path / "g" / "b", status="failed", error="ValueError: it has diverged")
    killed = make_run(tmp_path / "g" / "c", status="running")
    (killed / "trial.json").write_text('{"failed": {"exit_status": -9, "last_lines": []}}')
    stopped = make_run(tmp_path / "g" / "d", status="interrupted")
    (stopped / "trial.json").write_text('{"stopped_early": {"epoch": 3}}')
    frame = load([tmp_path]).frame
    assert frame["status"].to_list() == ["running", "failed", "failed", "stopped early"]
    assert frame["reason"].fillna("").to_list() == [
        "",
        "ValueError: it has diverged",
        "exit status -9",
        "by early termination after epoch 3",
    ]
    assert frame["top1"].isna().to_list() == [True, False, False, False]


def test_roots_groups_and_runs_may_be_mixed_and_each_run_is_read_once(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / "root" / group / run) for group in "ab" for run in "cd"]
    (tmp_path / "linked").symlink_to(tmp_path / "root")
    (tmp_path / "root" / "a" / "back").symlink_to(tmp_path / "root")
    table = load([runs[3], tmp_path / "root", tmp_path / "root" / "a", tmp_path / "linked"])
    assert sorted(table.frame["run"]) == sorted(map(str, runs))
    assert table.skipped == ()


BROKEN = {
    "half": ('{"status": "finished"', "run.json: is not JSON, or incomplete"),
    "list": ("[1, 2]", "run.json: must hold an object, and holds a list"),
    "empty": ("", "run.json: is not JSON"),
    "binary": (b"\xff\xfe\x00", "run.json: not UTF-8 text, but UTF-16"),
    "deep": ("[" * 100_000, "run.json: must be nested at most 50 deep"),
    "foreign": ('{"name": "left-pad"}', "status: is missing"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_record_is_named(tmp_path: Path, name: str) -> None:
    content, reason = BROKEN[name]
    good, bad = make_run(tmp_path / "good"), tmp_path / "bad"
    bad.mkdir()
    (bad / "run.json").write_bytes(content if isinstance(content, bytes) else content.encode())
    table = load([tmp_path])
    assert table.frame["run"].to_list() == [str(good)]
    (skipped,) = table.skipped
    assert skipped.path == str(bad)
    assert skipped.reason.startswith(reason)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"scaling": None}, "scaling: is missing"),
        ({"complexity": {"macs": "many"}}, "macs 'many': must be a whole number"),
        ({"complexity": {"macs": 2**63}}, "macs 9223372036854775808: must be a whole number"),
        (
            {"cost": {"seconds": 10**400}},
            f"run.json: the integer {'1' + 29 * '0'}: must have at most 64 bits",
        ),
        ({"arm": "\ud800"}, "arm '\\ud800': must be a text"),
        ({"seed": True}, "seed True: must be a whole number"),
        ({"metrics": {"val/top1": 75.0}}, "top1 75.0: must be from 0 to 1"),
        ({"metrics": {"val/top1": float("nan")}}, "top1 nan: must be from 0 to 1"),
        ({"data": []}, "data []: must be an object"),
    ],
)
def test_a_record_of_another_shape_is_named(tmp_path: Path, changes: dict, reason: str) -> None:
    table = load([make_run(tmp_path / "a", **changes)])
    assert table.frame.empty
    assert [one.reason for one in table.skipped] == [reason]


def test_lines_that_are_cut_or_foreign_are_named_and_the_others_used(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a", {})
    with (run / "evaluations.jsonl").open("a") as file:
        file.write('3\n{"condition": "clean"}\n' + json.dumps(EVALUATION)[:50])
    table = load([run])
    assert table.frame["source"].to_list() == ["evaluation"]
    assert {one.path for one in table.skipped} == {str(run / "evaluations.jsonl")}
    first, second, third = [one.reason for one in table.skipped]
    assert first == "line 2: must be an object, and is a whole number"
    assert second == "line 3: parameters: is missing"
    assert third.startswith("line 4: is not JSON, or incomplete")


def test_of_folders_without_runs_the_uppermost_is_named(tmp_path: Path) -> None:
    make_run(tmp_path / "group" / "a")
    (tmp_path / "group" / "waiting").mkdir()
    (tmp_path / "other" / "inner" / "most").mkdir(parents=True)
    (tmp_path / ".cache" / "inner").mkdir(parents=True)
    skipped = load([tmp_path, tmp_path / "missing"]).skipped
    assert [(one.path, one.reason) for one in skipped] == [
        (str(tmp_path / "group" / "waiting"), "no run folder: there is no run.json in it"),
        (str(tmp_path / "other"), "no run folder: there is no run.json in it"),
        (str(tmp_path / "missing"), "cannot be read (No such file or directory)"),
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_what_may_not_be_read_is_named(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a")
    (run / "run.json").chmod(0)
    assert [one.reason.split(" (")[0] for one in load([run]).skipped] == [
        "run.json: cannot be read"
    ]


def test_a_run_that_vanishes_while_it_is_read_is_named(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a")
    (run / "run.json").unlink()
    (run / "run.json").symlink_to(tmp_path / "gone")
    (skipped,) = load([run]).skipped
    assert skipped.reason.startswith("run.json: cannot be read")


@pytest.mark.skipif(sys.platform != "linux", reason="file names are texts there")
def test_a_folder_may_have_a_name_that_is_no_text(tmp_path: Path) -> None:
    name = os.fsdecode(b"run\xff")
    make_run(tmp_path / name, group="g", id="a")
    (tmp_path / f"{name}2").mkdir()
    table = load([tmp_path])
    assert table.frame["run"].to_list() == [f"{tmp_path}/run?"]
    assert [one.path for one in table.skipped] == [f"{tmp_path}/run?2"]


def test_no_runs_are_an_empty_table_of_the_same_columns(tmp_path: Path) -> None:
    empty, one = load([tmp_path]).frame, load([make_run(tmp_path / "a")]).frame
    assert empty.empty
    assert empty.dtypes.to_dict() == one.dtypes.to_dict()


def test_parquet_gives_the_frame_back_and_csv_its_cells(tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "a", {}, {"condition": "fog", "severity": 3})
    make_run(tmp_path / "runs" / "b", seed=None)
    frame = load([tmp_path / "runs"]).frame
    write(frame, tmp_path / "table.parquet")
    write(frame, tmp_path / "table.csv")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "table.parquet"), frame)
    cells = pd.read_csv(tmp_path / "table.csv")
    assert cells["top1"].to_list() == frame["top1"].to_list()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "runs",
        "table.csv",
        "table.parquet",
    ]


def test_a_table_as_csv_holds_no_formula_and_gives_its_texts_back(tmp_path: Path) -> None:
    make_run(tmp_path / "runs" / "a", group="=1+1", arm="-x", metrics={"val/top1": 0.5})
    frame = load([tmp_path / "runs"]).frame.assign(difference=-3.7)
    write(frame, tmp_path / "table.csv")
    text = (tmp_path / "table.csv").read_text()
    assert "'=1+1" in text
    (row,) = read_rows(text)
    assert (row["group"], row["arm"], row["difference"]) == ("=1+1", "-x", "-3.7")


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"path 't.xlsx': must end in .parquet, .csv"):
        write(load([tmp_path]).frame, Path("t.xlsx"))


def test_a_real_run_is_in_it(photos_run: Path) -> None:
    table = load([photos_run])
    (row,) = table.frame.to_dict("records")
    record = json.loads((photos_run / "run.json").read_text())
    assert table.skipped == ()
    assert row["top1"] == record["metrics"]["val/top1"]
    assert row["correct"] == round(row["top1"] * record["data"]["images"]["validation"])
    assert RECORD.keys() - record.keys() == set()
