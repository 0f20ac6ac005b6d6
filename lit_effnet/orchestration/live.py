"""Show a sweep while it runs and when it has ended; handle Ctrl-C; set the exit status."""

import signal
import sys
from collections.abc import Sequence

from rich.console import Console
from rich.live import Live

from lit_effnet.orchestration.planner import Planner
from lit_effnet.orchestration.tables import (
    arms_table,
    live_view,
    never_logged,
    summary,
    trial_line,
)
from lit_effnet.runs.exit_status import FAILURE, INTERRUPTED
from lit_effnet.trials.launch import Launch, Progress
from lit_effnet.trials.ledger import Status

# Besides Ctrl-C: what a cluster sends before a job's time is over, or another job takes its place.
STOPPING = (signal.SIGTERM, signal.SIGUSR1)

AGAIN = "run the same command again to go on"


def watch(launch: Launch, total: int | None, width: int, screen: Console) -> None:
    """Run the trials and show them; the first Ctrl-C ends them cleanly, the second at once."""
    metric = launch.metric
    handlers = {sig: signal.signal(sig, signal.default_int_handler) for sig in STOPPING}

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
            screen.print("stopping after the current steps (Ctrl-C again kills the trials)")
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
            for sig, handler in handlers.items():
                signal.signal(sig, handler)


def close(launch: Launch, planner: Planner, total: int | None, screen: Console) -> None:
    """Print the table of arms and how many trials ended how.

    Raises:
        SystemExit: With 130 if it was stopped, with 1 if a trial or its metric is missing.
    """
    trials = [progress.trial for progress in launch.all.values()]
    previews = {trial.id: planner.preview_of(trial) for trial in trials}
    screen.print(arms_table(trials, previews, launch.metric, screen))
    screen.print(summary(launch, total))
    if trials:
        screen.print(f"in {trials[0].folder.path.parent}")
    if launch.stopping:
        sys.stderr.write(f"stopped; {AGAIN}\n")
        raise SystemExit(INTERRUPTED)
    counts = launch.counts()
    if failed := counts[Status.FAILED]:
        sys.stderr.write(
            f"{failed} failed; see trial.log in a trial's folder; --retry_failed runs them again\n"
        )
    if interrupted := counts[Status.INTERRUPTED]:
        sys.stderr.write(f"{interrupted} ended from outside; {AGAIN}\n")
    finished = [p for p in launch.all.values() if p.status is Status.FINISHED]
    missing = never_logged(launch.metric, {p.trial.folder.path: p.value for p in finished})
    if missing:
        sys.stderr.write(f"{missing}\n")
    ended = counts[Status.FINISHED] + counts[Status.STOPPED_EARLY]
    if ended < len(trials) or missing:
        raise SystemExit(FAILURE)
