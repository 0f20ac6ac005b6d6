"""Measure the launcher with 10,000 empty trials: time per trial, memory, and `--status`.

python benchmarks/launcher_scale.py --trials 10000 --processes 2000

The first `--processes` trials run as forked processes that write the record of a finished run and
end. Timed are lock, fork, log, status and the launcher's table. The rest have no process: their
records are written at their start, which leaves the launcher's own work. `--status` then reads all
folders. First, planning is timed: the check of the first trials with their networks, and the
identities of all.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import yaml
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parent.parent))

from lit_effnet.experiment import preview
from lit_effnet.orchestration.options import Options
from lit_effnet.orchestration.planner import Planner
from lit_effnet.orchestration.status import show_progress
from lit_effnet.orchestration.tables import live_view
from lit_effnet.orchestration.validate import check
from lit_effnet.runs.folder import FINISHED, RunFolder
from lit_effnet.trials import process
from lit_effnet.trials.launch import Launch, Machines
from lit_effnet.trials.ledger import Status
from lit_effnet.trials.plan import Trial
from lit_effnet.trials.process import Share
from lit_effnet.trials.source import Listed
from lit_effnet.trials.sweep_file import Sweep, load

MODULE = "benchmarks.launcher_scale"
ARMS = 100

RECORD = {
    "status": FINISHED,
    "asked": [],
    "max_epochs": 1,
    "metrics": {"val/top1": 0.5},
    "cost": {"epochs": 1, "seconds": 0.0},
}


class NoProcesses:
    """Machines on which trials end when they start."""

    def start(self, trial: Trial, module: str, share: Share, retry: bool) -> None:
        """Write the folder of a finished trial."""
        trial.folder.path.mkdir(parents=True)
        (trial.folder.path / "run.json").write_text(json.dumps(RECORD), encoding="utf-8")
        trial.parameters_file.write_text(json.dumps(trial.parameters), encoding="utf-8")

    def wait(self, running: Mapping[str, None], seconds: float) -> dict[str, int]:
        """Return 0 for all."""
        return dict.fromkeys(running, 0)

    def end(self, running: None, with_signal: int) -> None:
        """Do nothing."""


def main(arguments: list[str] | None = None) -> None:
    """Run the benchmark; with a run folder, which the launcher passes, act as a trial's program."""
    if arguments is not None:
        RunFolder(Path(arguments[0])).write(RECORD)
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=2_000)
    parser.add_argument("--workers", type=int, default=2)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        file = write_sweep(Path(folder), given.trials)
        sweep = load(file)
        options = Options(Path(folder) / "runs")
        time_check(file, options)
        trials = time_planning(Planner(sweep, options))
        os.chdir(Path(__file__).parent.parent)
        if first := trials[: given.processes]:
            time_launch(sweep, first, given.workers)
        if rest := trials[given.processes :]:
            time_launch(sweep, rest, given.workers, NoProcesses())
        time_status(file, options, len(trials))


def write_sweep(folder: Path, count: int) -> Path:
    """Write a grid of so many points."""
    sweep = {
        "method": "grid",
        "metric": {"name": "val/top1", "goal": "maximize"},
        "command": ["${env}", "${interpreter}", "-m", "lit_effnet.fit", "--config",
                    "${args_json_file}", "--run.group=scale"],
        "parameters": {
            "recipe.learning_rate": {"values": [0.001 * (1 + arm) for arm in range(ARMS)]},
            "seed_everything": {"values": list(range(count // ARMS))},
        },
    }  # fmt: skip
    file = folder / "scale.yaml"
    file.write_text(yaml.safe_dump(sweep), encoding="utf-8")
    return file


def time_check(file: Path, options: Options) -> None:
    """Time the check before the first trial starts."""
    preview.keys()  # which makes the parser
    began = time.process_time()
    checked = check(file, options)
    assert not checked.problems, checked.problems
    used, count = time.process_time() - began, len(checked.trials)
    print(f"check: {count:,} trials in {used:.1f} s of CPU time", flush=True)


def time_planning(planner: Planner) -> list[Trial]:
    """Time the planning; return all trials, with this module's program in place of `fit`."""
    began, memory = time.process_time(), peak_memory()
    planned = list(planner.trials())
    used = time.process_time() - began
    print(
        f"planning: {len(planned):,} trials in {used:.1f} s of CPU time, "
        f"{1000 * used / len(planned):.1f} ms a trial; {peak_memory() - memory} MB more at its "
        f"peak ({peak_memory()} MB)",
        flush=True,
    )
    return [replace(trial, arguments=(str(trial.folder.path),)) for trial in planned]


def time_launch(
    sweep: Sweep, trials: list[Trial], workers: int, machines: Machines = process
) -> None:
    """Time the trials, with the table that a user would see."""
    if machines is process:
        process.prepare(["lit_effnet.trials.process", MODULE])
        process.start(trials[0], MODULE, Share(1, {}), retry=False).join()  # it has then imported
    screen = Console(quiet=True, width=160)  # laid out, but not shown
    launch = Launch(sweep, Listed(trials), MODULE, [Share(1, {})] * workers, machines=machines)
    began, before, memory = time.perf_counter(), time.process_time(), peak_memory()
    for _ in launch.run():
        screen.print(live_view(launch, launch.metric, len(trials), 30))
    wall, used = time.perf_counter() - began, time.process_time() - before
    assert {progress.status for progress in launch.all.values()} == {Status.FINISHED}
    each, own = 1000 * wall / len(trials), 1000 * used / len(trials)
    what = "each its own process" if machines is process else "without processes"
    print(
        f"launching: {len(trials):,} trials, {what}, {workers} at a time: {wall:.1f} s, {each:.1f} "
        f"ms a trial, of which the launcher's own {own:.1f} ms; {peak_memory() - memory} MB more "
        f"at its peak than before ({peak_memory()} MB)",
        flush=True,
    )


def time_status(file: Path, options: Options, count: int) -> None:
    """Time `--status` in this process, which has imported everything, and as a command."""
    screen = Console(quiet=True, width=160)  # laid out, but not shown
    began, before, memory = time.perf_counter(), time.process_time(), peak_memory()
    show_progress(file, options, screen)
    print(
        f"--status, here: {count:,} run folders in {time.perf_counter() - began:.1f} s, "
        f"{time.process_time() - before:.1f} s of CPU time; {peak_memory() - memory} MB more at "
        "its peak",
        flush=True,
    )
    command = [sys.executable, "-m", "lit_effnet.sweep", str(file), f"--root={options.root}"]
    began = time.perf_counter()
    process = subprocess.Popen([*command, "--status"], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0
    print(
        f"--status, the command: {time.perf_counter() - began:.1f} s, "
        f"{usage.ru_utime + usage.ru_stime:.1f} s of CPU time, peak {usage.ru_maxrss // 1024} MB",
        flush=True,
    )


def peak_memory() -> int:
    """Return the peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
