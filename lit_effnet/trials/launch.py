"""Run the trials of a sweep, several at a time, on this machine or on a cluster."""

import signal
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from lit_effnet.runs import exit_status
from lit_effnet.trials import process
from lit_effnet.trials.hyperband import to_stop
from lit_effnet.trials.ledger import Entry, Status
from lit_effnet.trials.plan import Trial
from lit_effnet.trials.process import GRACE_S, NO_FORKS, Share
from lit_effnet.trials.sweep_file import Sweep

POLL_S = 0.5
TRY_AGAIN_S = 5.0  # for a trial that another launcher runs

# By these a person or the machine ends a trial.
ENDED_FROM_OUTSIDE = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGHUP)


class Source(Protocol):
    """Where trials come from."""

    def next(self) -> Trial | None:
        """Return the next trial; None if there is none, or none before another has ended."""

    def tell(self, trial: Trial, value: float | None) -> None:
        """Take the metric of a trial that ended; None if it failed or was stopped."""


class Machines(Protocol):
    """Interface of the machines on which trials run; `start` returns the handle of a trial."""

    def start(self, trial: Trial, module: str, share: Share, retry: bool) -> Any:
        """Start or resume a trial; `retry` runs one again that failed."""

    def wait(self, running: Mapping[str, Any], seconds: float) -> dict[str, int]:
        """Wait until a trial ends, or some seconds; return the exit statuses of those that did."""

    def end(self, running: Any, with_signal: int) -> None:
        """Send a trial SIGTERM or SIGKILL."""


@dataclass
class Progress:
    """A trial and its progress; `reason` says why it ended without finishing."""

    trial: Trial
    status: Status
    epoch: int = 0
    epochs: int | None = None
    value: float | None = None
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    reason: str = ""
    seen: bool = False  # it had ended before this launch


class Launch:
    """Run what is missing of a sweep; a trial that has ended is run again only on request.

    Args:
        sweep: The sweep file, for its metric and its early termination.
        source: Where trials come from.
        module: The module whose `main(arguments)` runs a trial.
        shares: One for each trial that may run at a time.
        retry_failed: Run failed trials again.
        machines: Where trials run.
    """

    def __init__(
        self,
        sweep: Sweep,
        source: Source,
        module: str,
        shares: list[Share],
        retry_failed: bool = False,
        *,
        machines: Machines = process,
    ) -> None:
        self.sweep, self.source, self.module = sweep, source, module
        self.machines = machines
        self.free = deque(shares)
        self.retry_failed = retry_failed
        self.all: dict[str, Progress] = {}
        self.running: dict[str, tuple[Any, Share]] = {}
        self.elsewhere: dict[str, float] = {}
        self.terminated: set[str] = set()
        self.stopping = False
        self.reached = False  # whether a trial reached the metric's target
        self.refused: list[str] = []  # last line of each trial that ended with bad input
        self.one_ran = False

    def run(self) -> Iterator[list[Progress]]:
        """Run the trials; yield those that ended, at least every half second."""
        while True:
            ended = self._start_trials()
            if not (ended or self.running or self.elsewhere):
                return
            ended += self._collect()
            self._update()
            self._terminate_early()
            yield ended

    def stop(self) -> Iterator[list[Progress]]:
        """Ask all trials to end after their steps; kill those that do not end in time."""
        self.stopping = True
        self.elsewhere.clear()
        for running, _ in self.running.values():
            self.machines.end(running, signal.SIGTERM)
        deadline = time.monotonic() + GRACE_S
        while self.running:
            if time.monotonic() > deadline:
                self.kill()
            yield self._collect()

    def kill(self) -> None:
        """Kill all running trials."""
        for running, _ in self.running.values():
            self.machines.end(running, signal.SIGKILL)

    def _start_trials(self) -> list[Progress]:
        ended = []
        for trial_id, when in [*self.elsewhere.items()]:
            if self.free and when <= time.monotonic():
                del self.elsewhere[trial_id]
                ended += self._take(self.all[trial_id].trial)
        while (
            self.free
            and not (self.reached or self.hopeless)
            and (trial := self.source.next()) is not None
        ):
            if trial.id not in self.all:  # two points may be the same trial
                ended += self._take(trial)
        return ended

    def _take(self, trial: Trial) -> list[Progress]:
        """Start a trial, unless it has ended already."""
        entry = Entry(trial.folder)
        status = entry.status()
        progress = self.all.setdefault(trial.id, Progress(trial, status))
        again = status is Status.FAILED and self.retry_failed
        if again or status in (Status.MISSING, Status.BEGUN):
            self._begin(trial)
            return []
        progress.seen = progress.status is not Status.ELSEWHERE
        return [self._end(trial, status, entry.reason())]

    def _begin(self, trial: Trial) -> None:
        share = self.free.popleft()
        progress = self.all[trial.id]
        progress.status, progress.started = Status.RUNNING, time.monotonic()
        started = self.machines.start(trial, self.module, share, self.retry_failed)
        self.running[trial.id] = (started, share)

    def _collect(self) -> list[Progress]:
        """Wait until a trial ends, or half a second."""
        ended = []
        running = {trial_id: started for trial_id, (started, _) in self.running.items()}
        if not running:
            time.sleep(POLL_S)
        for trial_id, status in self.machines.wait(running, POLL_S).items():
            _, share = self.running.pop(trial_id)
            self.free.append(share)
            trial = self.all[trial_id].trial
            if status == exit_status.TRY_AGAIN:
                self.all[trial_id].status = Status.ELSEWHERE
                self.elsewhere[trial_id] = time.monotonic() + TRY_AGAIN_S
            else:
                ended.append(self._judge(trial, status))
        return ended

    def _judge(self, trial: Trial, ended_with: int) -> Progress:
        """Decide by its folder and its exit status how a trial ended."""
        entry = Entry(trial.folder)
        status = entry.status()
        self._note_refusal(entry, ended_with)
        if status in (Status.FINISHED, Status.STOPPED_EARLY, Status.FAILED):
            return self._end(trial, status, entry.reason())
        outside = -ended_with in ENDED_FROM_OUTSIDE or ended_with in (
            exit_status.INTERRUPTED,
            NO_FORKS,
        )
        if outside or self.stopping:
            how = signal.Signals(-ended_with).name if ended_with < 0 else "stopped"
            return self._end(trial, Status.INTERRUPTED, how)
        try:
            entry.fail(ended_with)
        except OSError as error:  # a full disk; the next launch tries again
            return self._end(trial, Status.FAILED, f"{error.strerror}: {error.filename}")
        return self._end(trial, Status.FAILED, entry.reason())

    def _note_refusal(self, entry: Entry, ended_with: int) -> None:
        """Note that a trial ran, or the line by which it was refused."""
        if ended_with != exit_status.BAD_INPUT:
            self.one_ran = True
        else:
            self.refused.append(next(iter(entry.last_lines()[::-1]), ""))

    def _end(self, trial: Trial, status: Status, reason: str) -> Progress:
        progress = self.all[trial.id]
        progress.status, progress.reason = status, reason
        self._read(progress)
        value = progress.value if status is Status.FINISHED else None
        self.source.tell(trial, value)
        self.reached |= value is not None and self._is_enough(value)
        return progress

    def _is_enough(self, value: float) -> bool:
        """Whether a value reaches the metric's target, after which W&B starts no other trial."""
        metric = self.sweep.metric or {}
        if "target" not in metric:
            return False
        sign = 1 if metric.get("goal") == "maximize" else -1
        return sign * value >= sign * float(metric["target"])

    def _update(self) -> None:
        """Read the progress of the running trials."""
        for trial_id in (*self.running, *self.elsewhere):
            self._read(self.all[trial_id])

    def _read(self, progress: Progress) -> None:
        try:
            record = Entry(progress.trial.folder).record()
        except ValueError:
            record = {}
        cost, metrics = record.get("cost", {}), record.get("metrics", {})
        progress.epoch = cost.get("epochs", 0)
        progress.epochs = record.get("max_epochs")
        progress.seconds = cost.get("seconds", 0.0)
        progress.value = metrics.get(self.metric) if self.metric else None

    def counts(self) -> Counter[Status]:
        """Return the number of trials by status."""
        return Counter(progress.status for progress in self.all.values())

    @property
    def hopeless(self) -> bool:
        """Whether all trials so far were refused by one line, as the others would be."""
        same = len(self.refused) > 1 and len(set(self.refused)) == 1
        return same and not self.one_ran

    @property
    def metric(self) -> str | None:
        """Name of the sweep's metric."""
        return self.sweep.metric["name"] if self.sweep.metric else None

    def _terminate_early(self) -> None:
        """Note and stop the trials that the sweep's early termination gives up."""
        if not self.sweep.early_terminate or self.sweep.metric is None:
            return
        histories = {key: self._history(progress.trial) for key, progress in self.all.items()}
        for trial_id in to_stop(
            self.sweep.early_terminate, self.sweep.metric, histories, set(self.running)
        ):
            entry = Entry(self.all[trial_id].trial.folder)
            if entry.status() is Status.BEGUN:
                entry.write_notes(stopped_early={"epoch": len(histories[trial_id])})
            if trial_id not in self.terminated:
                self.terminated.add(trial_id)
                self.machines.end(self.running[trial_id][0], signal.SIGTERM)

    def _history(self, trial: Trial) -> list[float]:
        name = self.metric or ""
        try:
            return [float(row[name]) for row in trial.folder.read_metrics() if row.get(name)]
        except ValueError:  # the file is damaged
            return []
