"""The launcher at 10,000 trials that do nothing: its own time for each, its memory, and `--status`.

python benchmarks/launcher_scale.py --trials 10000 --processes 2000

The first `--processes` trials are run each in a forked process of its own, whose program writes the
record of a finished run and ends: what is timed is claiming, forking, the log, judging and the
launcher's table. The rest have no process: their records are written where they would begin, which
leaves the launcher's own work. `--status` then reads all of the folders. Before it, what planning
takes: the check of the first trials with their networks, and the identities of all.
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
    """Where trials end as they begin."""

    def start(self, trial: Trial, module: str, share: Share, retry: bool) -> None:
        """Leave the folder of a trial that has finished."""
        trial.folder.path.mkdir(parents=True)
        (trial.folder.path / "run.json").write_text(json.dumps(RECORD), encoding="utf-8")
        trial.parameters_file.write_text(json.dumps(trial.parameters), encoding="utf-8")

    def wait(self, running: Mapping[str, None], seconds: float) -> dict[str, int]:
        """All have ended."""
        return dict.fromkeys(running, 0)

    def end(self, running: None, with_signal: int) -> None:
        """There is nothing to end."""


def main(arguments: list[str] | None = None) -> None:
    """The benchmark; called by the launcher with a run folder, the program of a trial."""
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
    """A grid of so many points."""
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
    """What is looked at before the first trial begins."""
    preview.keys()  # which makes the parser
    began = time.process_time()
    checked = check(file, options)
    assert not checked.problems, checked.problems
    used, count = time.process_time() - began, len(checked.trials)
    print(f"check: {count:,} trials in {used:.1f} s of CPU time", flush=True)


def time_planning(planner: Planner) -> list[Trial]:
    """All trials, each with this module's program in place of `fit`."""
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
    """Run trials to their ends, with the table that a person would see."""
    if machines is process:
        process.prepare(["lit_effnet.trials.process", MODULE])
        process.start(trials[0], MODULE, Share(1, {}), retry=False).join()  # it has imported then
    screen = Console(quiet=True, width=160)  # it is laid out, and not shown
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
    """`--status` in this process, which has imported all, and as a command of its own."""
    screen = Console(quiet=True, width=160)  # it is laid out, and not shown
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
    """The most that this process has held at a time, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
