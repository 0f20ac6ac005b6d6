"""Make the trials of a sweep, and divide the machine between them."""

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import torch

from lit_effnet.experiment import preview
from lit_effnet.experiment.config_composer import Composer
from lit_effnet.orchestration.options import GROUP, Options
from lit_effnet.results.stats.learning_rates import Rates
from lit_effnet.runs.documents import read_json
from lit_effnet.runs.folder import RunFolder
from lit_effnet.runs.machine import available_cores
from lit_effnet.scaling import arms
from lit_effnet.training import recipe as recipes
from lit_effnet.trials.bayes import Proposals
from lit_effnet.trials.command import PARAMETERS_AS, usual_setting
from lit_effnet.trials.distributions import Parameter, flat, nested
from lit_effnet.trials.launch import Source
from lit_effnet.trials.plan import Trial, arguments_of, arm_of, points, varied
from lit_effnet.trials.process import Share
from lit_effnet.trials.source import Listed, Proposed
from lit_effnet.trials.sweep_file import SEED, Sweep

RATE = "--recipe.learning_rate"

# Macros that write values into flags as Python prints them, and the parameter that must be a flag.
TEXT_MACROS = tuple(f"${{{name}}}" for name in PARAMETERS_AS if name != "args_json")
CONFIG = "config"

MEMORY_OF_A_TRIAL = 2 * 10**9  # bytes; a small trial takes half of it

# Trials that are checked of a grid or a search with more.
MOST_CHECKED = 2000


class Planner:
    """Make the trials of one sweep.

    Args:
        sweep: The sweep file.
        options: What the sweep trains.

    Attributes:
        configs: Configuration of each trial so far, by its id.
        rates: Chosen learning rate of each arm so far; None for the recipe's own.
    """

    def __init__(self, sweep: Sweep, options: Options) -> None:
        self.sweep, self.options = sweep, options
        if options.rates is not None:
            check_rates(sweep, options)
        self.varied = varied(sweep)
        self.configs: dict[str, Any] = {}
        self.rates: dict[str, float | None] = {}
        self.composer = Composer(self.parse, sweep.parameters, preview.linked())

    def trial(self, point: Mapping[str, Any], number: int) -> Trial:
        """Return the trial of a point.

        Args:
            point: Values of the sweep's parameters.
            number: Place of the trial in the sweep, from 1.

        Raises:
            ValueError: `fit` does not accept its arguments.
        """
        config = self.composer.config(point)
        arm = arm_of(self.varied, point)
        rate = rate_of(config, self.options.rates)
        chosen = [] if rate is None else [f"{RATE}={rate!r}"]
        if chosen:
            config = self.parse(point, *chosen)
        self.rates[arm] = rate
        trial_id = preview.identity(config)
        self.configs[trial_id] = config
        folder = RunFolder(self.options.root / config.run.group / trial_id)
        trial = Trial(number, trial_id, point, (), folder, arm, point.get(SEED))
        arguments = (
            *self.arguments(point, trial.parameters_file),
            *chosen,
            f"--run.root={self.options.root}",
            f"--run.id={trial_id}",
        )
        return replace(trial, arguments=arguments)

    def arguments(self, point: Mapping[str, Any], file: Path) -> list[str]:
        """Return the arguments of `fit` for a point whose JSON `file` holds."""
        words = arguments_of(self.sweep, point, file, os.environ)
        typed = {word.split("=")[0] for word in (*words, *self.options.extra)}
        if GROUP not in typed:
            words.append(f"{GROUP}={self.sweep.name}")
        flags = typed | {f"--{name}" for name in self.sweep.parameters}
        if "project" in self.sweep.config and "--run.project" not in flags:
            words.append(f"--run.project={self.sweep.config['project']}")
        return [*map(usual_setting, words), *self.options.extra]

    def parse(self, point: Mapping[str, Any], *more: str) -> Any:
        """Return the configuration of a point and further flags.

        Raises:
            ValueError: `fit` does not accept its arguments.
        """
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "parameters.json"
            file.write_text(json.dumps(point), encoding="utf-8")
            try:
                return preview.parse([*self.arguments(point, file), *more])
            except ValueError as error:
                # The user's key is in the sweep file, not in this temporary one.
                in_file = rf" in (?:\S+ or )*{re.escape(str(file))}"
                message = re.sub(rf"{re.escape(str(file))}:(\d+: )?", "", str(error))
                raise ValueError(re.sub(in_file, "", message)) from None

    def check_passing(self, parameter: Parameter, value: Any) -> None:
        """Check that `fit` reads a parameter's value unchanged from the command's macro.

        Raises:
            ValueError: As a flag it is read as something else: None as a word, say.
        """
        macro = next((word for word in map(str, self.sweep.command) if word in TEXT_MACROS), None)
        if macro is None or parameter.path == (CONFIG,):
            return
        point, own = nested({parameter.path: value}), ".".join(parameter.path)
        remedy = f"through {macro}; ${{args_json_file}} passes it unchanged"
        if value is None:
            raise ValueError(f"null arrives as the word None {remedy}")
        try:
            meant = _as_json(point)
        except ValueError:
            return  # no macro can pass it, and the parser says why
        try:
            arrived = self.parse(point)
        except ValueError as error:
            raise ValueError(f"{value!r} does not arrive {remedy}") from error
        for name, of_value in meant.items():
            if f"{name}.".startswith(f"{own}.") and repr(arrived.get(name)) != repr(of_value):
                raise ValueError(f"{of_value!r} arrives as {arrived.get(name)!r} {remedy}")

    def points(self) -> Iterator[dict[str, Any]]:
        """Return all points of a grid or a random search, in order."""
        return points(self.sweep, self.options.seed, self.options.count)

    def trials(self, begin: int = 0) -> Iterator[Trial]:
        """Yield the trials of a grid or a random search after the first `begin`."""
        for number, point in islice(enumerate(self.points(), start=1), begin, None):
            yield self.trial(point, number)

    def begun(self) -> list[dict[str, Any]]:
        """Return the points of an earlier launch, in the order in which their trials began."""
        group = self.options.root / self.parse({}).run.group
        files = group.glob("*/parameters.json")
        by_time = sorted(files, key=lambda file: (file.stat().st_mtime, file.parent.name))
        begun = []
        for file in by_time:
            try:
                point = read_json(file)
                if point.keys() == self.sweep.parameters.keys():
                    begun += [point] if self.trial(point, 0).id == file.parent.name else []
            except (OSError, ValueError, AttributeError):  # another sweep's, or not a point
                continue
        return begun

    def preview_of(self, trial: Trial) -> preview.RunPreview:
        """Return the cost of what a trial will train.

        Raises:
            ValueError: It cannot be trained, in one line that names the flag.
        """
        return preview.preview(self.configs[trial.id], trial.arguments)

    def check(self, trial: Trial) -> None:
        """Check a trial without building its network.

        Raises:
            ValueError: It cannot be trained, in one line that names the flag.
        """
        preview.check(self.configs[trial.id], trial.arguments)


def _as_json(point: Mapping[str, Any]) -> Any:
    """Return the configuration of a point that is passed as JSON alone.

    Raises:
        ValueError: `fit` does not accept it.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(point, file)
        file.flush()
        return preview.parse([f"--config={file.name}"])


def check_rates(sweep: Sweep, options: Options) -> None:
    """Raise ValueError if the sweep or a further flag sets the learning rate besides `--rates`."""
    name = RATE.removeprefix("--")
    if any(".".join(parameter.path) == name for parameter in flat(sweep.parameters)):
        raise ValueError(f"--rates: the sweep sets {name} for each trial")
    if any(word.split("=")[0] == RATE for word in options.extra):
        raise ValueError(f"--rates: {RATE} after -- sets another rate")


def rate_of(config: Any, rates: Rates | None) -> float | None:
    """Return the learning rate chosen for the arm of a configuration; None without one."""
    if rates is None:
        return None
    same_recipe = recipes.choose(**vars(config.recipe)).name == rates.recipe
    if not same_recipe or config.weights.name != rates.began_with:
        return None
    return rates.of_arm.get(run_name(config))


def run_name(config: Any) -> str:
    """Return the name of the arm under which a configuration's run is recorded."""
    chosen = {
        key: value
        for key, value in vars(config.model).items()
        if value is not None and key not in preview.LINKED
    }
    return arms.arm_name(arms.choose(**vars(config.scaling)), chosen)


def make_source(planner: Planner, trials: Sequence[Trial]) -> Source:
    """Return the launcher's source: the checked trials and those after them, or proposals."""
    sweep, options = planner.sweep, planner.options
    if sweep.method != "bayes":
        more = planner.trials(begin=MOST_CHECKED) if len(trials) == MOST_CHECKED else ()
        return Listed(chain(trials, more))
    count = min(n for n in (options.count, sweep.run_cap) if n is not None)
    proposals = Proposals(sweep.parameters, sweep.metric or {}, options.seed)
    return Proposed(proposals, planner.trial, planner.begun(), count)


def share_machine(workers: int | None, trials: int | None) -> list[Share]:
    """Return one share of the machine for each trial that runs at a time: a GPU, or cores.

    Args:
        workers: Trials at a time; None for one per GPU, or per core as far as the memory goes.
        trials: Number of trials, where it is known.
    """
    cores = len(available_cores())
    named = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    every = [str(index) for index in range(torch.cuda.device_count())]
    gpus = [gpu for gpu in named if gpu and every] or every
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    most = len(gpus) or min(cores, max(1, memory // MEMORY_OF_A_TRIAL))
    count = workers or min(most, trials or most)
    return [
        Share(
            max(1, min(cores // count, int(os.environ.get("OMP_NUM_THREADS", cores)))),
            {"CUDA_VISIBLE_DEVICES": gpus[index % len(gpus)]} if gpus else {},
        )
        for index in range(count)
    ]
