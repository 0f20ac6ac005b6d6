"""The trials of a sweep: what each runs, where they come from, and what of the machine they get."""

import json
import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import torch

from lit_effnet.cli.parser import usual_setting
from lit_effnet.experiment import preview as outlook
from lit_effnet.experiment.config_composer import Composer
from lit_effnet.experiment.preview import RunPreview
from lit_effnet.results.stats.learning_rates import Rates
from lit_effnet.runs.documents import read_json
from lit_effnet.runs.folder import RunFolder
from lit_effnet.runs.machine import available_cores
from lit_effnet.scaling import arms
from lit_effnet.training import recipe as recipes
from lit_effnet.trials.bayes import Proposals
from lit_effnet.trials.command import PARAMETERS_AS
from lit_effnet.trials.distributions import Parameter, flat, nested
from lit_effnet.trials.launch import Source
from lit_effnet.trials.plan import Trial, arguments_of, arm_of, points, varied
from lit_effnet.trials.process import Share
from lit_effnet.trials.source import Listed, Proposed
from lit_effnet.trials.sweep_file import SEED, Sweep

MODULE = "lit_effnet.fit"
PRELOADED = (MODULE, "lit_effnet.orchestration.preload")  # before trials are forked
RATE = "--recipe.learning_rate"

# Macros that write values into flags as Python prints them, and the flag that has to be one.
TEXTS = tuple(f"${{{name}}}" for name in PARAMETERS_AS if name != "args_json")
CONFIG = "config"

MEMORY_OF_A_TRIAL = 2 * 10**9  # bytes; a small one takes half of it

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
        rates: Learning rates that were chosen; what they do not know keeps the recipe's.
        repeats: How many random seeds each arm has; null for those of the file.
    """

    root: Path = Path("runs")
    seed: int = 0
    count: int | None = None
    extra: tuple[str, ...] = ()
    rates: Rates = field(default_factory=Rates)
    repeats: int | None = None


class Planner:
    """Makes the trials of one sweep.

    Args:
        sweep: The sweep file.
        options: How it is run.
    """

    def __init__(self, sweep: Sweep, options: Options) -> None:
        self.sweep, self.options = sweep, options
        if options.rates.of_arm:
            check_rates(sweep, options)
        self.varied = varied(sweep)
        self.configs: dict[str, Any] = {}
        self.rates: dict[str, float | None] = {}  # of the arms of its trials
        self.composer = Composer(self.parse, sweep.parameters, outlook.linked())

    def trial(self, point: Mapping[str, Any], number: int) -> Trial:
        """The trial of a point.

        Raises:
            ValueError: `fit` does not take its arguments.
        """
        config = self.composer.config(point)
        arm = arm_of(self.varied, point)
        rate = rate_of(config, self.options.rates)
        rated = [] if rate is None else [f"{RATE}={rate!r}"]
        if rated:
            config = self.parse(point, *rated)
        self.rates[arm] = rate
        trial_id = outlook.identity(config)
        self.configs[trial_id] = config
        folder = RunFolder(self.options.root / config.run.group / trial_id)
        trial = Trial(number, trial_id, point, (), folder, arm, point.get(SEED))
        arguments = (
            *self.arguments(point, trial.parameters_file),
            *rated,
            f"--run.root={self.options.root}",
            f"--run.id={trial_id}",
        )
        return replace(trial, arguments=arguments)

    def arguments(self, point: Mapping[str, Any], file: Path) -> list[str]:
        """What `fit` is called with for a point that `file` holds."""
        words = arguments_of(self.sweep, point, file, os.environ)
        said = {word.split("=")[0] for word in (*words, *self.options.extra)}
        if "--run.group" not in said:
            words.append(f"--run.group={self.sweep.name}")
        said |= {f"--{name}" for name in self.sweep.parameters}
        if "project" in self.sweep.config and "--run.project" not in said:
            words.append(f"--run.project={self.sweep.config['project']}")
        return [*map(usual_setting, words), *self.options.extra]

    def parse(self, point: Mapping[str, Any], *more: str) -> Any:
        """The configuration of a point, and of further flags.

        Raises:
            ValueError: `fit` does not take its arguments.
        """
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "parameters.json"
            file.write_text(json.dumps(point), encoding="utf-8")
            try:
                return outlook.parse([*self.arguments(point, file), *more])
            except ValueError as error:
                # Its key is in the sweep file, whichever file brings it to `fit`.
                brought = rf" in (?:\S+ or )*{re.escape(str(file))}"
                told = re.sub(rf"{re.escape(str(file))}:(\d+: )?", "", str(error))
                raise ValueError(re.sub(brought, "", told)) from None

    def check_passing(self, parameter: Parameter, value: Any) -> None:
        """Check that a parameter's value arrives as itself, whichever macro passes it on.

        Raises:
            ValueError: as a flag it is read as something else: None as a word, say.
        """
        macro = next((word for word in map(str, self.sweep.command) if word in TEXTS), None)
        if macro is None or parameter.path == (CONFIG,):
            return
        point, own = nested({parameter.path: value}), ".".join(parameter.path)
        remedy = f"through {macro}; ${{args_json_file}} passes it as it is"
        if value is None:
            raise ValueError(f"null arrives as the word None {remedy}")
        try:
            meant = _as_json(point)
        except ValueError:
            return  # it is none for any macro, and the parser says why
        try:
            arrived = self.parse(point)
        except ValueError as error:
            raise ValueError(f"{value!r} does not arrive {remedy}") from error
        for name, of_value in meant.items():
            if f"{name}.".startswith(f"{own}.") and repr(arrived.get(name)) != repr(of_value):
                raise ValueError(f"{of_value!r} arrives as {arrived.get(name)!r} {remedy}")

    def points(self) -> Iterator[dict[str, Any]]:
        """All points of a grid or a random search, in their order."""
        return points(self.sweep, self.options.seed, self.options.count)

    def trials(self, begin: int = 0) -> Iterator[Trial]:
        """The trials of a grid or a random search after the first `begin`."""
        for number, point in islice(enumerate(self.points(), start=1), begin, None):
            yield self.trial(point, number)

    def begun(self) -> list[dict[str, Any]]:
        """The points of an earlier launch, in the order in which their trials began."""
        group = self.options.root / self.parse({}).run.group
        files = group.glob("*/parameters.json")
        by_time = sorted(files, key=lambda file: (file.stat().st_mtime, file.parent.name))
        found = []
        for file in by_time:
            try:
                point = read_json(file)
                if point.keys() == self.sweep.parameters.keys():
                    found += [point] if self.trial(point, 0).id == file.parent.name else []
            except (OSError, ValueError, AttributeError):  # another sweep's, or no point at all
                continue
        return found

    def outlook(self, trial: Trial) -> RunPreview:
        """What the trial will train.

        Raises:
            ValueError: it cannot be trained.
        """
        return outlook.preview(self.configs[trial.id], trial.arguments)

    def check(self, trial: Trial) -> None:
        """Check a trial without building its network.

        Raises:
            ValueError: it cannot be trained.
        """
        outlook.check(self.configs[trial.id], trial.arguments)


def _as_json(point: Mapping[str, Any]) -> Any:
    """The configuration that a point gives as JSON, and nothing else.

    Raises:
        ValueError: `fit` does not take it.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(point, file)
        file.flush()
        return outlook.parse([f"--config={file.name}"])


def check_rates(sweep: Sweep, options: Options) -> None:
    """Raise ValueError where a sweep or a person sets the learning rate that was chosen already."""
    name = RATE.removeprefix("--")
    if any(".".join(parameter.path) == name for parameter in flat(sweep.parameters)):
        raise ValueError(f"--rates: the sweep sets {name} for each trial")
    if any(word.split("=")[0] == RATE for word in options.extra):
        raise ValueError(f"--rates: {RATE} after -- says another rate")


def rate_of(config: Any, rates: Rates) -> float | None:
    """The learning rate that was chosen for the arm of a configuration; null for none."""
    if not rates.of_arm:
        return None
    alike = recipes.choose(**vars(config.recipe)).name == rates.recipe
    if not alike or config.weights.name != rates.began_with:
        return None
    return rates.of_arm.get(run_name(config))


def run_name(config: Any) -> str:
    """The name that the run of a configuration gives its arm."""
    chosen = {
        key: value
        for key, value in vars(config.model).items()
        if value is not None and key not in outlook.LINKED
    }
    return arms.arm_name(arms.choose(**vars(config.scaling)), chosen)


def make_source(planner: Planner, trials: Sequence[Trial]) -> Source:
    """Where the launcher takes trials from: those that were looked at and on, or proposals."""
    sweep, options = planner.sweep, planner.options
    if sweep.method != "bayes":
        more = planner.trials(begin=MOST_CHECKED) if len(trials) == MOST_CHECKED else ()
        return Listed(chain(trials, more))
    count = min(n for n in (options.count, sweep.run_cap) if n is not None)
    proposals = Proposals(sweep.parameters, sweep.metric or {}, options.seed)
    return Proposed(proposals, planner.trial, planner.begun(), count)


def share_machine(workers: int | None, trials: int | None) -> list[Share]:
    """What each of the trials gets that may run at a time: a GPU, or cores and nothing else."""
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
