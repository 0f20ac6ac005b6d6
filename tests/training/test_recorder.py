"""The run folder's files: whole or not at all, and readable again."""

import resource
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from lit_effnet.runs.files import write_whole
from lit_effnet.runs.folder import RunFolder
from lit_effnet.runs.provenance import config_hash, cpu_name, device_name, git_commit, versions
from lit_effnet.training.errors import explain_failure, is_out_of_memory


def test_a_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "run.json"
    write_whole(file, "first")
    write_whole(file, "second")
    assert file.read_text() == "second"
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]


def test_a_write_that_fails_keeps_the_old_file_and_leaves_nothing_beside_it(
    tmp_path: Path,
) -> None:
    """A limit on the size of files stands for the full disk."""
    file = tmp_path / "run.json"
    write_whole(file, "old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large") as raised:
            write_whole(file, "x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert file.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.json"]
    assert "no space left" in explain_failure(raised.value, tmp_path)


def test_metrics_are_read_as_they_were_written(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    assert folder.read_metrics() == []
    folder.write_metrics([{"epoch": 0, "val/top1": 0.5}, {"epoch": 1, "val/top5": 0.75}])
    assert folder.read_metrics() == [
        {"epoch": "0", "val/top1": "0.5", "val/top5": ""},
        {"epoch": "1", "val/top1": "", "val/top5": "0.75"},
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "no run folder"), ("{", "cannot be read"), ("[1]", "cannot be read")],
)
def test_what_is_no_run_record_is_named(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "run.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        RunFolder(tmp_path).read()


def test_equal_configurations_have_one_hash_and_others_another() -> None:
    assert config_hash({"a": 1, "b": {"c": 2}}) == config_hash({"b": {"c": 2}, "a": 1})
    assert config_hash({"a": 1}) != config_hash({"a": 2})
    assert len(config_hash({})) == 12


def test_provenance_names_code_packages_and_device() -> None:
    commit = git_commit()
    assert commit is None or len(commit.removesuffix("+changes")) == 40
    assert versions()["torch"] == version("torch")
    assert device_name("cpu")


def test_memory_that_ran_out_is_recognised() -> None:
    with pytest.raises(RuntimeError) as raised:
        torch.empty(2**60)
    assert is_out_of_memory(raised.value)
    assert not is_out_of_memory(RuntimeError("shape mismatch"))
    assert "lower --data.batch_size" in explain_failure(raised.value, Path())


def test_an_unknown_error_keeps_its_traceback_in_the_folder(tmp_path: Path) -> None:
    try:
        raise KeyError("surprise")
    except KeyError as error:
        line = explain_failure(error, tmp_path)
    assert line == f"KeyError: 'surprise' (traceback in {tmp_path / 'traceback.txt'})"
    assert "raise KeyError" in (tmp_path / "traceback.txt").read_text()


def test_evaluations_that_end_at_once_lose_no_row(tmp_path: Path) -> None:
    def add(number: int) -> None:
        for part in range(5):
            RunFolder(tmp_path).add_evaluation({"id": f"{number}.{part}"})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(8)))
    assert len({row["id"] for row in RunFolder(tmp_path).read_evaluations()}) == 40


def test_an_evaluation_takes_the_place_of_one_with_its_id(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    for row in ({"id": "a", "top1": 1}, {"id": "b", "top1": 2}, {"id": "a", "top1": 3}):
        folder.add_evaluation(row)
    made_by = {"git_commit": git_commit(), "processor": cpu_name()}
    assert folder.read_evaluations() == [
        {**made_by, "id": "b", "top1": 2},
        {**made_by, "id": "a", "top1": 3},
    ]
    folder.add_evaluation({"id": "a", "git_commit": "other"})  # a row that is kept, and completed
    assert folder.read_evaluations()[1]["git_commit"] == "other"


def test_a_broken_row_is_told_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "evaluations.jsonl").write_text('{"id": "a"}\n{"id": \n')
    with pytest.raises(ValueError, match=r"evaluations.jsonl: line 2 is not an evaluation"):
        RunFolder(tmp_path).read_evaluations()
