"""An experiment: one complete configuration, parsed and built by LightningCLI.

Groups of flags: `scaling`, `model`, `data`, `recipe`, `trainer`, `run`. `--scaling` sets
network and image size together; `--recipe` sets optimiser, regularisation, augmentation, epochs
and precision.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from jsonargparse import class_from_function, set_parsing_settings
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from lit_effnet.cli.errors import fail
from lit_effnet.cli.parser import OneLineErrors
from lit_effnet.data.images import ImageData
from lit_effnet.experiment.factories import (
    augmentation,
    classifier,
    preprocessing,
    resolution,
    scaling_on,
)
from lit_effnet.experiment.options import (
    RunOptions,
    build_trainer,
    check_run,
    check_seed,
    check_trainer,
)
from lit_effnet.experiment.training_plan import TrainingPlan, find_devices, plan_training
from lit_effnet.network import weight_sources
from lit_effnet.network.weights import Weights
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
from lit_effnet.training.distributed.strategy import cluster_plugins, strategy_for
from lit_effnet.training.precision import choose_precision
from lit_effnet.training.recipe import Recipe

PROG = "python -m lit_effnet.fit"


class Parser(OneLineErrors, LightningArgumentParser):
    """Lightning's parser with one-line errors."""

    linked: tuple[str, ...] = ()

    def keys(self) -> list[str]:
        """Return the names of the arguments that a user can set; links set the others."""
        return [key for key in super().keys() if key not in self.linked]  # noqa: SIM118


class Experiment(LightningCLI):
    """LightningCLI without subcommands. Builds network and data; `make_trainer` builds the trainer.

    Bad input ends the process with one line that names the flag, and exit status 2.

    Args:
        arguments: Command line of `fit`.
        prog: Name of the command in the help text.
        description: Description of the command in the help text.
    """

    parser: Parser
    arm: Arm
    scaling: Scaling
    recipe: Recipe
    weights: Weights
    loaded: str | None = None
    model: LitClassifier
    datamodule: ImageData

    def __init__(
        self, arguments: list[str], *, prog: str = PROG, description: str | None = None
    ) -> None:
        # A run in a store is resumed from its config.yaml there.
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
        """Add the groups beside Lightning's own, and link arguments that follow from others."""
        parser.add_class_arguments(class_from_function(arms.choose, name="ScalingFlags"), "scaling")
        parser.add_class_arguments(
            class_from_function(recipes.choose, name="RecipeFlags"), "recipe"
        )
        parser.add_class_arguments(
            class_from_function(weight_sources.choose, name="WeightsFlags"), "weights"
        )
        parser.add_class_arguments(RunOptions, "run")
        parser.add_argument(
            "--resume", type=str | None, help="Run folder to resume; takes no other flag."
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
        """Parse and check; Lightning would warn where a program passes the arguments."""
        self.config = parser.parse_args(args)
        with self.bad_input():
            check_seed(self.config.seed_everything)
            check_run(self.config)

    def before_instantiate_classes(self) -> None:
        """Take epochs and precision from the recipe where no flag of the trainer sets them."""
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
        """Build network and data, and load the weights."""
        with self.bad_input():
            super().instantiate_classes()
            self.arm, self.recipe = self.config_init.scaling, self.config_init.recipe
            self.scaling = scaling_on(self.arm, self.datamodule)
            self.weights = self.config_init.weights
            if self.weights.name is not None:
                self.loaded = self.weights.load_into(self.model.network)

    @cached_property
    def plan(self) -> TrainingPlan:
        """Processes, steps and epochs of the training, once the data are loaded.

        Raises:
            ValueError: the flags do not fit the data, the devices or the network.
        """
        options, data = self.config_init.trainer, self.datamodule
        devices = find_devices(options)
        plan = plan_training(
            options,
            self.recipe,
            devices,
            images=data.sizes(),
            batch_size=data.batch_size,
            evaluated=("validation", "test") if self.config.run.test else ("validation",),
        )
        if plan.synchronised and devices.on_cpu:
            check_synchronised_on_cpu(self.model.network)
        if not plan.synchronised:
            check_batch(self.model, data.batch_size, data.image_size)
        return plan

    def instantiate_trainer(self, **kwargs: Any) -> None:  # type: ignore[override]
        """Build no trainer yet: `make_trainer` does, once the run folder is known."""

    @property
    def group(self) -> str:
        """Group of the run: as set, else the first configuration file's name, else the data's."""
        options, files = self.config.run, [file for file in self.config.config or [] if file]
        if options.group:
            return str(options.group)
        # Of a folder or a hub id, the last part.
        return Path(str(files[0])).stem if files else Path(str(self.datamodule.name)).resolve().name

    @property
    def callbacks(self) -> list[Callback]:
        """Callbacks of the configuration."""
        return _as_list(self.config_init.trainer.callbacks)

    def make_trainer(self, callbacks: list[Callback], root: str, **overrides: Any) -> Trainer:
        """Build the trainer by the configuration and the plan.

        Lightning's default logger is left out, since the run folder records the same.

        Args:
            callbacks: Callbacks beside those of the configuration.
            root: Run folder.
            overrides: Options of the trainer that replace those of configuration and plan.
        """
        options, plan = dict(self.config_init.trainer), self.plan
        logger = options["logger"]
        plugins = [*_as_list(options["plugins"]), WholeCheckpointIO(), *cluster_plugins()]
        if plan.synchronised:
            plugins.append(SynchronisedBatchNorm())
        return build_trainer(
            **{
                **options,
                "max_epochs": plan.epochs,
                "accumulate_grad_batches": plan.accumulated,
                "callbacks": [*self.callbacks, *callbacks],
                "logger": _as_list(None if isinstance(logger, bool) else logger),
                "plugins": plugins,
                "strategy": strategy_for(options["strategy"], plan.processes),
                "sync_batchnorm": False,  # `SynchronisedBatchNorm` does it instead
                "default_root_dir": root,
                **overrides,
            }
        )

    def resolved(self) -> dict[str, Any]:
        """Return the whole configuration in plain values, from which the run can be repeated."""
        text = self.parser.dump(self.config, skip_unset=False, format="yaml")
        config: dict[str, Any] = yaml.safe_load(text)
        for key in ("config", "resume"):
            config.pop(key, None)
        config["trainer"]["max_epochs"] = self.plan.epochs
        config["run"]["id"] = None  # a repeated run has a folder of its own
        if config["data"]["labels"] is None:
            del config["data"]["labels"]  # keeps the hash of runs from before this flag
        return config

    @contextmanager
    def bad_input(self) -> Iterator[None]:
        """Turn errors in the input into one line and exit status 2."""
        with self.parser.bad_input():
            try:
                yield
            except MisconfigurationException as error:
                fail(str(error))


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]
