"""Runs the trials of a sweep, several at a time: on this machine, or where else it is told."""

import signal
import time
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from lit_effnet.trials import process
from lit_effnet.trials.hyperband import to_stop
from lit_effnet.trials.ledger import Entry, Status
from lit_effnet.trials.plan import Trial
from lit_effnet.trials.process import GRACE_S, NO_FORKS, STOPPED, TAKEN, Share
from lit_effnet.trials.sweep_file import Sweep

LOOK_EVERY_S = 0.5
REFUSED = 2  # the exit status of bad input
TRY_AGAIN_S = 5.0  # for a trial that another launcher runs

# A trial that ended by one of these was ended by a person or the machine, not by itself.
ENDED_FROM_OUTSIDE = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL, signal.SIGHUP)


class Source(Protocol):
    """Where trials come from."""

    def next(self) -> Trial | None:
        """The next trial; none where there is none, or none before another has ended."""

    def tell(self, trial: Trial, value: float | None) -> None:
        """What a trial gave; none if it failed or was stopped."""


class Machines(Protocol):
    """Where trials run; what `start` gives stands for one of them."""

    def start(self, trial: Trial, module: str, share: Share, retry: bool) -> Any:
        """Begin a trial, or go on with it."""

    def wait(self, running: Mapping[str, Any], seconds: float) -> dict[str, int]:
        """Exit statuses of those that have ended, of all that run; returns when one ends."""

    def end(self, running: Any, with_signal: int) -> None:
        """Ask a trial to end by SIGTERM, or end it by SIGKILL."""


@dataclass
class Progress:
    """A trial and how far it is; `reason` says why it ended otherwise than finished."""

    trial: Trial
    status: Status
    epoch: int = 0
    epochs: int | None = None
    value: float | None = None
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0
    reason: str = ""
    seen: bool = False  # it was final before this launch


class Launch:
    """Runs what is missing of a sweep; what ended is never run again but on request.

    Args:
        sweep: The sweep file, for its metric and its early termination.
        source: Where trials come from.
        module: Whose `main(arguments)` a trial runs.
        shares: One for each trial that may run at a time.
        retry_failed: Run trials again that failed.
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
        self.reached = False  # the metric's target
        self.refused: list[str] = []  # the last lines of trials that were refused
        self.one_ran = False

    def run(self) -> Iterator[list[Progress]]:
        """Run the trials; gives what has ended since the last time, every half second or sooner."""
        while True:
            ended = self._start_what_can_be()
            if not (ended or self.running or self.elsewhere):
                return
            ended += self._collect()
            self._look()
            self._terminate_early()
            yield ended

    def stop(self) -> Iterator[list[Progress]]:
        """End all trials that run, each at its next step; kill those that do not end in time."""
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
        """End all trials at once."""
        for running, _ in self.running.values():
            self.machines.end(running, signal.SIGKILL)

    def _start_what_can_be(self) -> list[Progress]:
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
            if trial.id not in self.all:  # two points may come to the same
                ended += self._take(trial)
        return ended

    def _take(self, trial: Trial) -> list[Progress]:
        """Begin a trial, unless it has ended already."""
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
            time.sleep(LOOK_EVERY_S)
        for trial_id, exit_status in self.machines.wait(running, LOOK_EVERY_S).items():
            _, share = self.running.pop(trial_id)
            self.free.append(share)
            trial = self.all[trial_id].trial
            if exit_status == TAKEN:
                self.all[trial_id].status = Status.ELSEWHERE
                self.elsewhere[trial_id] = time.monotonic() + TRY_AGAIN_S
            else:
                ended.append(self._judge(trial, exit_status))
        return ended

    def _judge(self, trial: Trial, exit_status: int) -> Progress:
        """What a process's end says about its trial."""
        entry = Entry(trial.folder)
        status = entry.status()
        self._note_refusal(entry, exit_status)
        if status in (Status.FINISHED, Status.STOPPED_EARLY, Status.FAILED):
            return self._end(trial, status, entry.reason())
        outside = -exit_status in ENDED_FROM_OUTSIDE or exit_status in (STOPPED, NO_FORKS)
        if outside or self.stopping:
            how = signal.Signals(-exit_status).name if exit_status < 0 else "stopped"
            return self._end(trial, Status.INTERRUPTED, how)
        try:
            entry.fail(exit_status)
        except OSError as error:  # a full disk; it is then tried again at the next launch
            return self._end(trial, Status.FAILED, f"{error.strerror}: {error.filename}")
        return self._end(trial, Status.FAILED, entry.reason())

    def _note_refusal(self, entry: Entry, exit_status: int) -> None:
        """Note whether a trial ran, or by which line it was refused."""
        if exit_status != REFUSED:
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
        """Whether a trial reached the metric's target, after which W&B begins no other."""
        metric = self.sweep.metric or {}
        if "target" not in metric:
            return False
        sign = 1 if metric.get("goal") == "maximize" else -1
        return sign * value >= sign * float(metric["target"])

    def _look(self) -> None:
        """Bring the running trials up to date."""
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

    @property
    def hopeless(self) -> bool:
        """Whether the first trials were all refused by one line, as the others would be."""
        alike = len(self.refused) > 1 and len(set(self.refused)) == 1
        return alike and not self.one_ran

    @property
    def metric(self) -> str | None:
        """Name of the sweep's metric."""
        return self.sweep.metric["name"] if self.sweep.metric else None

    def _terminate_early(self) -> None:
        """Stop what the sweep's early termination gives up; noted before it is done."""
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
        except ValueError:  # of a file that is not the run's own
            return []
