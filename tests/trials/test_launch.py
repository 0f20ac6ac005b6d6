"""The launcher: every trial once, whatever is killed, and what failed told with its reason.

The trials here are processes that last a fraction of a second; tests/test_sweep.py runs `fit`.
"""

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path

import psutil
import pytest

from lit_effnet.runs.folder import RunFolder
from lit_effnet.trials import process
from lit_effnet.trials.launch import Launch, Progress
from lit_effnet.trials.ledger import Entry, Status
from lit_effnet.trials.plan import Trial
from lit_effnet.trials.process import Share
from lit_effnet.trials.source import Listed, Proposed
from lit_effnet.trials.sweep_file import Sweep
from tests.conftest import HUNG_S, ROOT, until

MODULE = "tests.trials.short_trial"


def make_trials(root: Path, count: int, *flags: str, **of_one: list[str]) -> list[Trial]:
    """Trials t0, t1, ...; `of_one` are further flags of single ones."""
    return [
        Trial(
            number + 1, f"t{number}", {"number": number},
            (f"--run.root={root}", f"--run.id=t{number}", *flags, *of_one.get(f"t{number}", ())),
            RunFolder(root / "group" / f"t{number}"), f"arm {number}", 0,
        )
        for number in range(count)
    ]  # fmt: skip


def make_launch(trials: Iterable[Trial], workers: int = 2, **options: object) -> Launch:
    config = {
        "method": "grid",
        "parameters": {},
        "metric": {"name": "val/top1", "goal": "maximize"},
    }
    sweep = Sweep(Path("s.yaml"), {**config, **options.pop("config", {})}, {})
    process.prepare([MODULE])
    return Launch(sweep, Listed(trials), MODULE, [Share(1, {})] * workers, **options)


def run(launch: Launch) -> dict[str, Progress]:
    for _ in launch.run():
        pass
    return launch.all


def times_run(trial: Trial) -> int:
    file = trial.folder.path / "times_run"
    return len(file.read_text().splitlines()) if file.exists() else 0


def test_every_trial_runs_once_and_a_second_launch_runs_none(tmp_path: Path) -> None:
    trials = make_trials(tmp_path, 5)
    assert {p.status for p in run(make_launch(trials)).values()} == {Status.FINISHED}
    records = [(t.folder.path / "run.json").read_bytes() for t in trials]
    again = run(make_launch(trials))
    assert [p.status for p in again.values()] == [Status.FINISHED] * 5
    assert all(p.seen for p in again.values())
    assert [times_run(t) for t in trials] == [1] * 5
    assert [(t.folder.path / "run.json").read_bytes() for t in trials] == records


def test_as_many_run_at_a_time_as_there_are_shares(tmp_path: Path) -> None:
    launch = make_launch(make_trials(tmp_path, 4, "--seconds=0.6"), workers=2)
    most = 0
    for _ in launch.run():
        most = max(most, len(launch.running))
    assert most == 2


def test_a_trial_has_its_parameters_as_json_and_its_output_in_its_folder(tmp_path: Path) -> None:
    (trial,) = make_trials(tmp_path, 1, "--exit=1")
    run(make_launch([trial]))
    assert json.loads(trial.parameters_file.read_text()) == {"number": 0}
    assert "line before the last" in Entry(trial.folder).log.read_text()


def test_two_points_that_come_to_the_same_are_one_trial(tmp_path: Path) -> None:
    (trial,) = make_trials(tmp_path, 1)
    assert list(run(make_launch([trial, trial, trial]))) == ["t0"]
    assert times_run(trial) == 1


def test_a_trial_that_fails_is_told_with_its_last_line_and_the_sweep_goes_on(
    tmp_path: Path,
) -> None:
    trials = make_trials(tmp_path, 4, t1=["--exit=3"])
    found = run(make_launch(trials))
    assert [p.status for p in found.values()].count(Status.FINISHED) == 3
    assert found["t1"].status is Status.FAILED
    assert found["t1"].reason == "exit status 3: failed: it was told to"
    assert Entry(trials[1].folder).notes()["failed"]["last_lines"][-2:] == [
        "line before the last",
        "failed: it was told to",
    ]


def test_where_the_first_trials_are_all_refused_alike_no_other_begins(tmp_path: Path) -> None:
    trials = make_trials(tmp_path, 6, "--exit=2", "--seconds=0")
    launch = make_launch(trials, workers=1)
    progress = run(launch)
    assert {p.status for p in progress.values()} == {Status.FAILED}
    assert (len(progress), launch.hopeless) == (2, True)


def test_one_trial_that_runs_shows_that_the_others_may(tmp_path: Path) -> None:
    trials = make_trials(tmp_path, 5, "--exit=2", "--seconds=0", t0=["--exit=0"])
    launch = make_launch(trials, workers=1)
    assert len(run(launch)) == 5
    assert not launch.hopeless


def test_a_failure_is_noted_before_another_launcher_can_claim_the_trial(tmp_path: Path) -> None:
    """The trial's own process notes it, so that a killed launcher loses nothing."""
    (trial,) = make_trials(tmp_path, 1, "--exit=3")
    process.prepare([MODULE])
    process.start(trial, MODULE, Share(1, {}), retry=False).join()
    assert Entry(trial.folder).status() is Status.FAILED
    assert Entry(trial.folder).reason() == "exit status 3: failed: it was told to"


def test_what_failed_runs_again_only_on_request(tmp_path: Path) -> None:
    trials = make_trials(tmp_path, 2, t1=["--exit=3"])
    run(make_launch(trials))
    assert run(make_launch(trials))["t1"].status is Status.FAILED
    assert times_run(trials[1]) == 1
    # As if the reason were mended.
    config = trials[1].folder.path / "config.yaml"
    config.write_text(config.read_text().replace("--exit=3", "--exit=0"))
    mended = run(make_launch(trials, retry_failed=True))
    assert mended["t1"].status is Status.FINISHED
    assert [times_run(t) for t in trials] == [1, 2]


def test_a_trial_that_is_killed_goes_on_at_the_next_launch(tmp_path: Path) -> None:
    gate = tmp_path / "gate"  # before which the trial waits after its second epoch
    (trial,) = make_trials(tmp_path, 1, "--values=0.1,0.2,0.3,0.4", f"--gate={gate}")
    launch = make_launch([trial])
    for _ in launch.run():
        if launch.all["t0"].epoch == 2 and launch.running:
            os.kill(launch.running["t0"][0].pid, signal.SIGKILL)
    gate.touch()
    assert launch.all["t0"].status is Status.INTERRUPTED
    assert launch.all["t0"].reason == "SIGKILL"
    assert run(make_launch([trial]))["t0"].status is Status.FINISHED
    assert [float(row["val/top1"]) for row in trial.folder.read_metrics()] == [0.1, 0.2, 0.3, 0.4]


def test_stopping_ends_the_running_trials_and_starts_no_more(tmp_path: Path) -> None:
    trials = make_trials(tmp_path, 4, "--seconds=3600", "--values=0.1,0.2")
    launch = make_launch(trials)
    for _ in launch.run():
        if all(launch.all[key].epochs for key in launch.running):
            break
    for _ in launch.stop():
        pass
    # At the first asking: what has to be killed says SIGKILL.
    assert {p.reason for p in launch.all.values()} == {"SIGTERM"}
    assert {p.status for p in launch.all.values()} == {Status.INTERRUPTED}
    assert [times_run(t) for t in trials] == [1, 1, 0, 0]


@pytest.mark.slow
def test_two_launchers_run_no_trial_twice(tmp_path: Path) -> None:
    trials = make_trials(tmp_path, 6, "--seconds=0.5")
    context = multiprocessing.get_context("spawn")
    others = [context.Process(target=_launch_all, args=(tmp_path,)) for _ in range(2)]
    for other in others:
        other.start()
    for other in others:
        other.join(HUNG_S)
    assert [other.exitcode for other in others] == [0, 0]
    assert [times_run(t) for t in trials] == [1] * 6


def _launch_all(root: Path) -> None:
    found = run(make_launch(make_trials(root, 6, "--seconds=0.5")))
    assert {p.status for p in found.values()} == {Status.FINISHED}


LAUNCHER = """
import sys
from pathlib import Path
from tests.trials.test_launch import make_launch, make_trials, run
if __name__ == "__main__":
    run(make_launch(make_trials(Path(sys.argv[1]), 8, "--seconds=0.4", "--values=0.1,0.2")))
"""


@pytest.mark.slow
def test_nothing_finished_is_lost_or_repeated_when_the_launcher_is_killed(tmp_path: Path) -> None:
    trials = make_trials(tmp_path, 8, "--seconds=0.4", "--values=0.1,0.2")
    draw = random.Random(0)
    finished: dict[str, bytes] = {}
    cut_off = 0
    for launch in range(6):
        launcher = subprocess.Popen([sys.executable, "-c", LAUNCHER, str(tmp_path)], cwd=ROOT)
        begun = sum(map(times_run, trials))
        if launch < 4:  # the first trials run by then, the last do not
            while launcher.poll() is None and sum(map(times_run, trials)) == begun:
                time.sleep(0.02)
            time.sleep(draw.uniform(0, 0.5))
            launcher.kill()
        launcher.wait(HUNG_S)
        time.sleep(0.3)  # a trial that was about to finish may
        for trial in trials:
            record = trial.folder.path / "run.json"
            status = Entry(trial.folder).status()
            cut_off += status is Status.BEGUN
            if trial.id in finished:
                assert record.read_bytes() == finished[trial.id]
            elif status is Status.FINISHED:
                finished[trial.id] = record.read_bytes()
    assert cut_off > 0
    assert len(finished) == 8
    rows = [[float(row["val/top1"]) for row in t.folder.read_metrics()] for t in trials]
    assert rows == [[0.1, 0.2]] * 8


def test_trials_end_when_their_launcher_is_killed(tmp_path: Path) -> None:
    source = LAUNCHER.replace("--seconds=0.4", "--seconds=3600")
    launcher = subprocess.Popen([sys.executable, "-c", source, str(tmp_path)], cwd=ROOT)
    trials = make_trials(tmp_path, 2)
    until(lambda: all(times_run(t) for t in trials), launcher)
    running = [psutil.Process(int((t.folder.path / "times_run").read_text())) for t in trials]
    launcher.kill()
    launcher.wait()
    _, alive = psutil.wait_procs(running, HUNG_S)
    for trial in alive:
        trial.kill()
    assert alive == []


def test_early_termination_stops_the_worst_and_a_second_launch_leaves_them(tmp_path: Path) -> None:
    values = {
        f"t{n}": [f"--values={','.join(str(0.1 * (n + 1)) for _ in range(4))}"] for n in range(4)
    }
    trials = make_trials(tmp_path, 4, "--seconds=6", **values)
    early = {"early_terminate": {"type": "hyperband", "min_iter": 1, "eta": 2}}
    found = run(make_launch(trials, workers=4, config=early))
    assert found["t3"].status is Status.FINISHED
    assert found["t0"].status is Status.STOPPED_EARLY
    assert "early termination after epoch" in found["t0"].reason
    again = run(make_launch(trials, workers=4, config=early))
    assert {key: p.status for key, p in again.items()} == {
        key: p.status for key, p in found.items()
    }


def test_a_target_that_is_reached_ends_the_sweep(tmp_path: Path) -> None:
    trials = make_trials(tmp_path, 6, t1=["--values=0.95"])
    metric = {"metric": {"name": "val/top1", "goal": "maximize", "target": 0.9}}
    found = run(make_launch(trials, workers=1, config=metric))
    assert list(found) == ["t0", "t1"]


def test_proposals_are_told_what_trials_gave_and_begin_with_earlier_ones(tmp_path: Path) -> None:
    told = []

    class Proposals:
        asked = 0

        def knows(self, point: dict) -> bool:
            return point != {"number": -1}

        def ask(self) -> dict:
            self.asked += 1
            return {"number": 100 + self.asked}

        def tell(self, point: dict, value: float | None) -> None:
            told.append((point["number"], value))

    def make(point: dict, number: int) -> Trial:
        name = f"p{point['number']}"
        arguments = (f"--run.root={tmp_path}", f"--run.id={name}")
        return Trial(
            number, name, point, arguments, RunFolder(tmp_path / "group" / name), name, None
        )

    source = Proposed(Proposals(), make, [{"number": 1}, {"number": -1}], count=3)
    sweep = make_launch([]).sweep
    launch = Launch(sweep, source, MODULE, [Share(1, {})])
    assert list(run(launch)) == ["p1", "p101", "p102"]
    assert told == [(1, 0.5), (101, 0.5), (102, 0.5)]


@pytest.mark.parametrize("name", ["run.json", "trial.json"])
def test_a_file_that_cannot_be_read_fails_its_trial_until_it_is_retried(
    tmp_path: Path, name: str
) -> None:
    trials = make_trials(tmp_path, 2)
    trials[0].folder.path.mkdir(parents=True)
    (trials[0].folder.path / name).write_text("{")
    found = run(make_launch(trials))
    assert [p.status for p in found.values()] == [Status.FAILED, Status.FINISHED]
    assert f"{name}: cannot be read" in found["t0"].reason
    assert times_run(trials[0]) == 0
    assert run(make_launch(trials, retry_failed=True))["t0"].status is Status.FINISHED


def test_a_run_with_something_asked_of_it_is_finished_when_that_is_done(tmp_path: Path) -> None:
    (trial,) = make_trials(tmp_path, 1)
    trial.folder.path.mkdir(parents=True)
    entry, trained = Entry(trial.folder), {"status": "finished", "asked": ["noise", "test"]}
    trial.folder.write({**trained, "noise": [0.1]})
    assert entry.status() is Status.BEGUN
    entry.fail(1)
    assert entry.status() is Status.FAILED
    trial.folder.write({**trained, "noise": [0.1], "test": {}})
    assert entry.status() is Status.FINISHED
    # A record from before it said what is asked: the configuration tells.
    trial.folder.write({"status": "finished"})
    trial.folder.config.write_text("run: {test: true}")
    assert trial.folder.due(trial.folder.read()) == ["test"]
