"""Everything about a sweep file that would go wrong, found before anything is trained.

Each of its values goes through `fit`'s own parser, each of its trials has its network built.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from lit_effnet.experiment import preview as outlook
from lit_effnet.orchestration.planner import MODULE, MOST_CHECKED, Options, Planner
from lit_effnet.runs.names import check_folder_name
from lit_effnet.trials.command import expand
from lit_effnet.trials.distributions import Parameter, flat, quantile
from lit_effnet.trials.hyperband import bands
from lit_effnet.trials.plan import Trial, arm_of, program
from lit_effnet.trials.search import random_points
from lit_effnet.trials.sweep_file import SEED, Problem, Sweep, load, problems

# Points of a bayes search that stand for those which it will propose.
SAMPLES = 3

# Where a trial is recorded; --root of the launcher names the folder of all run folders.
GROUP = "--run.group"
LAUNCHERS = ("--resume", "--run.id", "--run.root")

# A key of the sweep file and what is wrong there.
Describe = Callable[[Sequence[str], str], Problem]


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
        first: dict[str, Trial] = {}
        for trial in self.trials:
            first.setdefault(trial.id, trial)
        return list(first.values())


def check(path: Path, options: Options, *, networks: bool = True) -> Checked:
    """A sweep file, and everything about it that would go wrong, before anything is trained.

    Args:
        path: The file.
        options: How the sweep is run.
        networks: Build the network of each trial; without, a trial for each value is looked at, in
            a tenth of the time.
    """
    try:
        sweep = load(path, options.repeats)
    except ValueError as error:
        return Checked(None, [_unread(path, str(error))], [])
    checked = Checked(None, problems(sweep), [])
    sound = _sound(sweep, checked.problems) if checked.problems else sweep
    if sound is not None:
        planner = Planner(sound, options)
        _check_trials(planner, checked, networks)
        checked.planner = None if checked.problems else planner
    checked.problems.sort(key=lambda problem: problem.line)
    return checked


def _sound(sweep: Sweep, found: Sequence[Problem]) -> Sweep | None:
    """The sweep with those of its parameters only that have no problem; null without any."""
    keys = [problem.key for problem in found]
    if any(key.split(".")[0] in ("method", "command", "program") for key in keys):
        return None
    known = "method" in sweep.config and isinstance(sweep.config.get("parameters"), dict)
    if "parameters" in keys or not known:
        return None
    sound = {
        name: spec
        for name, spec in sweep.parameters.items()
        if not any(f"{key}.".startswith(f"parameters.{name}.") for key in keys)
    }
    config = {**sweep.config, "parameters": sound}
    if "run_cap" in keys:
        config["run_cap"] = 1  # any that can be counted to, for the parameters' own problems
    return replace(sweep, config=config) if sound else None


def _unread(path: Path, message: str) -> Problem:
    """A file that could not be read at all; its message may hold the line."""
    rest = message.removeprefix(f"{path}: ").removeprefix(f"{path}:")
    line, colon, told = rest.partition(":")
    if colon and line.isdigit():
        return Problem(path, int(line), "", told.strip())
    return Problem(path, 1, "", rest)


def _check_trials(planner: Planner, checked: Checked, networks: bool) -> None:
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
        if not any(str(word).startswith("${args") for word in sweep.command):
            raise ValueError("passes no parameter: must have ${args} or ${args_json_file}")
        for word in words:
            if (flag := str(word).split("=")[0]) in LAUNCHERS:
                raise ValueError(f"{flag}: is the launcher's to say, leave it out")
        for word in options.extra:
            name = word.removeprefix("--").split("=")[0]
            if name in sweep.parameters:
                more = "; --repeats gives each arm more seeds" if name == SEED else ""
                raise ValueError(f"--{name} after --: the sweep sets it for each trial{more}")
        plain = planner.parse({})
    except ValueError as error:
        checked.problems.append(problem(("command",), str(error).removeprefix("command ")))
        return
    try:
        check_folder_name(str(plain.run.group), "run.group")
    except ValueError as error:
        key = "name" if plain.run.group == sweep.name else "command"
        checked.problems.append(problem((key,), str(error)))
        return
    if sweep.method != "grid" and sweep.run_cap is None and options.count is None:
        endless = f"{sweep.method} has no end of its own; give run_cap or --count"
        checked.problems.append(problem(("method",), endless))
        return
    before = len(checked.problems)
    checked.problems += _check_values(planner, problem)
    if len(checked.problems) == before:
        _check_points(planner, problem, checked, networks)
    if isinstance(sweep.metric, dict) and "name" in sweep.metric:
        checked.problems += [*_check_metric(planner, problem, checked.problems)]


def _check_values(planner: Planner, problem: Describe) -> Iterator[Problem]:
    """Each value of each parameter, by itself."""
    for parameter in flat(planner.sweep.parameters):
        key = ("parameters", *_between(parameter.path))
        if f"--{'.'.join(parameter.path)}" in (*LAUNCHERS, GROUP):
            yield problem(key, f"is the launcher's to say; {GROUP} may stand in the command")
            continue
        told = set()
        for index, value in _values(parameter):
            try:
                planner.check_passing(parameter, value)
                planner.composer.learn(parameter, value)
            except ValueError as error:
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


def _check_metric(
    planner: Planner, problem: Describe, found: Sequence[Problem]
) -> Iterator[Problem]:
    """Whether every trial logs the metric, and early termination comes to judge it."""
    sweep = planner.sweep
    assert sweep.metric is not None
    name = sweep.metric["name"]
    configs = [*planner.configs.values()] or [planner.parse({})]
    for config in configs:
        logged = outlook.metrics(config)
        if name not in logged:
            why = " under the trainer's flags" if name in outlook.SCORES else ""
            there = ", ".join(logged) or "none"
            yield problem(("metric", "name"), f"{name!r} is not logged{why}; there are {there}")
            return
    if sweep.early_terminate is None or any("early_terminate" in one.key for one in found):
        return
    times = [outlook.times_logged(config, name) for config in configs]
    known = [count for count in times if count is not None]
    if len(known) == len(times) and not bands(sweep.early_terminate, max(known)):
        message = f"judges no trial: {name} is logged {max(known)} times, before the first band"
        yield problem(("early_terminate",), message)


def _check_points(planner: Planner, problem: Describe, checked: Checked, networks: bool) -> None:
    """Each trial as a whole with its network, or those that have a value which none before had."""
    told = set()
    seen: set[str] = set()
    every = planner.points()
    if planner.sweep.method == "bayes":  # whose points follow from the trials
        every = islice(random_points(planner.sweep.parameters, planner.options.seed), SAMPLES)
    for number, point in enumerate(islice(every, MOST_CHECKED), start=1):
        values = {f"{name}={value!r}" for name, value in point.items()}
        if not networks and values <= seen:
            continue
        seen |= values
        try:
            trial = planner.trial(point, number)
            planner.outlook(trial) if networks else planner.check(trial)
            checked.trials.append(trial)
        except ValueError as error:
            message = str(error)
            if message not in told:
                arm = arm_of(planner.varied, point)
                key = _key_of(message, planner.sweep, point)
                checked.problems.append(problem(key, f"trial {number} ({arm}): {message}"))
            told.add(message)


def _key_of(message: str, sweep: Sweep, point: Mapping[str, Any]) -> tuple[str, ...]:
    """The parameter that a message names by its flag, or one of the same group, and its value."""
    flag = message.removeprefix("--").split(" ", 1)[0].rstrip(":")
    group = flag.split(".")[0]
    names = [name for name in sweep.parameters if name == flag]
    names += [name for name in sweep.parameters if name.split(".")[0] == group]
    if not names:
        return ("parameters",)
    values = sweep.parameters[names[0]].get("values", [])
    value = point.get(names[0])
    at = ("values", str(values.index(value))) if value in values else ()
    return ("parameters", names[0], *at)
