"""Find every mistake in a sweep file before anything is trained.

Each value goes through `fit`'s own parser, and the network of each trial is built.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from lit_effnet.experiment import preview
from lit_effnet.orchestration.options import GROUP, LAUNCHER_FLAGS, TRIAL_MODULE, Options
from lit_effnet.orchestration.planner import MOST_CHECKED, Planner
from lit_effnet.runs.names import check_folder_name
from lit_effnet.trials.command import expand
from lit_effnet.trials.distributions import Parameter, flat, quantile
from lit_effnet.trials.hyperband import bands
from lit_effnet.trials.plan import Trial, arm_of, program
from lit_effnet.trials.search import random_points
from lit_effnet.trials.sweep_file import SEED, Problem, Sweep, load, problems

# Random points that are checked for a bayes search, whose own follow from its results.
SAMPLES = 3

# Makes a problem of a key of the sweep file and a message.
Describe = Callable[[Sequence[str], str], Problem]


@dataclass
class Checked:
    """A checked sweep file.

    Args:
        planner: Makes its trials; None if there is a problem.
        problems: All mistakes, by line.
        trials: The checked trials, in order.
    """

    planner: Planner | None
    problems: list[Problem]
    trials: list[Trial]

    @property
    def unlike(self) -> list[Trial]:
        """The trials without those identical to an earlier one."""
        first: dict[str, Trial] = {}
        for trial in self.trials:
            first.setdefault(trial.id, trial)
        return list(first.values())


def check(path: Path, options: Options, *, networks: bool = True) -> Checked:
    """Return a sweep file's trials, and every mistake in it.

    Args:
        path: The file.
        options: What the sweep trains.
        networks: Build the network of each trial. Otherwise one trial for each value is checked,
            without its network, in a tenth of the time.
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


def _sound(sweep: Sweep, mistakes: Sequence[Problem]) -> Sweep | None:
    """Return the sweep with only the parameters that have no problem; None without any."""
    keys = [problem.key for problem in mistakes]
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
        config["run_cap"] = 1  # any valid number, to go on and check the parameters
    return replace(sweep, config=config) if sound else None


def _unread(path: Path, message: str) -> Problem:
    """Return the problem of a file that cannot be read, on the line that its message names."""
    rest = message.removeprefix(f"{path}: ").removeprefix(f"{path}:")
    line, colon, reason = rest.partition(":")
    if colon and line.isdigit():
        return Problem(path, int(line), "", reason.strip())
    return Problem(path, 1, "", rest)


def _check_trials(planner: Planner, checked: Checked, networks: bool) -> None:
    """Check the trials by `fit`'s own parser and their networks."""
    sweep, options = planner.sweep, planner.options

    def problem(key: Sequence[str], message: str) -> Problem:
        named = ".".join(part for part in key if not part.isdigit())  # a list's item by its line
        return Problem(sweep.path, sweep.line(*key), named, message)

    try:
        words = expand(sweep.command, sweep.program, {}, Path("parameters.json"), os.environ)
        module, _ = program(words)
        if module != TRIAL_MODULE:
            raise ValueError(f"runs {module}: must run {TRIAL_MODULE}")
        if not any(str(word).startswith("${args") for word in sweep.command):
            raise ValueError("passes no parameters: must have ${args} or ${args_json_file}")
        for word in words:
            if (flag := str(word).split("=")[0]) in LAUNCHER_FLAGS:
                raise ValueError(f"{flag}: is set by the launcher, leave it out")
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
        endless = f"{sweep.method} has no end of its own; set run_cap or --count"
        checked.problems.append(problem(("method",), endless))
        return
    before = len(checked.problems)
    checked.problems += _check_values(planner, problem)
    if len(checked.problems) == before:
        _check_points(planner, problem, checked, networks)
    if isinstance(sweep.metric, dict) and "name" in sweep.metric:
        checked.problems += [*_check_metric(planner, problem, checked.problems)]


def _check_values(planner: Planner, problem: Describe) -> Iterator[Problem]:
    """Yield the problems of each parameter's single values."""
    for parameter in flat(planner.sweep.parameters):
        key = ("parameters", *_between(parameter.path))
        if f"--{'.'.join(parameter.path)}" in (*LAUNCHER_FLAGS, GROUP):
            yield problem(key, f"is set by the launcher; {GROUP} may stand in the command")
            continue
        messages = set()
        for index, value in _values(parameter):
            try:
                planner.check_passing(parameter, value)
                planner.composer.learn(parameter, value)
            except ValueError as error:
                if str(error) not in messages:
                    unknown = str(error).startswith("unknown")
                    yield problem(key if unknown else (*key, *index), str(error))
                messages.add(str(error))


def _between(path: Sequence[str]) -> list[str]:
    """Return a parameter's key in the file, with `parameters` between nested names."""
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
    planner: Planner, problem: Describe, earlier: Sequence[Problem]
) -> Iterator[Problem]:
    """Yield a problem if a trial does not log the metric, or early termination never sees it."""
    sweep = planner.sweep
    assert sweep.metric is not None
    name = sweep.metric["name"]
    configs = [*planner.configs.values()] or [planner.parse({})]
    for config in configs:
        logged = preview.metrics(config)
        if name not in logged:
            why = " with these trainer flags" if name in preview.SCORES else ""
            names = ", ".join(logged) or "nothing"
            yield problem(("metric", "name"), f"{name!r} is not logged{why}; logged: {names}")
            return
    if sweep.early_terminate is None or any(
        "early_terminate" in mistake.key for mistake in earlier
    ):
        return
    times = [preview.times_logged(config, name) for config in configs]
    known = [count for count in times if count is not None]
    if len(known) == len(times) and not bands(sweep.early_terminate, max(known)):
        message = f"stops no trial: {name} is logged {max(known)} times, before the first band"
        yield problem(("early_terminate",), message)


def _check_points(planner: Planner, problem: Describe, checked: Checked, networks: bool) -> None:
    """Check whole trials: all with their networks, or those with a value not seen before."""
    messages = set()
    seen: set[str] = set()
    points = planner.points()
    if planner.sweep.method == "bayes":
        points = islice(random_points(planner.sweep.parameters, planner.options.seed), SAMPLES)
    for number, point in enumerate(islice(points, MOST_CHECKED), start=1):
        values = {f"{name}={value!r}" for name, value in point.items()}
        if not networks and values <= seen:
            continue
        seen |= values
        try:
            trial = planner.trial(point, number)
            planner.preview_of(trial) if networks else planner.check(trial)
            checked.trials.append(trial)
        except ValueError as error:
            message = str(error)
            if message not in messages:
                arm = arm_of(planner.varied, point)
                key = _key_of(message, planner.sweep, point)
                checked.problems.append(problem(key, f"trial {number} ({arm}): {message}"))
            messages.add(message)


def _key_of(message: str, sweep: Sweep, point: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the key of the parameter, or of one in its group, whose flag begins a message."""
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
