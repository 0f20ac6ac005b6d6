"""A sweep file to trials that can be run: each is parsed, and its network built, beforehand."""

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from lit_effnet import outlook
from lit_effnet.command_line import usual_setting
from lit_effnet.outlook import Outlook
from lit_effnet.training.record import RunFolder
from lit_effnet.trials.command import expand
from lit_effnet.trials.distributions import Parameter, flat, nested, quantile
from lit_effnet.trials.plan import SEED, Trial, arguments_of, arm_of, points, program, varied
from lit_effnet.trials.search import random_points
from lit_effnet.trials.sweep_file import Problem, Sweep, load, problems

MODULE = "lit_effnet.fit"

# A key of the sweep file and what is wrong there.
Describe = Callable[[Sequence[str], str], Problem]

# Of a grid without end the first ones are looked at.
MOST_CHECKED = 2000


@dataclass(frozen=True)
class Options:
    """How a person runs a sweep.

    Args:
        root: Folder of all run folders.
        seed: Random seed of a random or bayes search.
        count: Most trials; null for the sweep's own run_cap.
        extra: Further arguments of `fit` for every trial.
    """

    root: Path = Path("runs")
    seed: int = 0
    count: int | None = None
    extra: tuple[str, ...] = ()


class Planner:
    """Makes the trials of one sweep.

    Args:
        sweep: The sweep file.
        options: How it is run.
    """

    def __init__(self, sweep: Sweep, options: Options) -> None:
        self.sweep, self.options = sweep, options
        self.varied = varied(sweep)
        self.configs: dict[str, Any] = {}

    def trial(self, point: Mapping[str, Any], number: int) -> Trial:
        """The trial of a point.

        Raises:
            ValueError: `fit` does not take its arguments.
        """
        config = self.parse(point)
        trial_id = outlook.identity(config)
        self.configs[trial_id] = config
        folder = RunFolder(self.options.root / outlook.group(config) / trial_id)
        trial = Trial(
            number, trial_id, point, (), folder, arm_of(self.varied, point), point.get(SEED)
        )
        arguments = (
            *self.arguments(point, trial.parameters_file),
            f"--run.root={self.options.root}",
            f"--run.id={trial_id}",
        )
        return replace(trial, arguments=arguments)

    def arguments(self, point: Mapping[str, Any], file: Path) -> list[str]:
        """What `fit` is called with for a point that `file` holds."""
        words = arguments_of(self.sweep, point, file, os.environ)
        return [*map(usual_setting, words), *self.options.extra]

    def parse(self, point: Mapping[str, Any]) -> Any:
        """The configuration of a point.

        Raises:
            ValueError: `fit` does not take its arguments.
        """
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "parameters.json"
            file.write_text(json.dumps(point), encoding="utf-8")
            try:
                return outlook.parse(self.arguments(point, file))
            except ValueError as error:
                raise ValueError(str(error).replace(f" in {file}", "")) from None

    def points(self) -> Iterator[dict[str, Any]]:
        """All points of a grid or a random search, in their order."""
        return points(self.sweep, self.options.seed, self.options.count)

    def trials(self, begin: int = 0) -> Iterator[Trial]:
        """The trials of a grid or a random search after the first `begin`."""
        for number, point in islice(enumerate(self.points(), start=1), begin, None):
            yield self.trial(point, number)

    def begun(self) -> list[dict[str, Any]]:
        """The points of an earlier launch, in the order in which their trials began."""
        group = outlook.group(self.parse({}))
        files = (self.options.root / group).glob("*/parameters.json")
        by_time = sorted(files, key=lambda file: file.stat().st_mtime)
        found = (json.loads(file.read_text(encoding="utf-8")) for file in by_time)
        return [point for point in found if point.keys() == self.sweep.parameters.keys()]

    def outlook(self, trial: Trial) -> Outlook:
        """What the trial will train.

        Raises:
            ValueError: it cannot be trained.
        """
        return outlook.outlook(self.configs[trial.id])


@dataclass
class Checked:
    """A sweep file that was looked through.

    Args:
        planner: Makes its trials; null where the file cannot be read.
        problems: All that would go wrong; nothing may be trained before there is none.
        trials: The trials that were looked at, in their order.
    """

    planner: Planner | None
    problems: list[Problem]
    trials: list[Trial]

    @property
    def unlike(self) -> list[Trial]:
        """The trials without those that are the same as an earlier one."""
        return list({trial.id: trial for trial in reversed(self.trials)}.values())[::-1]


def check(path: Path, options: Options) -> Checked:
    """A sweep file, and everything about it that would go wrong, before anything is trained."""
    try:
        sweep = load(path)
    except ValueError as error:
        return Checked(None, [_unread(path, str(error))], [])
    checked = Checked(None, problems(sweep), [])
    if not checked.problems:
        checked.planner = Planner(sweep, options)
        _check_trials(checked.planner, checked)
        checked.problems.sort(key=lambda problem: problem.line)
    return checked


def _unread(path: Path, message: str) -> Problem:
    """A file that could not be read at all; its message may hold the line."""
    rest = message.removeprefix(f"{path}: ").removeprefix(f"{path}:")
    line, colon, told = rest.partition(":")
    if colon and line.isdigit():
        return Problem(path, int(line), "", told.strip())
    return Problem(path, 1, "", rest)


def _check_trials(planner: Planner, checked: Checked) -> None:
    """What `fit`'s own parser and networks say about the trials."""
    sweep, options = planner.sweep, planner.options

    def problem(key: Sequence[str], message: str) -> Problem:
        named = ".".join(part for part in key if not part.isdigit())  # a list's item by its line
        return Problem(sweep.path, sweep.line(*key), named, message)

    try:
        words = expand(sweep.command, sweep.program, {}, Path("parameters.json"), os.environ)
        module, _ = program(words)
        if module != MODULE:
            raise ValueError(f"runs {module}: must run {MODULE}")
        planner.parse({})
    except ValueError as error:
        checked.problems.append(problem(("command",), str(error).removeprefix("command ")))
        return
    if sweep.method != "grid" and sweep.run_cap is None and options.count is None:
        endless = f"{sweep.method} has no end of its own; give run_cap or --count"
        checked.problems.append(problem(("method",), endless))
        return
    checked.problems += _check_values(planner, problem)
    if not checked.problems:
        _check_points(planner, problem, checked)
    if not checked.problems:
        checked.problems += _check_metric(planner, problem)


def _check_values(planner: Planner, problem: Describe) -> Iterator[Problem]:
    """Each value of each parameter, by itself."""
    for parameter in flat(planner.sweep.parameters):
        key = ("parameters", *_between(parameter.path))
        told = set()
        for index, value in _values(parameter):
            try:
                planner.parse(nested({parameter.path: value}))
            except ValueError as error:
                if "together" in str(error) or "needs" in str(error):
                    continue  # what it needs may be another parameter
                if str(error) not in told:
                    unknown = str(error).startswith("unknown")
                    yield problem(key if unknown else (*key, *index), str(error))
                told.add(str(error))


def _between(path: Sequence[str]) -> list[str]:
    """A parameter's place in the file, where `parameters` stands between nested names."""
    return [part for name in path for part in ("parameters", name)][1:]


def _values(parameter: Parameter) -> Iterator[tuple[tuple[str, ...], Any]]:
    if parameter.distribution == "constant":
        yield ("value",), parameter.config["value"]
    elif "values" in parameter.config:
        for index, value in enumerate(parameter.config["values"]):
            yield ("values", str(index)), value
    else:
        for u in (0.01, 0.5, 0.99):
            yield (), quantile(parameter, u)


def _check_metric(planner: Planner, problem: Describe) -> Iterator[Problem]:
    metric = planner.sweep.metric
    first = next(random_points(planner.sweep.parameters, planner.options.seed))
    logged = outlook.metrics(planner.parse(first))
    if metric is not None and metric["name"] not in logged:
        message = f"{metric['name']!r} is not logged; there are {', '.join(logged)}"
        yield problem(("metric", "name"), message)


def _check_points(planner: Planner, problem: Describe, checked: Checked) -> None:
    """Each trial as a whole; its network is built."""
    told = set()
    known = planner.sweep.method != "bayes"  # whose points follow from the trials
    every = planner.points() if known else iter(())
    for number, point in enumerate(islice(every, MOST_CHECKED), start=1):
        try:
            trial = planner.trial(point, number)
            planner.outlook(trial)
            checked.trials.append(trial)
        except ValueError as error:
            message = str(error)
            if message not in told:
                arm = arm_of(planner.varied, point)
                key = _key_of(message, planner.sweep)
                checked.problems.append(problem(key, f"trial {number} ({arm}): {message}"))
            told.add(message)


def _key_of(message: str, sweep: Sweep) -> tuple[str, ...]:
    """The parameter that a message names by its flag."""
    flag = message.removeprefix("--").split(" ", 1)[0]
    return ("parameters", flag) if flag in sweep.parameters else ("parameters",)
