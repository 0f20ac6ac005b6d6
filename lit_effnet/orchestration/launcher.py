"""Check the files of a sweep, print its plan, or run its trials here or on a cluster."""

import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path

from rich.console import Console

from lit_effnet.orchestration.cluster import on_ray, run_one, write_job
from lit_effnet.orchestration.dry_run import print_plan
from lit_effnet.orchestration.learning_rates import check_rated, foreign_rates, rates_line
from lit_effnet.orchestration.live import close, watch
from lit_effnet.orchestration.options import (
    FORKSERVER_PRELOAD,
    TRIAL_MODULE,
    LaunchOptions,
    Options,
)
from lit_effnet.orchestration.planner import MOST_CHECKED, Planner, make_source, share_machine
from lit_effnet.orchestration.validate import Checked, check
from lit_effnet.runs.exit_status import BAD_INPUT
from lit_effnet.runs.machine import available_cores
from lit_effnet.trials import process, ray_cluster
from lit_effnet.trials.command import SETTING
from lit_effnet.trials.launch import Launch, Machines


def check_files(files: Sequence[Path], options: Options) -> None:
    """Print one line per valid file, and one per mistake; several files are checked in parallel.

    Raises:
        SystemExit: With status 2, if a file has a mistake.
    """
    workers = min(len(files), len(available_cores()))
    invalid = 0
    if workers == 1:
        for file in files:
            invalid += _print_report(*_report(file, options))
    else:
        process.prepare(FORKSERVER_PRELOAD)
        environment = {name: os.environ[name] for name in (SETTING,) if name in os.environ}
        with process.pool(workers) as processes:
            reports: list[Future[tuple[list[str], str]]] = [
                processes.submit(_report, file, options, environment) for file in files
            ]
            for report in reports:
                invalid += _print_report(*report.result())
    if invalid:
        raise SystemExit(BAD_INPUT)


def _report(
    file: Path, options: Options, environment: dict[str, str] | None = None
) -> tuple[list[str], str]:
    """Return the mistakes of a file, or the line for a valid one."""
    os.environ.update(environment or {})
    checked = check(file, options)
    if checked.problems:
        return [str(problem) for problem in checked.problems], ""
    trials, arms = len(checked.trials), len({trial.arm for trial in checked.trials})
    first = "the first " if trials == MOST_CHECKED else ""
    equal = trials - len(checked.unlike)
    twins = f" ({equal} identical to another)" if equal else ""
    return [], f"{file}: OK, {first}{trials} trials{twins}, {arms} arms"


def _print_report(mistakes: list[str], summary: str) -> bool:
    if summary:
        sys.stdout.write(f"{summary}\n")
        sys.stdout.flush()
    for mistake in mistakes:
        sys.stderr.write(f"{mistake}\n")
    return bool(mistakes)


def run(
    file: Path, options: Options, launch_options: LaunchOptions, screen: Console, *, dry_run: bool
) -> None:
    """Check a sweep, then run what is missing, print the plan, or write a SLURM job.

    Raises:
        ValueError: A flag does not go with the sweep, or the cluster cannot run it.
        SystemExit: The file has mistakes, or not every trial finished.
    """
    if launch_options.ray is not None:
        ray_cluster.check_address(launch_options.ray)
    if launch_options.trial is not None:
        _make_root(options.root)
        run_one(file, options, launch_options, screen)
        return
    planner, checked = _checked(file, options, screen)
    if dry_run:
        shares = share_machine(launch_options.workers, len(checked.unlike) or None)
        print_plan(planner, checked, shares, screen)
        return
    _make_root(options.root)
    if launch_options.slurm is not None:
        write_job(planner, checked.unlike, launch_options, screen)
    else:
        _run_all(checked, planner, launch_options, screen)


def _checked(file: Path, options: Options, screen: Console) -> tuple[Planner, Checked]:
    """Return a sweep without mistakes, once its learning rates are checked and printed."""
    with screen.status("checking every trial"):
        checked = check(file, options)
    planner = checked.planner
    if checked.problems or planner is None:
        for problem in checked.problems:
            sys.stderr.write(f"{problem}\n")
        raise SystemExit(BAD_INPUT)
    if options.on is not None and not any(SETTING in str(w) for w in planner.sweep.command):
        raise ValueError(
            f"--on {options.on}: must be left out, the command of {file} has no "
            f"${{envvar:{SETTING}}}"
        )
    if options.rates is not None:
        check_rated(planner, checked.trials)
        line = rates_line(planner.rates)
        screen.print(f"--rates {options.rates_from}: {line}", soft_wrap=True)
        if warning := foreign_rates(planner, checked.trials):
            screen.print(warning, soft_wrap=True)
    return planner, checked


def _run_all(checked: Checked, planner: Planner, options: LaunchOptions, screen: Console) -> None:
    """Run what is missing, on this machine or on Ray."""
    machines: Machines = process
    if options.ray is not None:
        machines, shares = on_ray(planner, options, screen)
    else:
        shares = share_machine(options.workers, len(checked.unlike) or None)
    source = make_source(planner, checked.trials)
    launch = Launch(
        planner.sweep, source, TRIAL_MODULE, shares, options.retry_failed, machines=machines
    )
    total: int | None = len(checked.unlike)
    if planner.sweep.method == "bayes":
        total = planner.options.count or planner.sweep.run_cap
    elif len(checked.trials) == MOST_CHECKED:
        total = None  # there are more
    width = max((len(trial.arm) for trial in checked.unlike), default=30)
    watch(launch, total, width, screen)
    if launch.hopeless:
        sys.stderr.write(
            f"the first {len(launch.refused)} trials were refused for one reason, which would stop "
            "the others too; correct it, then run again with --retry_failed\n"
        )
    close(launch, planner, total, screen)


def _make_root(root: Path) -> None:
    """Make the folder of all run folders; raise ValueError where it cannot be written."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        raise ValueError(f"--root {root}: {error.strerror}") from None
