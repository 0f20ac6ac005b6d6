"""What a command line of `fit` comes to, without its data being loaded or anything trained."""

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
from lit_effnet.experiment.lightning_cli import Experiment, check_run, check_seed, check_trainer
from lit_effnet.metrics.classification import classification_metrics
from lit_effnet.network import weight_sources as released
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
class Outlook:
    """What a run will be.

    Args:
        arm: The arm's name.
        scaling: Multipliers relative to B0.
        image_size: Side of the input in pixels.
        complexity: Cost of one image, counted on the network.
        baseline: Cost of what the arm scales; null for a network that is not scaled.
        residual: By which part the arm misses its budget; null without one.
        twin: Equal for runs that train the same network by the same recipe on the same data.
    """

    arm: str
    scaling: Scaling
    image_size: int
    complexity: Complexity
    baseline: Complexity | None
    residual: float | None
    twin: str


class _Parsing(Experiment):
    """An experiment's parser, without the experiment."""

    def before_instantiate_classes(self) -> None:
        """Leave the configuration as it was parsed."""

    def instantiate_classes(self) -> None:
        """Build nothing."""

    def _set_seed(self) -> None:
        """Draw nothing either."""


@cache
def _parser() -> Any:
    parser: Any = _Parsing([], prog="fit", description=None).parser
    parser.exit_on_error = False
    usual = parser.get_defaults(skip_validation=True)
    # Nothing is added to this parser any more, and each parsing would gather them anew.
    parser.get_defaults = lambda **_: usual.clone()
    return parser


def parse(arguments: Sequence[str]) -> Any:
    """The configuration that the arguments of `fit` give.

    Raises:
        ValueError: they give none, in one line that names the flag.
    """
    parser = _parser()
    parser.arguments = list(arguments)
    try:
        return parser.parse_args(list(arguments))
    except ArgumentError as error:
        raise ValueError(explain(str(error), parser.keys(), list(arguments))) from None


def keys() -> list[str]:
    """The names of all flags."""
    return list(_parser().keys())


def linked() -> frozenset[str]:
    """The names of what follows from flags, and is no flag."""
    return frozenset(_parser().linked)


def identity(config: Any) -> str:
    """Hash of what the flags come to: scaling, recipe, network, data, trainer and random seed.

    However they are said: `depth=1.5` and `depth=1.50` are one arm, a recipe's own learning rate
    is the same as none. What is as `fit` has it by itself is left out, so that an option that is
    new changes no identity; so is what changes no number.

    Raises:
        ValueError: an arm or a recipe that there is not, in one line that names the flag.
    """
    try:
        return config_hash(_told(config))
    except ValueError as error:
        raise ValueError(name_flag(str(error), keys(), ())) from None


def _told(config: Any) -> dict[str, Any]:
    """What the identity is the hash of."""
    given = _given(config)
    return {
        "seed": config.seed_everything,
        "arm": _changed(arms.choose(**vars(config.scaling)), "name"),
        "recipe": _changed(recipes.choose(**vars(config.recipe))),
        "weights": config.weights.name,
        "model": given.get("model", {}),
        "data": _without(given.get("data", {}), "num_workers", "keep_decoded"),
        "trainer": _without(given.get("trainer", {}), *SHOWN_ONLY),
        "asked": {key: value for key, value in given.get("run", {}).items() if key in ASKED},
    }


# Trials of a sweep differ mostly in what is not among these, and writing them takes long.
_WRITTEN = ("model", "data", "trainer", "run")
_dumped: dict[str, dict[str, Any]] = {}


def _given(config: Any) -> dict[str, Any]:
    """Those sections that are told as they are given, without what is as it is by itself."""
    key = str([_without(vars(getattr(config, name)), "seed") for name in _WRITTEN])
    if key not in _dumped:
        text = _parser().dump(config, skip_default=True, skip_unset=False, format="yaml")
        given: dict[str, Any] = yaml.safe_load(text) or {}
        _dumped[key] = {name: given[name] for name in _WRITTEN if name in given}
    return _dumped[key]


# Of the trainer's options those that decide about what is shown.
SHOWN_ONLY = ("enable_progress_bar", "enable_model_summary", "log_every_n_steps", "logger")

# Of the run's options those that decide about what is measured.
ASKED = ("test", "latency", "noise")


def _changed(settings: Any, *without: str) -> dict[str, Any]:
    """A dataclass as a mapping, without what is as it is by itself."""
    usual = {f.name: f.default for f in fields(settings) if f.default is not MISSING}
    values = asdict(settings)
    return {
        key: value
        for key, value in values.items()
        if key not in without and not (key in usual and value == usual[key])
    }


def _without(options: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in options.items() if key not in names}


SCORES = ("train/loss", "val/loss", *classification_metrics(2, "val/"))


def metrics(config: Any) -> list[str]:
    """What the run of a configuration logs after each epoch."""
    trainer, recipe = config.trainer, recipes.choose(**vars(config.recipe))
    if trainer.barebones:
        return []
    averaged = ["val/top1_raw"] if recipe.ema_decay else []
    logged = [*SCORES, *averaged]
    return logged if trainer.limit_val_batches != 0 else logged[:1]


def times_logged(config: Any, metric: str) -> int | None:
    """How often a run logs a metric; None where its epochs follow from the data."""
    trainer, recipe = config.trainer, recipes.choose(**vars(config.recipe))
    if trainer.max_epochs is None and recipe.steps is not None:
        return None
    epochs: int = trainer.max_epochs or recipe.epochs
    return epochs // (trainer.check_val_every_n_epoch or 1) if "val/" in metric else epochs


def outlook(config: Any, arguments: Sequence[str] = ()) -> Outlook:
    """What the run of a configuration will be; its network is built without memory.

    Args:
        config: The configuration.
        arguments: What was typed, for messages.

    Raises:
        ValueError: it cannot be run, in one line that names the flag.
    """
    try:
        return _outlook(config)
    except ValueError as error:
        raise ValueError(name_flag(str(error), keys(), arguments)) from None


# Repeats of an arm differ in their random seed, which changes nothing here.
_known: dict[str, Outlook] = {}


def check(config: Any, arguments: Sequence[str] = ()) -> None:
    """Check a configuration as `outlook` does, but for its network, in a tenth of the time.

    Raises:
        ValueError: As of `outlook`.
    """
    try:
        _settle(config, _without(vars(config.data), "seed"))
    except ValueError as error:
        raise ValueError(name_flag(str(error), keys(), arguments)) from None


def _outlook(config: Any) -> Outlook:
    check_seed(config.seed_everything)
    check_trainer(config.trainer)
    check_run(config)
    _check_images(config)
    sections = ("scaling", "model", "recipe", "weights", "data")
    data = _without(vars(config.data), "seed")
    key = str([vars(getattr(config, name)) for name in sections[:-1]] + [data])
    if key not in _known:
        _known[key] = _built(config, data)
    # The same network by other flags is the same; all else is as for the identity.
    plain = {**_told(config), "arm": _usual_arm(), "model": {}}
    return replace(_known[key], twin=config_hash({"all": (_known[key].twin, config_hash(plain))}))


def _check_images(config: Any) -> None:
    """Raise ValueError for batches, or a test split, that the data set officially does not have."""
    data, global_batch = config.data, config.recipe.global_batch
    if data.batch_size > 0:
        accumulation(global_batch, 1, data.batch_size, 1)  # what no number of devices makes good
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
def _usual_arm() -> dict[str, Any]:
    return _changed(arms.choose(**vars(_parser().get_defaults().scaling)), "name")


# A search over these has one network; to build it takes as long as the parsing of ten trials.
OF_THE_OPTIMIZER = ("learning_rate", "weight_decay", "momentum", "warmup_epochs", "ema_decay")
_networks: dict[str, tuple[Complexity, str]] = {}


def _settle(
    config: Any, data_options: dict[str, Any]
) -> tuple[Recipe, Arm, Weights, ImageData, Scaling]:
    """What the flags come to before the network is built."""
    check_seed(config.seed_everything)
    check_trainer(config.trainer)
    recipe = recipes.choose(**vars(config.recipe))
    check_optimizer(recipe.optimizer)
    arm = arms.choose(**vars(config.scaling))
    weights = released.expected(config.weights.name)
    data = _data(tuple(sorted(data_options.items())), preprocessing(weights, arm))
    return recipe, arm, weights, data, settled(arm, data.base_image_size, data.num_classes)


def _built(config: Any, data_options: dict[str, Any]) -> Outlook:
    recipe, arm, weights, data, scaling = _settle(config, data_options)
    size = scaling.image_size(data.base_image_size)
    model = {key: value for key, value in vars(config.model).items() if key not in LINKED}
    of_network = _without(vars(config.recipe), *OF_THE_OPTIMIZER)
    key = str((scaling, size, weights, data.num_classes, of_network, model))
    if key not in _networks:
        with torch.device("meta"):
            network = network_of(scaling, recipe, weights, data.num_classes, **model)
            _networks[key] = complexity(network, size), config_hash({"all": (str(network), size)})
    here, twin = _networks[key]
    baseline, residual = baseline_on(arm, data), None
    if arm.budget is not None and baseline is not None:
        residual = residual_of(arm.budget, here, baseline)
    return Outlook(arm.name, scaling, size, here, baseline, residual, twin)


# What `Experiment` fills in from other groups.
LINKED = ("scaling", "recipe", "weights", "num_classes", "batch_size")


@cache
def _data(settings: tuple[tuple[str, Any], ...], prepared: Any) -> ImageData:
    return ImageData(**dict(settings), preprocessing=prepared)
