"""Run the trials of a W&B sweep file on this machine; no account and no server is needed.

python -m lit_effnet.sweep sweeps/scaling_ablation.yaml --on photos
python -m lit_effnet.sweep sweeps/scaling_ablation.yaml --on photos --dry-run
python -m lit_effnet.sweep sweeps/scaling_ablation.yaml --workers 4 -- --data.path FOLDER
python -m lit_effnet.sweep --check sweeps/*.yaml

Running it again runs what is missing. What comes after -- goes to every trial.
"""

import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lit_effnet.command_line import SETTING, OneLineErrors, fail, plain_warnings, quiet_libraries

if TYPE_CHECKING:
    from rich.console import Console

    from lit_effnet.checking import Checked
    from lit_effnet.planning import Options, Planner
    from lit_effnet.trials.launch import Launch, Progress
    from lit_effnet.trials.process import Share

UNFINISHED, STOPPED = 1, 130


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
        help="What to train on: photos (embedded, minutes on two cores), cifar100 (the default) or "
        f"imagenet; the variable {SETTING}, which W&B's agent reads too.",
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
    parser.add_argument("--root", type=str, default="runs", help="Folder of all run folders.")
    return parser


def main(args: list[str] | None = None) -> None:
    """Run the command: 0 when every trial has finished, 1 when not, 2 bad input, 130 stopped."""
    plain_warnings()
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
    for name, least in (("workers", 1), ("count", 1), ("seed", 0)):
        value = flags[name]
        if value is not None and value < least:
            fail(f"--{name} {value}: must be at least {least}")
    for word in extra:
        if word.split("=")[0] in ("--resume", "--run.id", "--run.root", "--run.group"):
            fail(f"-- {word}: is the launcher's to say; --root names the folder of all run folders")
    if flags.on is not None:
        os.environ[SETTING] = flags.on
    try:
        from lit_effnet.planning import Options

        options = Options(Path(flags.root), flags.seed, flags.count, tuple(extra))
        if flags.check:
            check_files(files, options)
        else:
            run(files[0], options, flags)
    except (ValueError, OSError) as error:
        fail(str(error))
    except KeyboardInterrupt:
        sys.stderr.write("stopped before a trial began\n")
        raise SystemExit(STOPPED) from None


def check_files(files: Sequence[Path], options: "Options") -> None:
    """Print every mistake in the files, each in a line; exit status 2 if there is one."""
    from lit_effnet.checking import check
    from lit_effnet.planning import MOST_CHECKED

    wrong = 0
    for file in files:
        checked = check(file, options)
        for problem in checked.problems:
            sys.stderr.write(f"{problem}\n")
        wrong += bool(checked.problems)
        if not checked.problems:
            arms = len({trial.arm for trial in checked.trials})
            most = " (the first)" if len(checked.trials) == MOST_CHECKED else ""
            print(f"{file}: right; {len(checked.trials)}{most} trials, {arms} arms", flush=True)
    if wrong:
        raise SystemExit(2)


def run(file: Path, options: "Options", flags: Any) -> None:
    """Check, then run or print the plan."""
    from lit_effnet.checking import check
    from lit_effnet.planning import MODULE, MOST_CHECKED, make_source, share_machine
    from lit_effnet.sweep_tables import console
    from lit_effnet.trials import process

    process.prepare(["lit_effnet.trial_imports"])  # it imports while the file is checked
    screen = console()
    with screen.status("checking every trial"):
        checked = check(file, options)
    if checked.problems or checked.planner is None:
        for problem in checked.problems:
            sys.stderr.write(f"{problem}\n")
        raise SystemExit(2)
    shares = share_machine(flags.workers, len(checked.unlike) or None)
    if flags.dry_run:
        print_plan(checked.planner, checked, shares, screen)
        return
    from lit_effnet.trials.launch import Launch

    make_root(options.root)
    source = make_source(checked.planner, checked.trials)
    launch = Launch(checked.planner.sweep, source, MODULE, shares, flags.retry_failed)
    total: int | None = len(checked.unlike)
    if checked.planner.sweep.method == "bayes":
        total = options.count or checked.planner.sweep.run_cap
    elif len(checked.trials) == MOST_CHECKED:
        total = None  # there are more
    width = max((len(trial.arm) for trial in checked.unlike), default=30)
    watch(launch, total, width, screen)
    close(launch, checked.planner, total, screen)


def make_root(root: Path) -> None:
    """Make the folder of all run folders, or say in a line why it cannot be."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=root):
            pass
    except OSError as error:
        fail(f"--root {root}: {error.strerror}")


def print_plan(
    planner: "Planner", checked: "Checked", shares: Sequence["Share"], screen: "Console"
) -> None:
    """Every arm with its costs, what its repeats would take here, and trials that are the same."""
    from rich.progress import track

    from lit_effnet.forecast import Forecast, forecasts
    from lit_effnet.sweep_tables import by_arm, duration, plan_table, twins
    from lit_effnet.trials.ledger import Entry, Status

    trials = checked.unlike
    outlooks = {trial.id: planner.outlook(trial) for trial in trials}
    states = {trial.id: Entry(trial.folder).status() for trial in trials}
    first = {arm: repeats[0] for arm, repeats in by_arm(trials).items()}
    if not screen.is_terminal:
        screen.print(f"measuring some steps of {len(first)} arms")
    shown = track(
        forecasts(planner, first, shares), "measuring steps", total=len(first), console=screen,
        transient=True, disable=not screen.is_terminal,
    )  # fmt: skip
    estimates = dict(shown)
    screen.print(plan_table(trials, outlooks, estimates, states, screen))
    for group in twins(checked.trials, outlooks):
        numbers = ", ".join(str(trial.number) for trial in group)
        once = "; run once" if len({trial.id for trial in group}) == 1 else ""
        arms = ", ".join(trial.arm for trial in group)
        screen.print(f"identical: trials {numbers} ({arms}){once}", soft_wrap=True)
    left, seconds = 0, 0.0
    for arm, repeats in by_arm(trials).items():
        to_run = sum(states[t.id] in (Status.MISSING, Status.BEGUN) for t in repeats)
        estimate = estimates[arm]
        left += to_run
        seconds += to_run * estimate.seconds if isinstance(estimate, Forecast) else 0
    if planner.sweep.method == "bayes":
        screen.print("bayes: these points are samples; each is proposed by those before it")
    screen.print(f"{len(trials)} trials, {left} to run, {len(shares)} at a time")
    reasons = {reason for reason in estimates.values() if isinstance(reason, str)}
    for reason in sorted(reasons):
        screen.print(f"no estimate of the time: {reason}", soft_wrap=True)
    if not reasons:
        wall = seconds / len(shares)
        screen.print(f"about {duration(wall)} here, from a few steps of each arm")


def watch(launch: "Launch", total: int | None, width: int, screen: "Console") -> None:
    """Run the trials, showing those that run; Ctrl-C ends them, a second one at once."""
    from rich.live import Live

    from lit_effnet.sweep_tables import live_view, trial_line
    from lit_effnet.trials.ledger import Status

    metric = launch.metric
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)

    def show(ended: Sequence["Progress"]) -> None:
        for progress in ended:
            if not progress.seen or progress.status is Status.FAILED:
                screen.print(trial_line(progress, metric, width), soft_wrap=True)
        live.update(live_view(launch, metric, total, width))

    with Live(console=screen, transient=True, auto_refresh=screen.is_terminal) as live:
        try:
            for ended in launch.run():
                show(ended)
        except KeyboardInterrupt:
            screen.print("stopping; each trial ends with its step (Ctrl-C again kills them)")
            try:
                for ended in launch.stop():
                    show(ended)
            except KeyboardInterrupt:
                launch.kill()
                for ended in launch.stop():
                    show(ended)
        except BaseException:
            launch.kill()  # or the end of this process would wait for them
            raise
        finally:
            signal.signal(signal.SIGTERM, before)


def close(launch: "Launch", planner: "Planner", total: int | None, screen: "Console") -> None:
    """The arms, how many trials ended how, and the exit status."""
    from lit_effnet.sweep_tables import arms_table, counts, summary
    from lit_effnet.trials.ledger import Status

    trials = [progress.trial for progress in launch.all.values()]
    outlooks = {trial.id: planner.outlook(trial) for trial in trials}
    screen.print(arms_table(trials, outlooks, launch.metric, screen))
    found = counts(launch)
    screen.print(summary(launch, total))
    if trials:
        screen.print(f"in {trials[0].folder.path.parent}")
    again = "run the same command again to go on"
    if launch.stopping:
        sys.stderr.write(f"stopped; {again}\n")
        raise SystemExit(STOPPED)
    if found.get(Status.FAILED):
        sys.stderr.write(
            f"{found[Status.FAILED]} failed; --retry-failed runs them again, trial.log in a "
            "trial's folder has all that it printed\n"
        )
    if found.get(Status.INTERRUPTED):
        sys.stderr.write(f"{found[Status.INTERRUPTED]} ended from outside; {again}\n")
    ended = found.get(Status.FINISHED, 0) + found.get(Status.STOPPED_EARLY, 0)
    if ended < len(trials):
        raise SystemExit(UNFINISHED)


if __name__ == "__main__":
    main()
