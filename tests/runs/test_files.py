"""Files written whole, and what a killed writer leaves."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lit_effnet.runs.files import scratch_folder, write_whole
from lit_effnet.runs.folder import RunFolder

KILLED = """
import os, signal, sys
from pathlib import Path
from lit_effnet.runs import files
files._write = lambda file, data: (file.write(data[:10]), file.flush(), os.kill(os.getpid(), 9))
files.write_whole(Path(sys.argv[1]), "x" * 100)
"""


@contextmanager
def minutes_later(folder: Path) -> Iterator[None]:
    """Make everything in a folder an hour old."""
    for path in folder.rglob("*"):
        os.utime(path, (time.time() - 3600,) * 2)
    yield


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def killed_while_writing(file: Path) -> None:
    subprocess.run([sys.executable, "-c", KILLED, str(file)], check=False)


def test_the_next_writer_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    file = tmp_path / "last.ckpt"
    killed_while_writing(file)
    (left,) = names(tmp_path)
    assert left.startswith(".last.ckpt.")
    write_whole(file, "new")
    assert names(tmp_path) == [left, "last.ckpt"]  # it could belong to a writer that has just begun
    with minutes_later(tmp_path):
        write_whole(tmp_path / "other.ckpt", "new")
        assert left in names(tmp_path)
        write_whole(file, "newer")
    assert names(tmp_path) == ["last.ckpt", "other.ckpt"]
    assert file.read_text() == "newer"


def test_a_writer_at_work_keeps_its_copy(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    with scratch_folder(file) as folder:
        (folder / "part").write_text("half")
        with minutes_later(tmp_path):
            write_whole(file, "another's")
        assert (folder / "part").read_text() == "half"
    assert names(tmp_path) == ["model.onnx"]


def test_a_folder_that_a_killed_export_left_is_removed_by_the_next(tmp_path: Path) -> None:
    left = tmp_path / ".model.onnx.abcdefgh"
    left.mkdir()
    (left / "part").write_text("half")
    with minutes_later(tmp_path), scratch_folder(tmp_path / "model.onnx"):
        assert not left.exists()


def test_a_run_that_goes_on_removes_what_it_left_when_it_was_killed(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.checkpoints.mkdir()
    for name in ("checkpoints/best.ckpt", "run.json"):
        killed_while_writing(tmp_path / name)
    (tmp_path / ".mine").write_text("stays")
    with minutes_later(tmp_path), folder.only_process():
        assert names(tmp_path) == [".lock", ".mine", "checkpoints"]
        assert names(folder.checkpoints) == []


def test_what_cannot_be_written_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="Is a directory") as caught:
        write_whole(tmp_path / "taken", "x")
    assert caught.value.filename == str(tmp_path / "taken")
    assert names(tmp_path) == ["taken"]
