"""`--status`: how far a sweep is, from its run folders; nothing is run, asked or written."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from statistics import mean
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from lit_effnet.orchestration.planner import Options, Planner
from lit_effnet.orchestration.tables import STYLES, duration, metric_text, never_arrived
from lit_effnet.orchestration.validate import check
from lit_effnet.trials import status as folders
from lit_effnet.trials.ledger import Entry, Status
from lit_effnet.trials.plan import arm_of
from lit_effnet.trials.status import Seen, spelt
from lit_effnet.trials.sweep_file import SEED

MOST_POINTS = 100_000  # of a grid without end
MOST_ARMS = 60  # rows
MOST_LINES = 20  # trials that are named

ORDER = (
    Status.FINISHED, Status.RUNNING, Status.STOPPED_EARLY, Status.FAILED, Status.INTERRUPTED,
    Status.DEAD, Status.MISSING,
)  # fmt: skip
OPEN = (Status.MISSING, Status.INTERRUPTED, Status.DEAD)


@dataclass(frozen=True)
class Place:
    """A trial of the plan and what there is of it.

    Args:
        arm: Its arm.
        repeat: Its random seed; null where the sweep has none.
        seen: Its run folder; null before there is one.
    """

    arm: str
    repeat: Any
    seen: Seen | None

    @property
    def status(self) -> Status:
        """What has become of it."""
        return self.seen.status if self.seen else Status.MISSING


def show_progress(file: Path, options: Options, screen: Console) -> None:
    """Print how many trials of a sweep have ended how, by arm, and which run now.

    Raises:
        ValueError: the file cannot be read, or is no sweep.
    """
    checked = check(file, options, networks=False)
    if checked.problems or checked.planner is None:
        more = len(checked.problems) - 1
        raise ValueError(f"{checked.problems[0]}{f' (and {more} more)' if more else ''}")
    planner, sweep = checked.planner, checked.planner.sweep
    group = options.root / planner.parse({}).run.group
    with screen.status("reading run folders"):
        seen = folders.read(group, sweep.parameters)
        places = planned(planner, seen)
    metric = sweep.metric["name"] if sweep.metric else None
    screen.print(progress_table(places, metric))
    for line in lines(places, metric):
        screen.print(line, soft_wrap=True)
    finished = {p.seen.folder.path: value_of(p, metric) for p in places if p.seen and is_done(p)}
    if missing := never_arrived(metric, finished):
        screen.print(missing, soft_wrap=True)
    total = len(places)
    if sweep.method == "bayes":
        total = max(total, min(n for n in (options.count, sweep.run_cap) if n is not None))
    screen.print(summary(places, total), soft_wrap=True)
    if any(place.status in (Status.RUNNING, Status.DEAD) for place in places):
        screen.print(how_it_is_known(group), style="dim", soft_wrap=True)
    screen.print(f"in {group}" + ("" if group.is_dir() else ", which is not there yet"))
    if others := len(seen) - sum(place.seen is not None for place in places):
        told = "1 other run lies" if others == 1 else f"{others:,} other runs lie"
        screen.print(f"{told} there, made with other flags: add those of the launch after --")


def planned(planner: Planner, seen: Sequence[Seen]) -> list[Place]:
    """The trials of a sweep in their order, each with its run folder.

    Folders are found by their points, for a trial's identity may take some milliseconds; it decides
    where a point has several folders, and where the flags after -- are not those of the folders.
    """
    by_point: dict[str, list[Seen]] = {}
    for one in seen:
        if one.point is not None:
            by_point.setdefault(spelt(one.point), []).append(one)
    if planner.sweep.method == "bayes":
        points = [one.point for found in by_point.values() for one in found[:1] if one.point]
    else:
        points = list(islice(planner.points(), MOST_POINTS))
    by_key = {spelt(point): point for point in points}
    first = next((by_point[key][0] for key in by_key if key in by_point), None)
    sure = first is None or is_of(planner, first)
    places = []
    for key, point in by_key.items():
        found = by_point.get(key, [])
        if len(found) > 1 or not sure:
            found = [one for one in found if is_of(planner, one)]
        # Of two agents' runs of one point the one that is further.
        best = max(found, key=lambda one: (one.status is Status.FINISHED, one.epochs), default=None)
        places.append(Place(arm_of(planner.varied, point), point.get(SEED), best))
    return places


def is_of(planner: Planner, one: Seen) -> bool:
    """Whether a run folder is what the sweep would run; W&B names the folders of its agents."""
    if one.point is None or not (one.folder.path / "parameters.json").exists():
        return one.point is not None
    return planner.trial(one.point, 0).id == one.folder.path.name


def progress_table(places: Sequence[Place], metric: str | None) -> Table:
    """One row for each arm: how many of its trials are what, and the metric of the finished."""
    arms: dict[str, list[Place]] = {}
    for place in places:
        arms.setdefault(place.arm, []).append(place)
    used = [status for status in ORDER if any(place.status is status for place in places)]
    table = Table("arm")
    for heading in (*(status.value for status in used), metric or ""):
        table.add_column(heading, justify="right")
    for arm, repeats in islice(arms.items(), MOST_ARMS):
        found = Counter(place.status for place in repeats)
        values = [v for place in repeats if (v := value_of(place, metric)) is not None]
        told = metric_text(metric, mean(values)) if values else "-"
        counted = [Text(str(found[s] or ""), STYLES.get(s, "")) for s in used]
        table.add_row(Text(arm), *counted, told)
    if len(arms) > MOST_ARMS:
        table.add_row(f"and {len(arms) - MOST_ARMS:,} more arms")
    return table


def is_done(place: Place) -> bool:
    """Whether a trial has finished."""
    return place.status is Status.FINISHED


def value_of(place: Place, metric: str | None) -> float | None:
    """The metric of a trial that has finished."""
    if not is_done(place) or place.seen is None or metric is None:
        return None
    value: float | None = place.seen.record.get("metrics", {}).get(metric)
    return value


def lines(places: Sequence[Place], metric: str | None) -> list[Text]:
    """The trials that run, and those that need a look: dead ones, and failed ones with reasons."""
    told = []
    for status in (Status.RUNNING, Status.DEAD, Status.FAILED):
        these = [(p, p.seen) for p in places if p.status is status and p.seen is not None]
        for place, seen in these[:MOST_LINES]:
            repeat = "" if place.repeat is None else f" seed {place.repeat}"
            line = Text(f"{status.value:<8} ", STYLES.get(status, ""))
            line.append(f"{place.arm}{repeat}  ", "default")
            line.append(f"{said(place, seen, metric)}  {seen.folder.path.name}", "default")
            told.append(line)
        if len(these) > MOST_LINES:
            told.append(Text(f"{status.value:<8} and {len(these) - MOST_LINES:,} more"))
    return told


def said(place: Place, seen: Seen, metric: str | None) -> str:
    """How far a trial is, or why it failed."""
    if place.status is Status.FAILED:
        return Entry(seen.folder).reason() or "failed; it is its own run.json that says so"
    most = seen.record.get("max_epochs")
    value = metric_text(metric, seen.record.get("metrics", {}).get(metric))
    epochs = f"epoch {seen.epochs}/{most} {value}".strip() if most else "starts"
    return f"{epochs}, wrote {duration(seen.silent_s)} ago"


def summary(places: Sequence[Place], total: int) -> str:
    """How many trials are what, and how long the rest will take."""
    found = Counter(place.status for place in places)
    found[Status.MISSING] += total - len(places)
    parts = [f"{found[status]:,} {status.value}" for status in ORDER if found[status]]
    left = time_left(places, total)
    if left is not None:
        parts.append(f"about {duration(left)} left at {found[Status.RUNNING]} at a time")
    return f"{', '.join(parts)} of {total:,}"


def time_left(places: Sequence[Place], total: int) -> float | None:
    """Seconds until the sweep ends if as many trials run on as do now; null where nothing tells."""
    known: dict[str, list[float]] = {}
    for place in places:
        if place.status is Status.FINISHED and place.seen is not None:
            known.setdefault(place.arm, []).append(place.seen.seconds)
    running = sum(place.status is Status.RUNNING for place in places)
    if not known or not running:
        return None
    usual = mean(second for seconds in known.values() for second in seconds)
    by_arm: Mapping[str, float] = {arm: mean(seconds) for arm, seconds in known.items()}
    left = (total - len(places)) * usual
    for place in places:
        if place.status in (*OPEN, Status.RUNNING):
            left += by_arm.get(place.arm, usual) * (1 - (place.seen.done if place.seen else 0))
    return left / running


def how_it_is_known(group: Path) -> str:
    """By what a dead trial is told from one that runs."""
    if folders.locks_tell(group):
        return (
            f"running: it wrote in the last {folders.FRESH_S:.0f} s, or a process holds its lock; "
            "dead: neither, the next launch goes on with it"
        )
    kind = folders.file_system(group) or "this file system"
    return (
        f"on {kind} a lock tells nothing of other machines; dead: nothing written for "
        f"{duration(folders.SILENT_S)} or {folders.SILENT_EPOCHS} epochs, whichever is longer"
    )
