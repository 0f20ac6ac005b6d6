"""What a person sees of a sweep: the plan, the trials that run, and the arms at the end."""

import time
from collections.abc import Iterable, Mapping, Sequence
from statistics import mean
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from lit_effnet.cli.format import duration
from lit_effnet.experiment.preview import RunPreview
from lit_effnet.orchestration.estimate import Forecast
from lit_effnet.trials.launch import Launch, Progress
from lit_effnet.trials.ledger import Entry, Status
from lit_effnet.trials.plan import Trial

STYLES = {
    Status.FINISHED: "green",
    Status.STOPPED_EARLY: "yellow",
    Status.FAILED: "bold red",
    Status.INTERRUPTED: "yellow",
    Status.DEAD: "bold red",
}


def metric_text(name: str | None, value: float | None) -> str:
    """A metric's value: accuracies in percent, others as they are."""
    if value is None:
        return ""
    return f"{100 * value:.1f} %" if name and "top" in name.rsplit("/", 1)[-1] else f"{value:.4g}"


def never_arrived(metric: str | None, values: Mapping[Any, float | None]) -> str:
    """How many finished trials lack the metric, in a line; empty where none does.

    Args:
        metric: Its name; None for a sweep without one.
        values: Of each finished trial, by its run folder.
    """
    without = [folder for folder, value in values.items() if value is None]
    if metric is None or not without:
        return ""
    count = f"{len(without)} of {len(values)} finished trials"
    return f"{metric} never arrived in {count}, {without[0]} for one: nothing can be compared by it"


def by_arm(trials: Iterable[Trial]) -> dict[str, list[Trial]]:
    """The trials of each arm, in the sweep's order."""
    arms: dict[str, list[Trial]] = {}
    for trial in trials:
        arms.setdefault(trial.arm, []).append(trial)
    return arms


# The last two are left out where the terminal is narrow.
COSTS = ("px", "params, M", "MACs, M", "residual", "x base", "acts, M")
NARROW = 130  # columns


def costs(outlook: RunPreview) -> list[str]:
    """Image size, parameters, MACs, the budget's residual, MACs in baselines, and activations."""
    here, base = outlook.complexity, outlook.baseline
    return [
        f"{outlook.image_size}",
        f"{here.params / 1e6:.2f}",
        f"{here.macs / 1e6:,.1f}",
        "" if outlook.residual is None else f"{100 * outlook.residual:+.1f} %",
        f"{here.macs / base.macs:.2f}" if base else "",
        f"{here.activations / 1e6:.2f}",
    ]


def shown_costs(screen: Console) -> int:
    """How many of the costs there is room for."""
    return len(COSTS) if screen.width >= NARROW else len(COSTS) - 2


def plan_table(
    trials: Sequence[Trial],
    outlooks: Mapping[str, RunPreview],
    forecasts: Mapping[str, Forecast | str],
    states: Mapping[str, Status],
    screen: Console,
) -> Table:
    """One row for each arm: what it is, what it costs, and its repeats."""
    table, shown = Table("arm"), shown_costs(screen)
    for heading in ("d", "w", *COSTS[:shown], "repeats", "a trial", "to run"):
        table.add_column(heading, justify="right")
    for arm, repeats in by_arm(trials).items():
        outlook = outlooks[repeats[0].id]
        scaling = outlook.scaling
        seeds = [str(trial.repeat) for trial in repeats if trial.repeat is not None]
        estimate = forecasts.get(arm)
        told = duration(estimate.seconds) if isinstance(estimate, Forecast) else "-"
        left = sum(states[t.id] in (Status.MISSING, Status.BEGUN) for t in repeats)
        table.add_row(
            Text(arm),
            f"{scaling.depth:.3g}",
            f"{scaling.width:.3g}",
            *costs(outlook)[:shown],
            ", ".join(seeds) or "1",
            told,
            f"{left}",
        )
    return table


def twins(trials: Sequence[Trial], outlooks: Mapping[str, RunPreview]) -> list[list[Trial]]:
    """Trials that train the same network by the same recipe on the same data and random seed."""
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(outlooks[trial.id].twin, []).append(trial)
    return [group for group in groups.values() if len(group) > 1]


def trial_line(progress: Progress, metric: str | None, width: int) -> Text:
    """One line on a trial that has ended."""
    status = progress.status
    value = metric_text(metric, progress.value)
    told = f"{value:>7}  {duration(progress.seconds):>7}" if status is Status.FINISHED else ""
    repeat = "" if progress.trial.repeat is None else f"seed {progress.trial.repeat}"
    line = Text()
    line.append(f"{progress.trial.number:4d}  {progress.trial.arm:<{width}}  {repeat:<8}  ")
    line.append(f"{status.value:<13}", STYLES.get(status, ""))
    line.append(f" {told}{progress.reason}")
    return line


def live_view(launch: Launch, metric: str | None, total: int | None, width: int) -> RenderableType:
    """The trials that run now, and how much there is still to do."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("", "arm", "repeat", "epoch", metric or "", "so far"):
        table.add_column(heading, min_width=width if heading == "arm" else None, no_wrap=True)
    for progress in launch.all.values():
        if progress.status in (Status.RUNNING, Status.ELSEWHERE):
            epochs = "starts" if progress.epochs is None else f"{progress.epoch}/{progress.epochs}"
            elsewhere = progress.status is Status.ELSEWHERE
            table.add_row(
                f"{progress.trial.number:4d}",
                progress.trial.arm,
                "" if progress.trial.repeat is None else f"seed {progress.trial.repeat}",
                "elsewhere" if elsewhere else epochs,
                metric_text(metric, progress.value),
                duration(time.monotonic() - progress.started),
            )
    return Group(table, Text(summary(launch, total), "dim"))


def counts(launch: Launch) -> dict[Status, int]:
    """Trials by what has become of them."""
    found: dict[Status, int] = {}
    for progress in launch.all.values():
        found[progress.status] = found.get(progress.status, 0) + 1
    return found


def summary(launch: Launch, total: int | None) -> str:
    """How many trials have ended how, and how long the rest will take."""
    found = counts(launch)
    final = (Status.FINISHED, Status.STOPPED_EARLY, Status.FAILED, Status.INTERRUPTED)
    parts = [f"{found[status]} {status.value}" for status in final if status in found]
    whole = f" of {total}" if total else ""
    left = time_left(launch, total)
    rest = f", about {duration(left)} left" if left else ""
    return f"{', '.join(parts) or '0 finished'}{whole}{rest}"


def time_left(launch: Launch, total: int | None) -> float | None:
    """Seconds until the sweep ends, if trials take on as long as by now; null before one ended."""
    done = [p.seconds for p in launch.all.values() if p.status is Status.FINISHED and not p.seen]
    if not done or not total:
        return None
    workers = max(1, len(launch.running) + len(launch.free))
    open_now = sum(p.status is Status.RUNNING for p in launch.all.values())
    begun = len(launch.all) - open_now
    part = [
        p.epoch / p.epochs for p in launch.all.values() if p.status is Status.RUNNING and p.epochs
    ]
    return max(0.0, (total - begun - sum(part)) * mean(done) / workers)


def arms_table(
    trials: Iterable[Trial],
    outlooks: Mapping[str, RunPreview],
    metric: str | None,
    screen: Console,
) -> Table:
    """One row for each arm: what it cost, and its metric in each repeat."""
    arms = by_arm(trials)
    table, shown = Table("arm"), shown_costs(screen)
    seeds = list(dict.fromkeys(trial.repeat for repeats in arms.values() for trial in repeats))
    for heading in (
        *COSTS[:shown],
        *("value" if seed is None else f"seed {seed}" for seed in seeds),
        "mean",
    ):
        table.add_column(heading, justify="right")
    for arm, repeats in arms.items():
        values = {trial.repeat: final_value(trial, metric) for trial in repeats}
        known = [value for value in values.values() if value is not None]
        table.add_row(
            Text(arm),
            *costs(outlooks[repeats[0].id])[:shown],
            *(metric_text(metric, values.get(seed)) or "-" for seed in seeds),
            metric_text(metric, mean(known)) if known else "-",
        )
    return table


def final_value(trial: Trial, metric: str | None) -> float | None:
    """The metric of a trial that has finished."""
    record: dict[str, Any] = Entry(trial.folder).record()
    if record.get("status") != "finished" or metric is None:
        return None
    value: float | None = record["metrics"].get(metric)
    return value


def console() -> Console:
    """Where tables go; wide enough for them where the output is no terminal."""
    found = Console(highlight=False)
    return found if found.is_terminal else Console(highlight=False, width=160)
