"""The launcher at 10,000 trials that do nothing: its own time for each, its memory, and `--status`.

python benchmarks/launcher_scale.py --trials 10000 --processes 2000

The first `--processes` trials are run each in a forked process of its own, whose program writes the
record of a finished run and ends: what is timed is claiming, forking, the log, judging and the
launcher's table. The rest have no process: their records are written where they would begin, which
leaves the launcher's own work. `--status` then reads all of the folders. Beside it, what planning a
trial takes: parsing its flags into its identity.
"""

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import yaml
from rich.console import Console

sys.path.insert(0, str(Path(__file__).parent.parent))

from lit_effnet.planning import Options, Planner
from lit_effnet.sweep_progress import show_progress
from lit_effnet.sweep_tables import live_view
from lit_effnet.training.record import FINISHED, RunFolder
from lit_effnet.trials import process
from lit_effnet.trials.launch import Launch, Machines
from lit_effnet.trials.ledger import Status
from lit_effnet.trials.plan import Trial
from lit_effnet.trials.process import Share
from lit_effnet.trials.source import Listed
from lit_effnet.trials.sweep_file import Sweep, load

MODULE = "benchmarks.launcher_scale"
ARMS = 100
PLANNED = 30  # trials whose planning is timed

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
        time_planning(Planner(sweep, options))
        trials = make_trials(sweep, options.root / "scale")
        time_launch(sweep, trials[: given.processes], given.workers)
        time_launch(sweep, trials[given.processes :], given.workers, NoProcesses())
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


def time_planning(planner: Planner) -> None:
    """What a trial's identity takes."""
    trials = planner.trials()
    next(trials)  # with which the parser is made
    began = time.perf_counter()
    for _ in range(PLANNED):
        next(trials)
    each = (time.perf_counter() - began) / PLANNED
    print(f"planning: {1000 * each:.1f} ms a trial, mean of {PLANNED}", flush=True)


def make_trials(sweep: Sweep, group: Path) -> list[Trial]:
    """All trials, under names that take no parsing; the first one's is its own identity."""
    planner = Planner(sweep, Options())
    identity = next(planner.trials()).id
    trials = []
    for number, point in enumerate(planner.points(), start=1):
        folder = RunFolder(group / (identity if number == 1 else f"{number:012d}"))
        arm = f"learning_rate={point['recipe.learning_rate']:.4g}"
        seed = point["seed_everything"]
        trials.append(
            Trial(number, folder.path.name, point, (str(folder.path),), folder, arm, seed)
        )
    return trials


def time_launch(
    sweep: Sweep, trials: list[Trial], workers: int, machines: Machines = process
) -> None:
    """Run trials to their ends, with the table that a person would see."""
    if machines is process:
        os.chdir(Path(__file__).parent.parent)
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
    """`--status` in this process, twice: imports are left out, identities of one folder are in."""
    screen = Console(quiet=True, width=160)  # it is laid out, and not shown
    for name in ("first", "again"):
        began, memory = time.perf_counter(), peak_memory()
        show_progress(file, options, screen)
        print(
            f"--status, {name}: {count:,} run folders in {time.perf_counter() - began:.1f} s, "
            f"{peak_memory() - memory} MB more at its peak",
            flush=True,
        )


def peak_memory() -> int:
    """The most that this process has held at a time, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    main()
