"""Tables and lines about a sweep: its plan, the trials that run, and its arms at the end."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict
from statistics import mean
from typing import Any, Protocol, TypeVar

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from lit_effnet.cli.format import count, duration, millions, number, percent, points, ratio
from lit_effnet.cli.tables import Column, as_rich, tabulate
from lit_effnet.experiment import preview
from lit_effnet.orchestration.estimate import Estimate
from lit_effnet.runs.folder import FINISHED
from lit_effnet.trials.launch import Launch, Progress
from lit_effnet.trials.ledger import Entry, Status
from lit_effnet.trials.plan import Trial


class HasArm(Protocol):
    """A trial, or its state."""

    @property
    def arm(self) -> str: ...  # noqa: D102


T = TypeVar("T", bound=HasArm)

STYLES = {
    Status.FINISHED: "green",
    Status.STOPPED_EARLY: "yellow",
    Status.FAILED: "bold red",
    Status.INTERRUPTED: "yellow",
    Status.DEAD: "bold red",
}

ARM = Column(heading="arm", value="arm", left=True)
MULTIPLIERS = (
    Column(heading="depth", value="depth", write=number(".3g")),
    Column(heading="width", value="width", write=number(".3g")),
)
COSTS = (
    Column(heading="px", value="image_size", write=str),
    Column(heading="params", unit="M", value="params", write=millions),
    Column(heading="MACs", unit="M", value="macs", write=number(",.1f", 1e-6)),
    Column(heading="residual", unit="%", value="residual", write=points),
    # These two are left out on a narrow terminal.
    Column(heading="MACs", unit="x base", value="relative_macs", write=ratio),
    Column(heading="activations", unit="M", value="activations", write=millions),
)
NARROW = 130  # columns


def console() -> Console:
    """Return the console for tables, 160 columns wide where the output is no terminal."""
    terminal = Console(highlight=False)
    return terminal if terminal.is_terminal else Console(highlight=False, width=160)


def metric_text(name: str | None, value: float | None) -> str:
    """Return a metric's value: accuracies in percent, others with four digits."""
    if value is None:
        return ""
    is_accuracy = name is not None and "top" in name.rsplit("/", 1)[-1]
    return f"{percent(value)} %" if is_accuracy else f"{value:.4g}"


def never_logged(metric: str | None, values: Mapping[Any, float | None]) -> str:
    """Return a line on finished trials, by run folder, that lack the metric; empty if none."""
    without = [folder for folder, value in values.items() if value is None]
    if metric is None or not without:
        return ""
    finished = f"{len(without)} of {len(values)} finished trials"
    return f"{metric} is missing from {finished}, such as {without[0]}: they cannot be compared"


def by_arm(trials: Iterable[T]) -> dict[str, list[T]]:
    """Return the trials of each arm, in the sweep's order."""
    arms: dict[str, list[T]] = {}
    for trial in trials:
        arms.setdefault(trial.arm, []).append(trial)
    return arms


def plan_table(
    trials: Sequence[Trial],
    previews: Mapping[str, preview.RunPreview],
    estimates: Mapping[str, Estimate | str],
    to_run: AbstractSet[str],
    screen: Console,
) -> Table:
    """Return one row per arm: its multipliers, cost, seeds, time per trial and trials to run.

    `previews` are by trial, `estimates` by arm, and `to_run` has the ids of trials to run.
    """
    rows = []
    for arm, repeats in by_arm(trials).items():
        estimate = estimates.get(arm)
        rows.append(
            {
                **_costs(arm, previews[repeats[0].id]),
                "seeds": ", ".join(str(t.repeat) for t in repeats if t.repeat is not None) or "-",
                "seconds": estimate.seconds if isinstance(estimate, Estimate) else None,
                "to_run": sum(trial.id in to_run for trial in repeats),
            }
        )
    columns = (
        *(ARM, *MULTIPLIERS, *_shown_costs(screen)),
        Column(heading="seeds", value="seeds"),
        Column(heading="per trial", unit="about", value="seconds", write=duration),
        Column(heading="to run", value="to_run", write=count),
    )
    return as_rich(tabulate(columns, rows))


def _costs(arm: str, run: preview.RunPreview) -> dict[str, Any]:
    """Return an arm's name, multipliers and costs as a row."""
    base = run.baseline
    return {
        "arm": arm,
        "depth": run.scaling.depth,
        "width": run.scaling.width,
        "image_size": run.image_size,
        **asdict(run.complexity),
        "residual": run.residual,
        "relative_macs": run.complexity.macs / base.macs if base else None,
    }


def _shown_costs(screen: Console) -> tuple[Column, ...]:
    return COSTS if screen.width >= NARROW else COSTS[:-2]


def identical_trials(
    trials: Sequence[Trial], previews: Mapping[str, preview.RunPreview]
) -> list[list[Trial]]:
    """Return groups of trials with the same network, recipe, data and random seed."""
    groups: dict[str, list[Trial]] = {}
    for trial in trials:
        groups.setdefault(previews[trial.id].twin, []).append(trial)
    return [group for group in groups.values() if len(group) > 1]


def trial_line(progress: Progress, metric: str | None, width: int) -> Text:
    """Return one line on a trial that has ended; `width` is that of the longest arm."""
    status, trial = progress.status, progress.trial
    result = progress.reason
    if status is Status.FINISHED:
        result = f"{metric_text(metric, progress.value):>7}  {duration(progress.seconds):>7}"
    line = Text(f"{trial.number:4d}  {trial.arm:<{width}}  {_seed(trial):<8}  ")
    line.append(f"{status.value:<13}", STYLES.get(status, ""))
    line.append(f" {result}")
    return line


def _seed(trial: Trial) -> str:
    return "" if trial.repeat is None else f"seed {trial.repeat}"


def live_view(launch: Launch, metric: str | None, total: int | None, width: int) -> RenderableType:
    """Return the running trials, and a line on how many are left."""
    running = [p for p in launch.all.values() if p.status in (Status.RUNNING, Status.ELSEWHERE)]
    columns = (
        Column(heading="", value=lambda row: row["progress"].trial.number),
        Column(heading="arm", value=lambda row: row["progress"].trial.arm, left=True),
        Column(heading="seed", value=lambda row: row["progress"].trial.repeat, left=True),
        Column(heading="epoch", value=lambda row: _epoch(row["progress"]), left=True),
        Column(heading=metric or "", value=lambda row: row["progress"].value,
               write=lambda value: metric_text(metric, value)),
        Column(heading="time", value=lambda row: time.monotonic() - row["progress"].started,
               write=duration),
    )  # fmt: skip
    table = as_rich(tabulate(columns, [{"progress": progress} for progress in running]))
    table.box, table.padding = None, (0, 2, 0, 0)
    table.columns[1].min_width = width
    return Group(table, Text(summary(launch, total), "dim"))


def _epoch(progress: Progress) -> str:
    if progress.status is Status.ELSEWHERE:
        return "elsewhere"
    return "starting" if progress.epochs is None else f"{progress.epoch}/{progress.epochs}"


def summary(launch: Launch, total: int | None) -> str:
    """Return how many trials ended how, and how long the rest will take."""
    counts = launch.counts()
    final = (Status.FINISHED, Status.STOPPED_EARLY, Status.FAILED, Status.INTERRUPTED)
    parts = [f"{counts[status]} {status.value}" for status in final if counts[status]]
    whole = f" of {total}" if total else ""
    left = time_left(launch, total)
    rest = f", about {duration(left)} left" if left else ""
    return f"{', '.join(parts) or '0 finished'}{whole}{rest}"


def time_left(launch: Launch, total: int | None) -> float | None:
    """Return the seconds left at the mean time of the finished trials; None before one ended."""
    done = [p.seconds for p in launch.all.values() if p.status is Status.FINISHED and not p.seen]
    if not done or not total:
        return None
    workers = max(1, len(launch.running) + len(launch.free))
    running = [p for p in launch.all.values() if p.status is Status.RUNNING]
    ended = len(launch.all) - len(running)
    trained = sum(p.epoch / p.epochs for p in running if p.epochs)
    return max(0.0, (total - ended - trained) * mean(done) / workers)


def arms_table(
    trials: Iterable[Trial],
    previews: Mapping[str, preview.RunPreview],
    metric: str | None,
    screen: Console,
) -> Table:
    """Return one row per arm: its cost, and its metric for each seed."""
    rows: list[dict[str, Any]] = []
    seeds: dict[int | None, float | None] = {}
    for arm, repeats in by_arm(trials).items():
        values = {trial.repeat: final_value(trial, metric) for trial in repeats}
        seeds |= values
        known = [value for value in values.values() if value is not None]
        means = mean(known) if known else None
        rows.append({**_costs(arm, previews[repeats[0].id]), "values": values, "mean": means})

    def write(value: float) -> str:
        return metric_text(metric, value)

    columns = (
        *(ARM, *_shown_costs(screen)),
        *(
            Column(heading=_heading(seed), value=_value_of(seed), write=write)
            for seed in seeds
        ),
        Column(heading="mean", value="mean", write=write),
    )  # fmt: skip
    return as_rich(tabulate(columns, rows))


def _heading(seed: int | None) -> str:
    return "value" if seed is None else f"seed {seed}"


def _value_of(seed: int | None) -> Callable[[Mapping[str, Any]], float | None]:
    return lambda row: row["values"].get(seed)


def final_value(trial: Trial, metric: str | None) -> float | None:
    """Return the metric of a finished trial; None otherwise."""
    record = Entry(trial.folder).record()
    if record.get("status") != FINISHED or metric is None:
        return None
    value: float | None = record["metrics"].get(metric)
    return value
