"""Run the trials of a W&B sweep file, here or on a cluster; no account and no server is needed.

python -m lit_effnet.sweep sweeps/scaling_ablation.yaml --on photos
python -m lit_effnet.sweep sweeps/scaling_ablation.yaml --on photos --dry-run
python -m lit_effnet.sweep sweeps/scaling_ablation.yaml --workers 4 -- --data.path FOLDER
python -m lit_effnet.sweep sweeps/scaling_ablation.yaml --rates runs/learning_rate_cifar100
python -m lit_effnet.sweep --check sweeps/*.yaml
python -m lit_effnet.sweep sweeps/scaling_ablation.yaml --on photos --status
python -m lit_effnet.sweep sweeps/scaling_ablation.yaml --on photos --ray auto
python -m lit_effnet.sweep sweeps/scaling_ablation.yaml --on photos --slurm job.sh

Running it again runs what is missing. What comes after -- goes to every trial.
"""

import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lit_effnet.cli.errors import fail, one_line_errors, stopping
from lit_effnet.cli.output import prepare_output, quiet_libraries
from lit_effnet.cli.parser import OneLineErrors
from lit_effnet.runs.paths import local
from lit_effnet.trials.command import SETTING

if TYPE_CHECKING:
    from rich.console import Console

    from lit_effnet.orchestration.planner import Options, Planner
    from lit_effnet.orchestration.validate import Checked


def make_parser() -> OneLineErrors:
    """The command's flags."""
    parser = OneLineErrors(
        prog="python -m lit_effnet.sweep",
        description=__doc__,
        usage="%(prog)s FILE [--NAME VALUE ...] [-- --FLAG_OF_FIT VALUE ...]",
    )
    parser.add_argument("files", nargs="*", type=str, metavar="FILE", help="A W&B sweep file.")
    parser.add_argument(
        "--on",
        type=str | None,
        help="What to train on: photos (embedded, minutes on two cores), cifar10, imagenette, "
        f"cifar100 (the default) or imagenet; the variable {SETTING}, which W&B's agent reads too.",
    )
    parser.add_argument(
        "--workers", type=int | None, help="Trials at a time; one for each core or GPU if null."
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="Print the plan and what it will cost; train nothing.",
    )
    parser.add_argument(
        "--check", action="store_true", help="Look for mistakes in all of the files; train nothing."
    )
    parser.add_argument(
        "--retry-failed", action="store_true", help="Run trials again that have failed."
    )
    parser.add_argument("--count", type=int | None, help="Most trials, counted from the first.")
    parser.add_argument("--seed", type=int, default=0, help="Seed of a random or bayes search.")
    parser.add_argument(
        "--repeats",
        type=int | None,
        help="How many random seeds each arm has; those of the file if null, and more after them.",
    )
    parser.add_argument(
        "--rates",
        type=str | None,
        help="Runs of a sweep over learning rates, or their numbers in results/: each arm gets the "
        "rate that was best for it there.",
    )
    parser.add_argument("--root", type=str, default="runs", help="Folder of all run folders.")
    add_cluster_flags(parser)
    return parser


def add_cluster_flags(parser: OneLineErrors) -> None:
    """The flags of sweeps on many machines."""
    add = parser.add_argument
    add(
        "--status",
        action="store_true",
        help="Print how far the sweep is, from its run folders, wherever it runs; run nothing.",
    )
    add("--ray", type=str | None, help="Run on Ray: local, auto, or HOST:PORT of a cluster's head.")
    add("--slurm", type=str | None, help="Write a job array for SLURM into this file; run nothing.")
    add("--sbatch", type=str | None, help="Further flags of sbatch, like '--partition=gpu'.")
    add("--trial", type=int | None, help="Run this trial only, by its place from 1.")
    add("--cpus_per_trial", type=float | None, help="CPUs of a trial on a cluster.")
    add("--gpus_per_trial", type=float | None, help="GPUs of a trial on a cluster; may be 0.5.")


def main(args: list[str] | None = None) -> None:
    """Run the command: 0 when every trial has finished, 1 when not, 2 bad input, 130 stopped."""
    prepare_output()
    quiet_libraries()
    given = list(sys.argv[1:] if args is None else args)
    end = given.index("--") if "--" in given else len(given)
    own, extra = given[:end], given[end + 1 :]
    parser = make_parser()
    flags = parser.parse_args(own)
    files = [Path(file) for file in flags.files]
    if not files or (len(files) > 1 and not flags.check):
        found = ", ".join(str(path) for path in sorted(Path("sweeps").glob("*.yaml")))
        fail(f"FILE: one sweep file must be named{f'; there are {found}' if found else ''}")
    for name, least in (("workers", 1), ("count", 1), ("repeats", 1), ("seed", 0), ("trial", 1)):
        value = flags[name]
        if value is not None and value < least:
            fail(f"--{name} {value}: must be at least {least}")
    for word in extra:
        if word.split("=")[0] in ("--resume", "--run.id", "--run.root", "--run.group"):
            fail(f"-- {word}: is the launcher's to say; --root names the folder of all run folders")
    with stopping("no trial has begun"), one_line_errors():
        check_cluster_flags(flags)
        if flags.on is not None:
            os.environ[SETTING] = flags.on
        from lit_effnet.orchestration.learning_rates import rates_in
        from lit_effnet.orchestration.planner import Options

        root, rates = local(flags.root, "--root"), rates_in(flags.rates)
        options = Options(root, flags.seed, flags.count, tuple(extra), rates, flags.repeats)
        if flags.check:
            check_files(files, options)
        elif flags.status:
            from lit_effnet.orchestration.status import show_progress
            from lit_effnet.orchestration.tables import console

            show_progress(files[0], options, console())
        else:
            run(files[0], options, flags)


def check_cluster_flags(flags: Any) -> None:
    """Refuse flags of clusters that contradict one another, or have no meaning here."""
    ways = ("check", "status", "dry_run", "ray", "slurm", "trial")
    chosen = [f"--{name.replace('_', '-')}" for name in ways if flags[name] not in (None, False)]
    if len(chosen) > 1:
        fail(f"{chosen[0]} {chosen[1]}: must be one of them")
    if flags.slurm is not None and not local(flags.slurm, "--slurm").parent.is_dir():
        fail(f"--slurm {flags.slurm}: no such folder {local(flags.slurm, '--slurm').parent}")
    if flags.sbatch is not None and flags.slurm is None:
        fail("--sbatch: needs --slurm FILE, whose job it is for")
    cpus, gpus = flags.cpus_per_trial, flags.gpus_per_trial
    for name, value in (("cpus", cpus), ("gpus", gpus)):
        if value is not None and flags.ray is None and flags.slurm is None:
            fail(f"--{name}_per_trial {value:g}: needs --ray or --slurm; here there is --workers")
    if cpus is not None and not cpus > 0:
        fail(f"--cpus_per_trial {cpus:g}: must be above 0")
    if gpus is not None and not (0 <= gpus <= 1 or (gpus > 1 and gpus.is_integer())):
        fail(f"--gpus_per_trial {gpus:g}: must be a part of 1, or a whole number")


def check_files(files: Sequence[Path], options: "Options") -> None:
    """Print every mistake in the files, each in a line; exit status 2 if there is one."""
    from lit_effnet.orchestration.planner import MOST_CHECKED
    from lit_effnet.orchestration.validate import check

    wrong = 0
    for file in files:
        checked = check(file, options)
        for problem in checked.problems:
            sys.stderr.write(f"{problem}\n")
        wrong += bool(checked.problems)
        if not checked.problems:
            arms = len({trial.arm for trial in checked.trials})
            most = " (the first)" if len(checked.trials) == MOST_CHECKED else ""
            equal = len(checked.trials) - len(checked.unlike)
            alike = f", {equal} of them equal to another" if equal else ""
            trials = f"{len(checked.trials)}{most} trials{alike}"
            print(f"{file}: right; {trials}, {arms} arms", flush=True)
    if wrong:
        raise SystemExit(2)


def run(file: Path, options: "Options", flags: Any) -> None:
    """Check, then run, or print the plan, or write a job."""
    from lit_effnet.orchestration.planner import PRELOADED
    from lit_effnet.orchestration.tables import console
    from lit_effnet.orchestration.validate import check
    from lit_effnet.trials import process

    if flags.ray is None:
        process.prepare(PRELOADED)  # it imports while the file is checked
    else:
        from lit_effnet.trials import ray_cluster

        ray_cluster.check_address(flags.ray)
    screen = console()
    if flags.trial is not None:
        from lit_effnet.orchestration.cluster import run_one

        make_root(options.root)
        run_one(file, options, flags, screen)
        return
    with screen.status("checking every trial"):
        checked = check(file, options)
    if checked.problems or checked.planner is None:
        for problem in checked.problems:
            sys.stderr.write(f"{problem}\n")
        raise SystemExit(2)
    if flags.on is not None and not any(SETTING in str(w) for w in checked.planner.sweep.command):
        fail(
            f"--on {flags.on}: must be left out, the command of {file} has no ${{envvar:{SETTING}}}"
        )
    if flags.rates is not None:
        from lit_effnet.orchestration.learning_rates import borrowed, check_rated, rates_line

        check_rated(checked, flags.rates)
        screen.print(f"--rates {flags.rates}: {rates_line(checked.planner.rates)}", soft_wrap=True)
        if told := borrowed(checked):
            screen.print(told, soft_wrap=True)
    if flags.dry_run:
        from lit_effnet.orchestration.dry_run import print_plan
        from lit_effnet.orchestration.planner import share_machine

        shares = share_machine(flags.workers, len(checked.unlike) or None)
        print_plan(checked.planner, checked, shares, screen)
        return
    make_root(options.root)
    if flags.slurm is not None:
        from lit_effnet.orchestration.cluster import write_job

        write_job(file, checked, flags, screen)
        return
    run_all(checked, checked.planner, flags, screen)


def run_all(checked: "Checked", planner: "Planner", flags: Any, screen: "Console") -> None:
    """Run what is missing, on this machine or on Ray."""
    from lit_effnet.orchestration.live import close, watch
    from lit_effnet.orchestration.planner import MODULE, MOST_CHECKED, make_source, share_machine
    from lit_effnet.trials import process
    from lit_effnet.trials.launch import Launch, Machines

    machines: Machines = process
    if flags.ray is not None:
        from lit_effnet.orchestration.cluster import on_ray

        machines, shares = on_ray(planner, flags, screen)
    else:
        shares = share_machine(flags.workers, len(checked.unlike) or None)
    source = make_source(planner, checked.trials)
    launch = Launch(planner.sweep, source, MODULE, shares, flags.retry_failed, machines=machines)
    total: int | None = len(checked.unlike)
    if planner.sweep.method == "bayes":
        total = planner.options.count or planner.sweep.run_cap
    elif len(checked.trials) == MOST_CHECKED:
        total = None  # there are more
    width = max((len(trial.arm) for trial in checked.unlike), default=30)
    watch(launch, total, width, screen)
    if launch.hopeless:
        begun = f"the first {len(launch.refused)} trials were refused, as all others would be"
        sys.stderr.write(f"{begun}; mend that, then add --retry-failed\n")
    close(launch, planner, total, screen)


def make_root(root: Path) -> None:
    """Make the folder of all run folders, or say in a line why it cannot be."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        fail(f"--root {root}: {error.strerror}")


if __name__ == "__main__":
    main()
