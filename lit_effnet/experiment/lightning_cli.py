"""An experiment: one complete configuration, parsed and built by LightningCLI.

Groups of flags: `scaling`, `model`, `data`, `recipe`, `trainer`, `run`. `--scaling` moves the
network and the image size together; `--recipe` decides about optimiser, regularisation,
augmentation, epochs and precision.
"""

import os
import re
import warnings
from ast import literal_eval
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import class_from_function, set_parsing_settings
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.accelerators import AcceleratorRegistry
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.strategies import StrategyRegistry
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from lit_effnet.cli.errors import fail
from lit_effnet.cli.output import quiet_libraries
from lit_effnet.cli.parser import OneLineErrors
from lit_effnet.data.corruptions.noise import GaussianNoise
from lit_effnet.data.images import ImageData
from lit_effnet.experiment.factories import (
    augmentation,
    classifier,
    preprocessing,
    resolution,
    scaling_on,
)
from lit_effnet.network import weight_sources as released
from lit_effnet.network.weights import Weights
from lit_effnet.runs.names import check_folder_name
from lit_effnet.scaling import arms
from lit_effnet.scaling.arms import Arm
from lit_effnet.scaling.compound import Scaling
from lit_effnet.training import recipe as recipes
from lit_effnet.training.checkpoints import WholeCheckpointIO
from lit_effnet.training.classifier import LitClassifier
from lit_effnet.training.distributed.batch_norm import (
    SynchronisedBatchNorm,
    check_batch,
    check_synchronised_on_cpu,
)
from lit_effnet.training.distributed.strategy import (
    COLLECTIVE_TIMEOUT_S,
    cluster_plugins,
    finds_unused,
    strategy_for,
)
from lit_effnet.training.precision import choose_precision
from lit_effnet.training.recipe import Recipe, accumulation, epochs_of
from lit_effnet.training.wandb_logging import Mode, check_timeout

NOT_IN_PROJECTS, LONGEST_PROJECT = "/\\#?%:", 128  # W&B's rule for a project's name


@dataclass(frozen=True)
class RunOptions:
    """Where the run is recorded.

    Args:
        root: Folder of all run folders; a path, or the URL of a store (s3://BUCKET/runs).
        group: Folder of the run's group; the experiment file's name if null, else the data set's.
        id: Name of the run folder; W&B's run id if null, else made of the time.
        wandb: online, offline or disabled; auto is online with a key and offline without.
        project: W&B's project; WANDB_PROJECT if null, else lit_effnet.
        test: Evaluate the final weights on the test split, once, at the end.
        latency: Measure the network's latency at batch 1 before the training.
        noise: Levels (sigma, of pixels from 0 to 1) of Gaussian noise under which the final weights
            are evaluated on the validation split; made at the image size of resolution 1.
        wandb_timeout: Seconds that W&B's server may take to answer at the start, after which W&B
            records offline, and at the end to take all values, after which a line says how to
            send the rest.
        stall_timeout: Seconds without a batch after which a training of several processes has
            come to a standstill, and ends.
    """

    root: str = "runs"
    group: str | None = None
    id: str | None = None
    wandb: Mode = "auto"
    project: str | None = None
    test: bool = False
    latency: bool = False
    noise: list[float] | None = None
    wandb_timeout: float = 60.0
    stall_timeout: float = 600.0


class Parser(OneLineErrors, LightningArgumentParser):
    """Lightning's parser with one-line errors."""

    linked: tuple[str, ...] = ()

    def keys(self) -> list[str]:
        """The names of the arguments that a person can set; others follow from them."""
        return [key for key in super().keys() if key not in self.linked]  # noqa: SIM118


class Experiment(LightningCLI):
    """LightningCLI without subcommands; network and data are built, the trainer on request.

    Bad input ends the process with one line that names the flag, and exit status 2.
    """

    parser: Parser
    arm: Arm
    scaling: Scaling
    recipe: Recipe
    weights: Weights
    loaded: str | None = None
    epoch_steps: int = 0  # not known before the data are
    processes: int = 1
    model: LitClassifier
    datamodule: ImageData

    def __init__(self, arguments: list[str], prog: str, description: str | None) -> None:
        # A run in a store goes on under the configuration that lies there.
        set_parsing_settings(config_read_mode_fsspec_enabled=True)
        super().__init__(
            classifier,
            ImageData,
            save_config_callback=None,
            seed_everything_default=0,
            parser_kwargs={"prog": prog, "description": description},
            parser_class=Parser,
            trainer_defaults={
                "enable_model_summary": False,
                "log_every_n_steps": 1,  # everything is logged by epoch
                "num_sanity_val_steps": 0,
            },
            args=arguments,
            run=False,
            auto_configure_optimizers=False,
            load_from_checkpoint_support=False,
        )

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        """The groups beside Lightning's, and what follows what."""
        parser.add_class_arguments(class_from_function(arms.choose, name="ScalingFlags"), "scaling")
        parser.add_class_arguments(
            class_from_function(recipes.choose, name="RecipeFlags"), "recipe"
        )
        parser.add_class_arguments(
            class_from_function(released.choose, name="WeightsFlags"), "weights"
        )
        parser.add_class_arguments(RunOptions, "run")
        parser.add_argument(
            "--resume", type=str | None, help="Run folder to go on with; takes no other flag."
        )
        links: tuple[tuple[str | tuple[str, ...], str, Any], ...] = (
            (("scaling", "data"), "model.scaling", scaling_on),
            ("scaling", "data.resolution", resolution),
            ("recipe", "model.recipe", None),
            ("weights", "model.weights", None),
            (("weights", "scaling"), "data.preprocessing", preprocessing),
            ("recipe", "data.augment", augmentation),
            ("data.num_classes", "model.num_classes", None),
            ("data.batch_size", "model.batch_size", None),
        )
        for source, target, compute in links:
            parser.link_arguments(source, target, compute_fn=compute, apply_on="instantiate")
        settings = (
            ("seed_everything", "data.seed"),
            ("model.name", "scaling.network"),
            ("model.se_ratio", "scaling.se_ratio"),
        )
        for source, target in settings:
            parser.link_arguments(source, target)
        targets = (*(target for _, target, _ in links), *(target for _, target in settings))
        parser.linked = targets  # type: ignore[attr-defined]

    def parse_arguments(self, parser: LightningArgumentParser, args: Any) -> None:
        """Parse, without Lightning's warning where a program passes the arguments."""
        self.config = parser.parse_args(args)
        with self.bad_input():
            check_seed(self.config.seed_everything)
            check_run(self.config)

    def before_instantiate_classes(self) -> None:
        """Fill in what the recipe decides about the trainer."""
        with self.bad_input():
            trainer, recipe = self.config.trainer, recipes.choose(**vars(self.config.recipe))
            if trainer.max_epochs is None and recipe.steps is None:
                trainer.max_epochs = recipe.epochs
            check_trainer(trainer)
            if trainer.precision is None:
                trainer.precision = choose_precision(
                    recipe.reduced_precision, str(trainer.accelerator)
                )

    def instantiate_classes(self) -> None:
        """Build network and data."""
        with self.bad_input():
            super().instantiate_classes()
            self.arm, self.recipe = self.config_init.scaling, self.config_init.recipe
            self.scaling = scaling_on(self.arm, self.datamodule)
            self.weights = self.config_init.weights
            if self.weights.name is not None:
                self.loaded = self.weights.load_into(self.model.network)

    def settle(self) -> None:
        """Turn a recipe's steps into epochs and its global batch into accumulated batches.

        Now that the data and the devices are known.

        Raises:
            ValueError: a frozen part of the training under a strategy that cannot do that, no
                batch or no evaluated image for each process, a global batch that they cannot
                make, or batch norms that cannot be synchronised.
        """
        options, recipe = self.config_init.trainer, self.recipe
        chosen = {key: options[key] for key in ("accelerator", "devices", "num_nodes", "strategy")}
        unused = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
        options_only: dict[str, Any] = {**chosen, **dict.fromkeys(unused, False)}
        trainer = made_trainer(**options_only)
        processes = self.processes = trainer.world_size
        asked = trainer.num_devices * trainer.num_nodes
        by_torchrun = "TORCHELASTIC_RUN_ID" in os.environ
        started = int(os.environ["WORLD_SIZE"]) if by_torchrun else asked
        if started != asked:
            raise ValueError(
                f"devices {options.devices}: must, with num_nodes {options.num_nodes}, make as "
                f"many processes as torchrun started, which are {started}, and not {asked}"
            )
        strategy_for(options.strategy, processes)
        frozen_part = 0 < recipe.head_only < 1
        if processes > 1 and frozen_part and not finds_unused(options.strategy):
            raise ValueError(
                f"strategy {options.strategy}: must be ddp_find_unused_parameters_true while "
                f"recipe.head_only is {recipe.head_only:g} and there are {processes} processes"
            )
        if options.sync_batchnorm and processes > 1 and trainer.strategy.root_device.type == "cpu":
            check_synchronised_on_cpu(self.model.network)
        data = self.datamodule
        options.accumulate_grad_batches = accumulation(
            recipe.global_batch, options.accumulate_grad_batches, data.batch_size, processes
        )
        sizes = data.sizes()
        for split in ("validation", *(["test"] if self.config.run.test else [])):
            if sizes.get(split, processes) < processes:
                raise ValueError(
                    f"devices {processes}: must be at most {sizes[split]}, the {split} images"
                )
        data.step = recipe.global_batch or processes
        batches = sizes["train"] // data.step * data.step // processes // data.batch_size
        if not batches and recipe.global_batch:
            raise ValueError(
                f"recipe.global_batch {recipe.global_batch}: must be at most {sizes['train']}, the "
                "training images"
            )
        if not batches:
            raise ValueError(
                f"batch_size {data.batch_size}: there are {sizes['train']:,} training images for "
                f"{processes} process{'es' * (processes != 1)}"
            )
        if not self.synchronised:
            check_batch(self.model, data.batch_size, data.image_size)
        limit = options.limit_train_batches
        if limit is not None:
            batches = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
        self.epoch_steps = -(-batches // options.accumulate_grad_batches)
        if options.max_epochs is None:
            options.max_epochs = epochs_of(recipe, self.epoch_steps)
            self.config.trainer.max_epochs = options.max_epochs
            steps = options.max_epochs * self.epoch_steps
            if recipe.steps is not None and abs(steps - recipe.steps) > 0.1 * recipe.steps:
                warnings.warn(
                    f"--recipe.steps {recipe.steps:,}: whole epochs are trained, {steps:,} steps",
                    stacklevel=2,
                )

    @property
    def global_batch(self) -> int:
        """Images of an optimiser step, on all devices and of all accumulated batches."""
        accumulated = int(self.config_init.trainer.accumulate_grad_batches)
        return self.datamodule.batch_size * self.processes * accumulated

    @property
    def synchronised(self) -> bool:
        """Whether batch norm's statistics are those of all processes together."""
        return bool(self.config.trainer.sync_batchnorm) and self.processes > 1

    @property
    def length(self) -> str:
        """How long the training is, for a person."""
        epochs = self.config.trainer.max_epochs
        steps = epochs * self.epoch_steps
        return f"{epochs} epoch{'s' * (epochs != 1)} ({steps:,} step{'s' * (steps != 1)})"

    def instantiate_trainer(self, **kwargs: Any) -> None:  # type: ignore[override]
        """None yet: `make_trainer` makes it, once the run folder is known."""

    @property
    def group(self) -> str:
        """The run group asked for, else the first configuration file's name, else the data's."""
        options, files = self.config.run, [file for file in self.config.config or [] if file]
        if options.group:
            return str(options.group)
        # A folder or a place on the hub gives its last part.
        return Path(str(files[0])).stem if files else Path(str(self.datamodule.name)).resolve().name

    @property
    def callbacks(self) -> list[Callback]:
        """The configured callbacks."""
        return _as_list(self.config_init.trainer.callbacks)

    def make_trainer(self, callbacks: list[Callback], root: str) -> Trainer:
        """The trainer with the suite's callbacks beside the configured ones, and its loggers only.

        Lightning's default logger is left out: the run folder keeps what it would.
        """
        options = dict(self.config_init.trainer)
        logger = options["logger"]
        plugins = [*_as_list(options["plugins"]), WholeCheckpointIO(), *cluster_plugins()]
        if self.synchronised:
            plugins.append(SynchronisedBatchNorm())
        return made_trainer(
            **{
                **options,
                "callbacks": [*self.callbacks, *callbacks],
                "logger": _as_list(None if isinstance(logger, bool) else logger),
                "plugins": plugins,
                "strategy": strategy_for(options["strategy"], self.processes),
                "sync_batchnorm": False,  # which Lightning does in its own way
                "default_root_dir": root,
            }
        )

    def resolved(self) -> dict[str, Any]:
        """The whole configuration as plain values, from which the run can be repeated."""
        text = self.parser.dump(self.config, skip_unset=False, format="yaml")
        config: dict[str, Any] = yaml.safe_load(text)
        for key in ("config", "resume"):
            config.pop(key, None)
        config["run"]["id"] = None  # a repeated run has a folder of its own
        if config["data"]["labels"] is None:  # as before there was this flag: one configuration,
            del config["data"]["labels"]  # one hash
        return config

    @contextmanager
    def bad_input(self) -> Iterator[None]:
        """One line and exit status 2 for what the code inside finds wrong with the input."""
        with self.parser.bad_input():
            try:
                yield
            except MisconfigurationException as error:
                fail(str(error))


# auto, -1, how many, or which: 2 / [0, 1] / "0,1"
DEVICES = re.compile(r"auto|-1|[1-9]\d{0,5}|\[\d{1,6}(, \d{1,6})*\]|\d{1,6}(,\d{1,6})*,?(?<!^0)")

# Options of the trainer that it checks by themselves, without a look at the machine.
NUMBERS = (
    *("max_steps", "min_steps", "min_epochs", "max_time", "gradient_clip_val"),
    *("gradient_clip_algorithm", "overfit_batches", "val_check_interval", "num_sanity_val_steps"),
    *("limit_train_batches", "limit_val_batches", "limit_test_batches", "limit_predict_batches"),
)


def check_seed(seed: Any) -> None:
    """Raise ValueError for what is no random seed."""
    if isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise ValueError(f"seed_everything {seed}: must be from 0 to 2^32 - 1")


def check_run(config: Any) -> None:
    """Raise ValueError for what cannot be recorded, or evaluated when the training has ended."""
    run, trainer = config.run, config.trainer
    check_timeout(run.wandb_timeout)
    if not 0 < run.stall_timeout < COLLECTIVE_TIMEOUT_S:
        most = f"{COLLECTIVE_TIMEOUT_S:g}"
        raise ValueError(f"stall_timeout {run.stall_timeout:g}: must be above 0 and below {most}")
    if run.group:
        check_folder_name(run.group, "group")
    project = run.project or ""
    fits = project.isprintable() and len(project) <= LONGEST_PROJECT
    if not fits or set(project) & set(NOT_IN_PROJECTS):
        raise ValueError(
            f"project {project[:40]!r}: must be at most {LONGEST_PROJECT} printable characters, "
            f"without {NOT_IN_PROJECTS}"
        )
    for sigma in run.noise or ():
        try:
            GaussianNoise(sigma)
        except ValueError as error:
            raise ValueError(f"run.noise: {error}") from error
    keeps_none = trainer.enable_checkpointing is False or bool(trainer.fast_dev_run)
    for name in ("noise", "test"):
        if getattr(run, name) and keeps_none:
            raise ValueError(f"run.{name}: evaluates the last checkpoint, and none is kept")


def check_trainer(options: Any) -> None:
    """Raise ValueError for a trainer that would train nothing."""
    if options.max_epochs is not None and options.max_epochs < 1:
        raise ValueError(f"max_epochs {options.max_epochs}: must be at least 1")
    for name, known in (
        ("accelerator", ("auto", "gpu", *AcceleratorRegistry.available_accelerators())),
        ("strategy", ("auto", *StrategyRegistry.available_strategies())),
    ):
        value = getattr(options, name)
        if isinstance(value, str) and value not in known:
            near = get_close_matches(value, known, n=3) or sorted(known)
            raise ValueError(f"{name} {value!r}: must be one of {', '.join(near)}")
    if options.limit_train_batches == 0:
        raise ValueError("limit_train_batches 0: must leave a batch to train on")
    if not DEVICES.fullmatch(str(options.devices)):
        accepted = "auto, at least 1, or -1 for all there are, or a list of their numbers"
        raise ValueError(f"devices {options.devices}: must be {accepted}")
    for name in ("accumulate_grad_batches", "check_val_every_n_epoch"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise ValueError(f"{name} {value}: must be at least 1")
    _check_numbers(*(repr(getattr(options, name)) for name in NUMBERS))


@cache
def _check_numbers(*values: str) -> None:
    """Raise ValueError for what Lightning's trainer refuses on any machine."""
    options = {name: literal_eval(value) for name, value in zip(NUMBERS, values, strict=True)}
    unused = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")
    quiet_libraries()  # again: Lightning's import lets them speak
    try:
        made_trainer(accelerator="cpu", devices=1, **options, **dict.fromkeys(unused, False))
    except MisconfigurationException as error:
        raise ValueError(f"trainer: {error}") from error


def made_trainer(**options: Any) -> Trainer:
    """Make Lightning's trainer.

    Raises:
        MisconfigurationException: It does not take the options, whichever exception it has for it.
    """
    try:
        return Trainer(**options)
    except (TypeError, ValueError, OverflowError) as error:
        raise MisconfigurationException(f"trainer: {error}") from error


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
