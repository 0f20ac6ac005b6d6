"""`--status`: how far a sweep is by its run folders, whoever runs it."""

import fcntl
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from lit_effnet import sweep
from lit_effnet.trials import snapshot
from lit_effnet.trials.ledger import Status
from tests.conftest import ROOT
from tests.test_sweep import tiny, write


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("LIT_EFFNET_ON", raising=False)


def make_run(folder: Path, record: dict[str, Any] | None, point: dict | None = None) -> Path:
    """A run folder as a trial leaves it."""
    folder.mkdir(parents=True)
    if record is not None:
        (folder / "run.json").write_text(json.dumps({"asked": [], **record}))
    if point is not None:
        (folder / "parameters.json").write_text(json.dumps(point))
    return folder


def silent(folder: Path, seconds: float) -> None:
    """As if nothing had been written for so long."""
    for file in folder.iterdir():
        os.utime(file, (time.time() - seconds,) * 2)


def one(folder: Path) -> Status:
    (run,) = snapshot.read(folder.parent, ["a"])
    return run.status


RUNNING = {"status": "running", "max_epochs": 10, "cost": {"epochs": 2, "seconds": 400.0}}


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"status": "finished"}, Status.FINISHED),
        ({"status": "finished", "asked": ["test"]}, Status.INTERRUPTED),
        ({"status": "interrupted"}, Status.INTERRUPTED),
        ({"status": "failed"}, Status.FAILED),
        (RUNNING, Status.DEAD),
        (None, Status.MISSING),
    ],
)
def test_a_run_that_has_been_silent_is_what_its_record_says(
    record: dict | None, expected: Status, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "locks_are_reliable", lambda path: True)
    folder = make_run(tmp_path / "group" / "one", record, {"a": 1})
    silent(folder, 3600)
    assert one(folder) is expected


def test_a_run_that_writes_or_holds_its_lock_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "locks_are_reliable", lambda path: True)
    folder = make_run(tmp_path / "group" / "one", RUNNING, {"a": 1})
    assert one(folder) is Status.RUNNING
    silent(folder, 3600)
    assert one(folder) is Status.DEAD
    with (folder / ".trial.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert one(folder) is Status.RUNNING
    assert one(folder) is Status.DEAD


@pytest.mark.parametrize(("seconds", "expected"), [(700, Status.RUNNING), (1100, Status.DEAD)])
def test_between_machines_silence_tells_as_long_as_five_epochs(
    seconds: float, expected: Status, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An epoch takes 200 s here."""
    monkeypatch.setattr(snapshot, "locks_are_reliable", lambda path: False)
    folder = make_run(tmp_path / "group" / "one", RUNNING, {"a": 1})
    silent(folder, seconds)
    assert one(folder) is expected


def test_the_file_system_is_that_of_the_nearest_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mounts = f"/dev/sda / ext4 rw 0 0\nserver:/x {tmp_path} nfs4 rw 0 0\n"
    monkeypatch.setattr(Path, "read_text", lambda *_, **__: mounts)
    assert snapshot.file_system(tmp_path / "runs") == "nfs4"
    assert not snapshot.locks_are_reliable(tmp_path)
    assert snapshot.locks_are_reliable(Path("/"))


def test_an_agents_trial_is_known_by_its_configuration(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "group" / "w1", {"status": "finished"})
    (folder / "config.yaml").write_text("seed_everything: 1\nmodel: {se_ratio: 0.25}\n")
    (known,) = snapshot.read(tmp_path / "group", ["model.se_ratio", "seed_everything"])
    assert known.point == {"model.se_ratio": 0.25, "seed_everything": 1}
    (unknown,) = snapshot.read(tmp_path / "group", ["model.name"])
    assert unknown.point is None


def test_three_and_three_point_nothing_are_one_value() -> None:
    assert snapshot.canonical_json({"a": 3.0, "b": [1.0]}) == snapshot.canonical_json(
        {"b": [1], "a": 3}
    )
    assert snapshot.canonical_json({"a": 3}) != snapshot.canonical_json({"a": 3.5})


def test_status_before_and_after_a_sweep_and_for_other_flags(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, root = write(tmp_path), tmp_path / "runs"
    sweep.main([str(file), f"--root={root}", "--status", *tiny()])
    out = capsys.readouterr().out
    assert "4 to run of 4" in out
    assert not root.exists()
    sweep.main([str(file), f"--root={root}", "--count=3", *tiny()])
    capsys.readouterr()
    sweep.main([str(file), f"--root={root}", "--status", *tiny()])
    out = capsys.readouterr().out
    assert "3 finished, 1 to run of 4" in out
    headings = " ".join(line for line in out.splitlines() if "┃" in line)
    assert set(headings.replace("┃", " ").split()) == {"arm", "finished", "to", "run", "val/top1"}
    counted = {arm: [cell.strip() for cell in line.split("│")[2:4]]
               for line in out.splitlines() for arm in ("0", "0.25") if f"se_ratio={arm} " in line}  # fmt: skip
    assert counted == {"0": ["2", ""], "0.25": ["1", "1"]}
    # Other flags after -- are other trials.
    sweep.main([str(file), f"--root={root}", "--status", *tiny("--data.batch_size=4")])
    out = capsys.readouterr().out
    assert "4 to run of 4" in out
    assert "3 other runs there, made with other flags" in out


def test_status_names_the_trials_that_run_failed_or_died(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Folders of agents, whose names W&B gives."""
    monkeypatch.setattr(snapshot, "locks_are_reliable", lambda path: True)
    file, group = write(tmp_path), tmp_path / "runs" / "small"
    done = {"status": "finished", "cost": {"seconds": 100.0, "epochs": 10}, "max_epochs": 10,
            "metrics": {"val/top1": 0.5}}  # fmt: skip
    for name, record, ratio, seed in (
        ("w0", done, 0.0, 0), ("w1", RUNNING, 0.0, 1), ("w2", RUNNING, 0.25, 0),
        ("w3", {"status": "failed"}, 0.25, 1),
    ):  # fmt: skip
        folder = make_run(group / name, record)
        config = {"model": {"se_ratio": ratio}, "scaling": {"phi": None}, "seed_everything": seed}
        (folder / "config.yaml").write_text(json.dumps(config))
    silent(group / "w2", 3600)
    sweep.main([str(file), f"--root={tmp_path / 'runs'}", "--status"])
    out = capsys.readouterr().out
    assert "1 finished, 1 running, 1 failed, 1 dead" in out
    # The running one has 8 of 10 epochs to go, the dead one too, at 100 s for all of them.
    assert "about 3 min left at 1 at a time of 4" in out
    assert "running  se_ratio=0 seed 1  epoch 2/10, wrote 0 s ago  w1" in out
    assert "dead     se_ratio=0.25 seed 0  epoch 2/10, wrote 60 min ago  w2" in out
    assert "failed   se_ratio=0.25 seed 1" in out
    assert "50.0 %" in out


def test_the_note_on_dead_trials_names_a_shared_file_system(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "file_system", lambda path: "nfs4")
    folder = make_run(tmp_path / "runs" / "small" / "w1", RUNNING)
    config = {"model": {"se_ratio": 0.0}, "scaling": {"phi": None}, "seed_everything": 0}
    (folder / "config.yaml").write_text(json.dumps(config))
    sweep.main([str(write(tmp_path)), f"--root={tmp_path / 'runs'}", "--status"])
    assert "nfs4 may not pass locks between machines" in capsys.readouterr().out
