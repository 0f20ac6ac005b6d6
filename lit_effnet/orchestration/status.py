"""Print the progress of a sweep from its run folders (`--status`); nothing is run or written."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import mean
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lit_effnet.cli.format import duration
from lit_effnet.cli.tables import Column, as_rich, tabulate
from lit_effnet.orchestration.options import Options
from lit_effnet.orchestration.planner import Planner
from lit_effnet.orchestration.tables import ARM, STYLES, by_arm, metric_text, never_logged
from lit_effnet.orchestration.validate import check
from lit_effnet.trials import snapshot
from lit_effnet.trials.ledger import Entry, Status
from lit_effnet.trials.plan import arm_of
from lit_effnet.trials.snapshot import RunSnapshot, canonical_json
from lit_effnet.trials.sweep_file import SEED

MOST_POINTS = 100_000  # of an endless search
MOST_ARMS = 60  # rows of the table
MOST_LINES = 20  # trials of one status that are listed

ORDER = (
    Status.FINISHED, Status.RUNNING, Status.STOPPED_EARLY, Status.FAILED, Status.INTERRUPTED,
    Status.DEAD, Status.MISSING,
)  # fmt: skip
OPEN = (Status.MISSING, Status.INTERRUPTED, Status.DEAD)


@dataclass(frozen=True)
class PlannedTrial:
    """A trial of the plan with its run folder.

    Args:
        arm: Its arm.
        repeat: Its random seed; None where the sweep has none.
        run: Its run folder; None before there is one.
    """

    arm: str
    repeat: Any
    run: RunSnapshot | None

    @property
    def status(self) -> Status:
        """Status of the run folder."""
        return self.run.status if self.run else Status.MISSING

    def value(self, metric: str | None) -> float | None:
        """Return the metric of a finished trial; None otherwise."""
        if self.run is None or metric is None or self.status is not Status.FINISHED:
            return None
        value: float | None = self.run.record.get("metrics", {}).get(metric)
        return value


def show_progress(file: Path, options: Options, screen: Console) -> None:
    """Print a sweep's trials by arm and status, those that run, and the time left.

    Raises:
        ValueError: The file cannot be read, or is no sweep.
    """
    checked = check(file, options, networks=False)
    if checked.problems or checked.planner is None:
        more = len(checked.problems) - 1
        raise ValueError(f"{checked.problems[0]}{f' (and {more} more)' if more else ''}")
    planner, sweep = checked.planner, checked.planner.sweep
    group = options.root / planner.parse({}).run.group
    with screen.status("reading run folders"):
        runs = snapshot.read(group, sweep.parameters)
        trials = planned(planner, runs)
    metric = sweep.metric["name"] if sweep.metric else None
    screen.print(progress_table(trials, metric))
    if len(arms := by_arm(trials)) > MOST_ARMS:
        screen.print(f"and {len(arms) - MOST_ARMS:,} more arms")
    for line in lines(trials, metric):
        screen.print(line, soft_wrap=True)
    finished = {
        trial.run.folder.path: trial.value(metric)
        for trial in trials
        if trial.run and trial.status is Status.FINISHED
    }
    if missing := never_logged(metric, finished):
        screen.print(missing, soft_wrap=True)
    total = len(trials)
    if sweep.method == "bayes":
        total = max(total, min(n for n in (options.count, sweep.run_cap) if n is not None))
    screen.print(summary(trials, total), soft_wrap=True)
    if any(trial.status in (Status.RUNNING, Status.DEAD) for trial in trials):
        screen.print(liveness_note(group), style="dim", soft_wrap=True)
    screen.print(f"in {group}" + ("" if group.is_dir() else " (not there yet)"))
    if others := len(runs) - sum(trial.run is not None for trial in trials):
        count = "1 other run" if others == 1 else f"{others:,} other runs"
        screen.print(
            f"{count} there, made with other flags: repeat the flags of the launch after --"
        )


def planned(planner: Planner, runs: Sequence[RunSnapshot]) -> list[PlannedTrial]:
    """Return the trials of a sweep in order, each with its run folder.

    Folders are matched by their points, since a trial's identity takes some milliseconds. Identity
    decides where a point has several folders, and where the flags after -- differ from theirs.
    """
    by_point: dict[str, list[RunSnapshot]] = {}
    for run in runs:
        if run.point is not None:
            by_point.setdefault(canonical_json(run.point), []).append(run)
    if planner.sweep.method == "bayes":
        points = [run.point for same in by_point.values() for run in same[:1] if run.point]
    else:
        points = list(islice(planner.points(), MOST_POINTS))
    by_key = {canonical_json(point): point for point in points}
    first = next((by_point[key][0] for key in by_key if key in by_point), None)
    same_flags = first is None or is_of(planner, first)
    trials = []
    for key, point in by_key.items():
        candidates = by_point.get(key, [])
        if len(candidates) > 1 or not same_flags:
            candidates = [run for run in candidates if is_of(planner, run)]
        # Of two agents' runs of one point, take the one with more epochs.
        best = max(
            candidates, key=lambda run: (run.status is Status.FINISHED, run.epochs), default=None
        )
        trials.append(PlannedTrial(arm_of(planner.varied, point), point.get(SEED), best))
    return trials


def is_of(planner: Planner, run: RunSnapshot) -> bool:
    """Whether a run is of the sweep; W&B names the folders of its agents, which are taken to be."""
    if run.point is None or not (run.folder.path / "parameters.json").exists():
        return run.point is not None
    return planner.trial(run.point, 0).id == run.folder.path.name


def progress_table(trials: Sequence[PlannedTrial], metric: str | None) -> Table:
    """Return one row per arm: its trials by status, and the mean metric of the finished ones."""
    rows = []
    for arm, repeats in islice(by_arm(trials).items(), MOST_ARMS):
        values = [v for trial in repeats if (v := trial.value(metric)) is not None]
        counts = Counter(trial.status for trial in repeats)
        rows.append({"arm": arm, "counts": counts, "value": mean(values) if values else None})
    used = [status for status in ORDER if any(trial.status is status for trial in trials)]
    columns = (
        ARM,
        *(Column(heading=status.value, value=_count_of(status)) for status in used),
        Column(heading=metric or "", value="value", write=lambda value: metric_text(metric, value)),
    )
    table = as_rich(tabulate(columns, rows))
    for status, column in zip(used, table.columns[1:], strict=False):
        column.style = STYLES.get(status, "")
    return table


def _count_of(status: Status) -> Callable[[Mapping[str, Any]], int | None]:
    return lambda row: row["counts"][status] or None


def lines(trials: Sequence[PlannedTrial], metric: str | None) -> list[Text]:
    """Return a line on each trial that runs, is dead, or failed, with the reason."""
    shown = []
    for status in (Status.RUNNING, Status.DEAD, Status.FAILED):
        these = [(t, t.run) for t in trials if t.status is status and t.run is not None]
        for trial, run in these[:MOST_LINES]:
            seed = "" if trial.repeat is None else f" seed {trial.repeat}"
            line = Text(f"{status.value:<8} ", STYLES.get(status, ""))
            line.append(f"{trial.arm}{seed}  ", "default")
            line.append(f"{progress(run, metric)}  {run.folder.path.name}", "default")
            shown.append(line)
        if len(these) > MOST_LINES:
            shown.append(Text(f"{status.value:<8} and {len(these) - MOST_LINES:,} more"))
    return shown


def progress(run: RunSnapshot, metric: str | None) -> str:
    """Return the epoch of a run and when it last wrote, or why it failed."""
    if run.status is Status.FAILED:
        return Entry(run.folder).reason() or "failed, by its own run.json"
    most = run.record.get("max_epochs")
    value = metric_text(metric, run.record.get("metrics", {}).get(metric))
    epochs = f"epoch {run.epochs}/{most} {value}".strip() if most else "starting"
    return f"{epochs}, wrote {duration(run.silent_s)} ago"


def summary(trials: Sequence[PlannedTrial], total: int) -> str:
    """Return the number of trials by status, and how long the rest will take."""
    counts = Counter(trial.status for trial in trials)
    counts[Status.MISSING] += total - len(trials)
    parts = [f"{counts[status]:,} {status.value}" for status in ORDER if counts[status]]
    left = time_left(trials, total)
    if left is not None:
        parts.append(f"about {duration(left)} left at {counts[Status.RUNNING]} at a time")
    return f"{', '.join(parts)} of {total:,}"


def time_left(trials: Sequence[PlannedTrial], total: int) -> float | None:
    """Return the seconds left if as many trials run on as do now; None where it is unknown."""
    seconds: dict[str, list[float]] = {}
    for trial in trials:
        if trial.status is Status.FINISHED and trial.run is not None:
            seconds.setdefault(trial.arm, []).append(trial.run.seconds)
    running = sum(trial.status is Status.RUNNING for trial in trials)
    if not seconds or not running:
        return None
    usual = mean(second for of_arm in seconds.values() for second in of_arm)
    means: Mapping[str, float] = {arm: mean(of_arm) for arm, of_arm in seconds.items()}
    left = (total - len(trials)) * usual
    for trial in trials:
        if trial.status in (*OPEN, Status.RUNNING):
            left += means.get(trial.arm, usual) * (1 - (trial.run.done if trial.run else 0))
    return left / running


def liveness_note(group: Path) -> str:
    """Return a line on how a dead trial is recognised on the group's file system."""
    if snapshot.locks_are_reliable(group):
        return (
            f"running: wrote in the last {snapshot.FRESH_S:.0f} s, or a process holds its lock; "
            "dead: neither, and the next launch goes on with it"
        )
    kind = snapshot.file_system(group) or "this file system"
    return (
        f"{kind} may not pass locks between machines; dead: nothing written for "
        f"{duration(snapshot.SILENT_S)} or {snapshot.SILENT_EPOCHS} epochs, whichever is longer"
    )
