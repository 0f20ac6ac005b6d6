"""What a sweep file plans, and which of its trials have no run yet."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from lit_effnet.results.findings.questions import sweep_of
from lit_effnet.results.frame.records import FINISHED
from lit_effnet.results.frame.run_parts import POINT, RECORD, text_of
from lit_effnet.runs.documents import load_json
from lit_effnet.trials.search import grid
from lit_effnet.trials.sweep_file import Sweep, load

MOST = 10_000  # trials of a plan that are looked at
SEED = "seed_everything"


@dataclass(frozen=True)
class Progress:
    """Progress of a sweep.

    Args:
        file: Name of the sweep file.
        trials: Number of planned trials.
        done: Finished trials.
        missing: Description of the trials without a run.
    """

    file: str
    trials: int
    done: int
    missing: tuple[str, ...]

    @property
    def unfinished(self) -> int:
        """Return the number of trials whose run has not finished."""
        return self.trials - self.done - len(self.missing)


@dataclass(frozen=True)
class Plan:
    """Trials of a sweep file.

    Args:
        file: Sweep file.
        points: Parameters of each trial, by name.
    """

    file: Path
    points: tuple[Mapping[str, Any], ...]

    def progress(self, statuses: Mapping[str, str]) -> "Progress | None":
        """Return the progress of the sweep; None if no run belongs to this plan.

        Args:
            statuses: Status of each run, by its path.
        """
        best: dict[str, bool] = {}
        for run, status in statuses.items():
            key = _key(parameters_of(run))
            best[key] = best.get(key, False) or status == FINISHED
        keys = {_key(point): point for point in self.points}
        if not best.keys() & keys.keys():
            return None
        missing = [_words(point, self._varied) for key, point in keys.items() if key not in best]
        done = sum(best.get(key, False) for key in keys)
        return Progress(self.file.name, len(keys), done, tuple(missing))

    @property
    def _varied(self) -> list[str]:
        names = dict.fromkeys(name for point in self.points for name in point)
        return [n for n in names if len({repr(point.get(n)) for point in self.points}) > 1]


def plans(files: Sequence[Path]) -> dict[str, Plan]:
    """Return the plans of valid grid sweep files, by the name of the sweep."""
    found = {}
    for file in files:
        try:
            sweep = load(file)
            found[sweep.name] = Plan(file, _points(sweep))
        except (ValueError, KeyError, TypeError, AttributeError, OSError):
            continue  # `sweep --check` says what is wrong with it
    return {name: plan for name, plan in found.items() if plan.points}


def plan_of(group: str, known: Mapping[str, Plan]) -> Plan | None:
    """Return the plan of a group of runs; None without a known sweep file."""
    return known.get(sweep_of(group, tuple(known)) or "")


def parameters_of(run: str) -> dict[str, Any]:
    """Return the sweep parameters of a run by dotted name; empty for a run outside a sweep."""
    return _content(run, POINT)


def recipe_of(run: str) -> dict[str, Any]:
    """Return the recipe of a run by dotted name; empty if none is recorded."""
    told = _content(run, RECORD)
    return {name: value for name, value in told.items() if name.startswith("recipe.")}


def _content(run: str, name: str) -> dict[str, Any]:
    try:
        content = load_json(text_of(run, name))
    except (OSError, ValueError):
        return {}
    return dict(_flat(content)) if isinstance(content, dict) else {}


def _points(sweep: Sweep) -> tuple[Mapping[str, Any], ...]:
    if sweep.method != "grid":
        return ()
    return tuple(dict(_flat(point)) for point in islice(grid(sweep.parameters), MOST))


def _flat(content: Mapping[str, Any], before: str = "") -> Iterable[tuple[str, Any]]:
    for name, value in content.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value


def _key(point: Mapping[str, Any]) -> str:
    return json.dumps(point, sort_keys=True)


def _words(point: Mapping[str, Any], varied: Sequence[str]) -> str:
    parts = [str(point[name]) for name in varied if name != SEED and name in point]
    if SEED in point:
        parts.append(f"seed {point[SEED]}")
    return ", ".join(parts)
