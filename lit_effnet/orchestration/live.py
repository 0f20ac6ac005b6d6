"""A sweep while it runs, and its end: what is shown, what Ctrl-C does, the exit status."""

import signal
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.live import Live

from lit_effnet.orchestration.planner import Planner
from lit_effnet.orchestration.tables import (
    arms_table,
    counts,
    live_view,
    never_arrived,
    summary,
    trial_line,
)
from lit_effnet.trials.launch import Launch, Progress
from lit_effnet.trials.ledger import Status

UNFINISHED, STOPPED = 1, 130

# Besides Ctrl-C: what a cluster sends to a job before its time is over, or another takes its place.
STOPPING = (signal.SIGTERM, signal.SIGUSR1)


def watch(launch: Launch, total: int | None, width: int, screen: Console) -> None:
    """Run the trials, showing those that run; Ctrl-C ends them, a second one at once."""
    metric = launch.metric
    before = {sig: signal.signal(sig, signal.default_int_handler) for sig in STOPPING}

    def show(ended: Sequence[Progress]) -> None:
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
            for sig, handler in before.items():
                signal.signal(sig, handler)


def close(launch: Launch, planner: Planner, total: int | None, screen: Console) -> None:
    """The arms, how many trials ended how, and the exit status."""
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
    finished = [one for one in launch.all.values() if one.status is Status.FINISHED]
    missing = never_arrived(launch.metric, {one.trial.folder.path: one.value for one in finished})
    if missing:
        sys.stderr.write(f"{missing}\n")
    ended = found.get(Status.FINISHED, 0) + found.get(Status.STOPPED_EARLY, 0)
    if ended < len(trials) or missing:
        raise SystemExit(UNFINISHED)
