"""Preview the run of a command line of `fit` without loading data or training."""

from collections.abc import Sequence
from dataclasses import MISSING, asdict, dataclass, fields, replace
from functools import cache
from typing import Any

import torch
import yaml
from jsonargparse import ArgumentError

from lit_effnet.cli.errors import name_flag
from lit_effnet.cli.parser_messages import explain
from lit_effnet.data.catalog import CATALOG
from lit_effnet.data.images import ImageData
from lit_effnet.experiment.factories import baseline_on, network_of, preprocessing
from lit_effnet.experiment.lightning_cli import Experiment
from lit_effnet.experiment.options import check_run, check_seed, check_trainer
from lit_effnet.metrics.classification import classification_metrics
from lit_effnet.network import weight_sources
from lit_effnet.network.arm_cost import residual_of, settled
from lit_effnet.network.complexity import complexity
from lit_effnet.network.weights import Weights
from lit_effnet.runs.provenance import config_hash
from lit_effnet.scaling import arms
from lit_effnet.scaling.arms import Arm
from lit_effnet.scaling.compound import Scaling
from lit_effnet.scaling.cost import Complexity
from lit_effnet.training import recipe as recipes
from lit_effnet.training.classifier import check_optimizer
from lit_effnet.training.recipe import Recipe, accumulation


@dataclass(frozen=True)
class RunPreview:
    """Scaling and cost of a run.

    Args:
        arm: Name of the arm.
        scaling: Multipliers relative to B0.
        image_size: Side of the input in pixels.
        complexity: Cost of one image, counted on the network.
        baseline: Cost of the unscaled network; None for a network that is not scaled.
        residual: Relative difference between the arm's cost and its budget; None without a budget.
        twin: Equal for runs that train the same network with the same recipe on the same data.
    """

    arm: str
    scaling: Scaling
    image_size: int
    complexity: Complexity
    baseline: Complexity | None
    residual: float | None
    twin: str


class _ParserOnly(Experiment):
    """The parser of an experiment, which builds nothing."""

    def before_instantiate_classes(self) -> None:
        """Leave the parsed configuration unchanged."""

    def instantiate_classes(self) -> None:
        """Build nothing."""

    def _set_seed(self) -> None:
        """Leave the random number generators unchanged."""


@cache
def _parser() -> Any:
    parser: Any = _ParserOnly([], prog="fit").parser
    parser.exit_on_error = False
    defaults = parser.get_defaults(skip_validation=True)
    # The parser is complete; without this, each parsing would collect the defaults again.
    parser.get_defaults = lambda **_: defaults.clone()
    return parser


def parse(arguments: Sequence[str]) -> Any:
    """Return the configuration of a command line of `fit`.

    Raises:
        ValueError: the parser refuses it; the message is one line that names the flag.
    """
    parser = _parser()
    parser.arguments = list(arguments)
    try:
        return parser.parse_args(list(arguments))
    except ArgumentError as error:
        raise ValueError(explain(str(error), parser.keys(), list(arguments))) from None


def keys() -> list[str]:
    """Return the names of all flags."""
    return list(_parser().keys())


def linked() -> frozenset[str]:
    """Return the names of the arguments that are derived from flags."""
    return frozenset(_parser().linked)


def identity(config: Any) -> str:
    """Return the hash of scaling, recipe, network, data, trainer and seed.

    Spelling does not matter: `depth=1.5` equals `depth=1.50`, and an explicit default equals none.
    Defaults are left out, so that a new option changes no identity, and so are options that change
    no number.

    Raises:
        ValueError: An arm or recipe is unknown; the message is one line that names the flag.
    """
    try:
        return config_hash(_identifying(config))
    except ValueError as error:
        raise ValueError(name_flag(str(error), keys(), ())) from None


def _identifying(config: Any) -> dict[str, Any]:
    """Return the settings that identify a run."""
    explicit = _explicit(config)
    return {
        "seed": config.seed_everything,
        "arm": _not_default(arms.choose(**vars(config.scaling)), "name", "properties"),
        "recipe": _not_default(recipes.choose(**vars(config.recipe))),
        "weights": config.weights.name,
        "model": explicit.get("model", {}),
        "data": _without(explicit.get("data", {}), "num_workers", "keep_decoded"),
        "trainer": _without(explicit.get("trainer", {}), *SHOWN_ONLY),
        "asked": {key: value for key, value in explicit.get("run", {}).items() if key in ASKED},
    }


# Dumping takes long, and the trials of a sweep mostly differ in other sections.
_DUMPED_SECTIONS = ("model", "data", "trainer", "run")
_dumped: dict[str, dict[str, Any]] = {}


def _explicit(config: Any) -> dict[str, Any]:
    """Return the explicitly set values of those sections; defaults are dropped."""
    key = str([_without(vars(getattr(config, name)), "seed") for name in _DUMPED_SECTIONS])
    if key not in _dumped:
        text = _parser().dump(config, skip_default=True, skip_unset=False, format="yaml")
        explicit: dict[str, Any] = yaml.safe_load(text) or {}
        _dumped[key] = {name: explicit[name] for name in _DUMPED_SECTIONS if name in explicit}
    return _dumped[key]


# Options of the trainer that only decide what is shown.
SHOWN_ONLY = ("enable_progress_bar", "enable_model_summary", "log_every_n_steps", "logger")

# Options of the run that decide what is measured.
ASKED = ("test", "latency", "noise")


def _not_default(settings: Any, *without: str) -> dict[str, Any]:
    """Return the fields of a dataclass that do not have their default value."""
    defaults = {f.name: f.default for f in fields(settings) if f.default is not MISSING}
    values = asdict(settings)
    return {
        key: value
        for key, value in values.items()
        if key not in without and not (key in defaults and value == defaults[key])
    }


def _without(options: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key not in names}


SCORES = ("train/loss", "val/loss", *classification_metrics(2, "val/"))


def metrics(config: Any) -> list[str]:
    """Return the names of the metrics that a run logs after each epoch."""
    trainer, recipe = config.trainer, recipes.choose(**vars(config.recipe))
    if trainer.barebones:
        return []
    averaged = ["val/top1_raw"] if recipe.ema_decay else []
    logged = [*SCORES, *averaged]
    return logged if trainer.limit_val_batches != 0 else logged[:1]


def times_logged(config: Any, metric: str) -> int | None:
    """Return how often a run logs a metric; None where the number of epochs needs the data."""
    trainer, recipe = config.trainer, recipes.choose(**vars(config.recipe))
    if trainer.max_epochs is None and recipe.steps is not None:
        return None
    epochs: int = trainer.max_epochs or recipe.epochs
    return epochs // (trainer.check_val_every_n_epoch or 1) if "val/" in metric else epochs


def preview(config: Any, arguments: Sequence[str] = ()) -> RunPreview:
    """Return scaling and cost of a run; its network is built on torch's meta device.

    Args:
        config: The configuration.
        arguments: The command line, for messages.

    Raises:
        ValueError: the run cannot begin; the message is one line that names the flag.
    """
    try:
        return _preview(config)
    except ValueError as error:
        raise ValueError(name_flag(str(error), keys(), arguments)) from None


# By configuration without the random seed, in which alone the repeats of an arm differ.
_previews: dict[str, RunPreview] = {}


def check(config: Any, arguments: Sequence[str] = ()) -> None:
    """Check a configuration as `preview` does, without its network and ten times as fast.

    Raises:
        ValueError: as `preview`.
    """
    try:
        _before_network(config, _without(vars(config.data), "seed"))
    except ValueError as error:
        raise ValueError(name_flag(str(error), keys(), arguments)) from None


def _preview(config: Any) -> RunPreview:
    check_seed(config.seed_everything)
    check_trainer(config.trainer)
    check_run(config)
    _check_images(config)
    sections = ("scaling", "model", "recipe", "weights", "data")
    data = _without(vars(config.data), "seed")
    key = str([vars(getattr(config, name)) for name in sections[:-1]] + [data])
    if key not in _previews:
        _previews[key] = _count_network(config, data)
    # Flags that give the same network count as equal; the rest is compared as in `identity`.
    plain = {**_identifying(config), "arm": _default_arm(), "model": {}}
    return replace(
        _previews[key], twin=config_hash({"all": (_previews[key].twin, config_hash(plain))})
    )


def _check_images(config: Any) -> None:
    """Raise ValueError for a batch or a split that the data set does not have, by the catalog."""
    data, global_batch = config.data, config.recipe.global_batch
    if data.batch_size > 0:
        accumulation(global_batch, 1, batch_size=data.batch_size, processes=1)
    entry = CATALOG.get(str(data.name))
    if entry is None or data.path is not None:
        return
    if config.run.test and "test" not in entry.splits:
        raise ValueError(f"run.test true: {data.name} has only {', '.join(entry.splits)}")
    images = entry.splits["train"].images
    for name, batch in (("recipe.global_batch", global_batch), ("batch_size", data.batch_size)):
        if batch is not None and batch > images:
            raise ValueError(f"{name} {batch}: must be at most {images:,}, the training images")


@cache
def _default_arm() -> dict[str, Any]:
    return _not_default(arms.choose(**vars(_parser().get_defaults().scaling)), "name")


# These do not change the network, and building it takes as long as parsing ten trials.
OF_THE_OPTIMIZER = ("learning_rate", "weight_decay", "momentum", "warmup_epochs", "ema_decay")
_networks: dict[str, tuple[Complexity, str]] = {}


def _before_network(
    config: Any, data_options: dict[str, Any]
) -> tuple[Recipe, Arm, Weights, ImageData, Scaling]:
    """Return recipe, arm, weights, data and scaling, which the network is built from."""
    check_seed(config.seed_everything)
    check_trainer(config.trainer)
    recipe = recipes.choose(**vars(config.recipe))
    check_optimizer(recipe.optimizer)
    arm = arms.choose(**vars(config.scaling))
    weights = weight_sources.without_download(config.weights.name)
    data = _data(tuple(sorted(data_options.items())), preprocessing(weights, arm))
    return recipe, arm, weights, data, settled(arm, data.base_image_size, data.num_classes)


def _count_network(config: Any, data_options: dict[str, Any]) -> RunPreview:
    recipe, arm, weights, data, scaling = _before_network(config, data_options)
    size = scaling.image_size(data.base_image_size)
    model = {key: value for key, value in vars(config.model).items() if key not in LINKED}
    of_network = _without(vars(config.recipe), *OF_THE_OPTIMIZER)
    key = str((scaling, size, weights, data.num_classes, of_network, model))
    if key not in _networks:
        with torch.device("meta"):
            network = network_of(scaling, recipe, weights, data.num_classes, **model)
            _networks[key] = complexity(network, size), config_hash({"all": (str(network), size)})
    cost, twin = _networks[key]
    baseline, residual = baseline_on(arm, data), None
    if arm.budget is not None and baseline is not None:
        residual = residual_of(arm.budget, cost, baseline)
    return RunPreview(
        arm=arm.name,
        scaling=scaling,
        image_size=size,
        complexity=cost,
        baseline=baseline,
        residual=residual,
        twin=twin,
    )


# Arguments of the network that `Experiment` links to other groups.
LINKED = ("scaling", "recipe", "weights", "num_classes", "batch_size")


@cache
def _data(settings: tuple[tuple[str, Any], ...], prepared: Any) -> ImageData:
    return ImageData(**dict(settings), preprocessing=prepared)
