"""`--slurm` and `--trial`: the job's script, run by bash with stand-ins for SLURM's commands."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lit_effnet import sweep
from lit_effnet.trials import slurm
from tests.conftest import HUNG_S, ROOT, TINY, until
from tests.test_fit_resume import assert_same_as_left_alone
from tests.test_sweep import fails, records, tiny, write

SQUEUE = "#!/bin/sh\necho {state}\n"
SCONTROL = '#!/bin/sh\necho "$@" >> {log}\n'


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("LIT_EFFNET_ON", raising=False)


def write_script(folder: Path, *flags: str, extra: list[str]) -> Path:
    file = folder / "job.sh"
    root = f"--root={folder / 'runs'}"
    sweep.main([str(write(folder)), f"--slurm={file}", root, *flags, *extra])
    return file


def submit(
    script: Path, number: int, state: str = "RUNNING", **options: object
) -> subprocess.Popen:
    """The script as SLURM starts it for one task of the array."""
    commands = script.parent / "bin"
    commands.mkdir(exist_ok=True)
    log = script.parent / "scontrol.log"
    for name, text in {"squeue": SQUEUE, "scontrol": SCONTROL}.items():
        (commands / name).write_text(text.format(state=state, log=log))
        (commands / name).chmod(0o755)
    job = {"ARRAY_JOB_ID": "7", "ARRAY_TASK_ID": f"{number}", "JOB_ID": "9", "NTASKS": "1"}
    slurms = {f"SLURM_{key}": value for key, value in job.items()}
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    return subprocess.Popen(
        ["bash", str(script)],
        env={**os.environ, **slurms, "SLURM_JOB_NAME": "small", "PATH": path},
        cwd="/",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        **options,
    )


def requeued(script: Path) -> list[str]:
    log = script.parent / "scontrol.log"
    return log.read_text().splitlines() if log.exists() else []


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [([1, 2, 3], "1-3"), ([5, 1, 2], "1-2,5"), ([4], "4"), ([1, 3, 5], "1,3,5")],
)
def test_an_arrays_numbers_are_told_in_ranges(numbers: list[int], expected: str) -> None:
    assert slurm.ranges(numbers) == expected


def test_the_script_holds_what_is_missing_and_what_was_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep.main([str(write(tmp_path)), f"--root={tmp_path / 'runs'}", "--count=1", *tiny()])
    capsys.readouterr()
    flags = ("--workers=2", "--gpus_per_trial=1", "--cpus_per_trial=8",
             "--sbatch=--partition=gpu --time=4:00:00")  # fmt: skip
    script = write_script(tmp_path, *flags, extra=tiny())
    text = script.read_text()
    assert capsys.readouterr().out == f"3 trials; submit them with: sbatch {script}\n"
    for line in ("array=2-4%2", "gpus=1", "cpus-per-task=8", "partition=gpu", "time=4:00:00",
                 "requeue", "signal=B:USR1@120"):  # fmt: skip
        assert f"\n#SBATCH --{line}\n" in text
    assert f"cd {ROOT}" in text
    assert subprocess.run(["bash", "-n", str(script)]).returncode == 0


@pytest.mark.slow
def test_a_task_runs_the_trial_of_its_number_under_the_identity_that_it_has_everywhere(
    tmp_path: Path,
) -> None:
    script = write_script(tmp_path, extra=tiny())
    task = submit(script, 3)
    out, _ = task.communicate(timeout=HUNG_S)
    assert task.returncode == 0, out
    ((name, record),) = records(tmp_path / "runs").items()
    assert (record["status"], record["model"]["se_ratio"], record["seed"]) == ("finished", 0.25, 0)
    assert requeued(script) == []
    sweep.main([str(write(tmp_path)), f"--root={tmp_path / 'runs'}", *tiny()])
    assert records(tmp_path / "runs")[name] == record
    assert len(records(tmp_path / "runs")) == 4


# As a trial ends: with its step, by status 130. Its number comes last on its command line.
STAND_IN = """
import pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: time.sleep(0.5) or sys.exit(130))
begun = pathlib.Path(sys.argv[1])
begun.with_suffix(".part").write_text(sys.argv[-1])
begun.with_suffix(".part").rename(begun)
if sys.argv[2] == "0":
    signal.pause()
sys.exit(int(sys.argv[2]))
"""


def make_job(folder: Path, exit_status: int) -> slurm.Job:
    """A job whose trials are the stand-in above."""
    (folder / "trial.py").write_text(STAND_IN)
    command = [sys.executable, str(folder / "trial.py"), str(folder / "begun"), f"{exit_status}"]
    return slurm.Job("small", [1, 2], None, 1, 0, [], command, [], str(folder), str(folder), {})


@pytest.mark.parametrize(
    ("sent", "state", "again"),
    [("USR1", "RUNNING", True), ("TERM", "RUNNING", True), ("TERM", "COMPLETING", False)],
)
def test_a_task_that_is_told_to_end_is_queued_again_unless_it_was_cancelled(
    sent: str, state: str, again: bool, tmp_path: Path
) -> None:
    """The state of a job that was cancelled is COMPLETING while its processes end."""
    script = tmp_path / "job.sh"
    script.write_text(slurm.script(make_job(tmp_path, 0), "job.sh", "a test"))
    task = submit(script, 2, state)
    until((tmp_path / "begun").exists, task)
    task.send_signal(signal.Signals[f"SIG{sent}"])
    out, _ = task.communicate(timeout=HUNG_S)
    assert task.returncode == 130, out
    assert (tmp_path / "begun").read_text() == "--trial=2"
    assert requeued(script) == (["requeue 7_2"] if again else [])


def test_a_task_whose_trial_fails_is_not_queued_again(tmp_path: Path) -> None:
    script = tmp_path / "job.sh"
    script.write_text(slurm.script(make_job(tmp_path, 1), "job.sh", "a test"))
    task = submit(script, 1)
    task.communicate(timeout=HUNG_S)
    assert task.returncode == 1
    assert requeued(script) == []


@pytest.mark.slow
def test_a_trial_that_is_preempted_keeps_its_epochs_and_goes_on_when_its_task_runs_again(
    tmp_path: Path,
) -> None:
    script = write_script(
        tmp_path, extra=["--", *TINY, "--trainer.max_epochs=60", "--data.num_workers=2"]
    )
    task = submit(script, 1)
    runs = tmp_path / "runs"
    until(lambda: any(r.get("cost", {}).get("epochs") for r in records(runs).values()), task)
    task.send_signal(signal.SIGUSR1)
    out, _ = task.communicate(timeout=HUNG_S)
    assert task.returncode == 130, out
    assert requeued(script) == ["requeue 7_1"]
    (record,) = records(tmp_path / "runs").values()
    assert record["status"] == "interrupted"
    assert 0 < record["cost"]["epochs"] < 60
    (metrics,) = (tmp_path / "runs").glob("*/*/metrics.csv")
    before = metrics.read_text()
    task = submit(script, 1)
    out, _ = task.communicate(timeout=HUNG_S)
    assert task.returncode == 0, out
    (record,) = records(tmp_path / "runs").values()
    assert (record["status"], record["cost"]["epochs"]) == ("finished", 60)
    assert metrics.read_text().startswith(before)
    assert_same_as_left_alone(metrics.parent, tmp_path / "left alone")


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--trial=5"], "--trial 5: must be from 1 to 4"),
        (["--trial=0"], "--trial 0: must be at least 1"),
        (["--slurm=/proc/none/job.sh"], "/proc/none/job.sh"),
        (["--slurm=job.sh", "--status"], "--status --slurm: must be one of them"),
        (["--sbatch=--time=1:00"], "--sbatch: needs --slurm FILE"),
        (["--slurm=x", "--cpus_per_trial=0.5"], "must be whole numbers"),
        (["--cpus_per_trial=2"], "--cpus_per_trial 2: needs --ray or --slurm"),
        (["--ray=local", "--cpus_per_trial=0"], "--cpus_per_trial 0: must be above 0"),
        (["--ray=local", "--gpus_per_trial=1.5"], "--gpus_per_trial 1.5: must be from 0 to 1"),
        (["--slurm=x", "--", "--trainer.num_nodes=2"], "trainer.num_nodes 2: must be 1"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(
    flags: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = f"--root={tmp_path / 'runs'}"
    (line,) = fails([str(write(tmp_path)), root, *flags], capsys)
    assert words in line
    assert not Path("x").exists()


def test_a_bayes_search_is_no_job_array(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rates = {"recipe.learning_rate": {"min": 0.001, "max": 0.1}}
    file = write(tmp_path, method="bayes", parameters=rates)
    root = f"--root={tmp_path / 'runs'}"
    (line,) = fails([str(file), "--count=2", root, f"--slurm={tmp_path / 'job.sh'}"], capsys)
    assert "needs each trial's result for the next" in line


def test_where_nothing_is_missing_no_script_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = {"model.se_ratio": {"value": 0.25}, "seed_everything": {"value": 0}}
    arguments = [str(write(tmp_path, parameters=one)), f"--root={tmp_path / 'runs'}"]
    sweep.main([*arguments, *tiny()])
    capsys.readouterr()
    (line,) = fails([*arguments, f"--slurm={tmp_path / 'job.sh'}", *tiny()], capsys)
    assert "no trial is missing" in line
    assert not (tmp_path / "job.sh").exists()
