"""The plan of a training: its processes, steps and epochs, computed from flags and data."""

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lit_effnet.experiment.options import BARE, build_trainer
from lit_effnet.training.distributed.strategy import finds_unused, strategy_for
from lit_effnet.training.recipe import Recipe, accumulation, epochs_of


@dataclass(frozen=True)
class Devices:
    """The devices that the trainer's flags select.

    Args:
        processes: Number of processes on all nodes, one for each device.
        on_cpu: Whether they compute on a CPU.
    """

    processes: int
    on_cpu: bool


@dataclass(frozen=True)
class TrainingPlan:
    """Batches, steps and epochs of a training.

    Args:
        processes: Number of processes.
        batch_size: Images in a batch of one process.
        accumulated: Batches that each process accumulates for an optimiser step.
        images_multiple: An epoch takes a multiple of this number of images.
        epoch_steps: Optimiser steps in an epoch.
        epochs: Number of epochs.
        synchronised: Whether batch norm's statistics are those of all processes together.
    """

    processes: int
    batch_size: int
    accumulated: int
    images_multiple: int
    epoch_steps: int
    epochs: int
    synchronised: bool

    @property
    def global_batch(self) -> int:
        """Images of an optimiser step: of all processes and all accumulated batches."""
        return self.batch_size * self.processes * self.accumulated

    def __str__(self) -> str:
        steps = self.epochs * self.epoch_steps
        return f"{self.epochs} epoch{'s' * (self.epochs != 1)} ({steps:,} step{'s' * (steps != 1)})"


def find_devices(options: Any) -> Devices:
    """Return the devices that the trainer's options select on this machine or cluster.

    Raises:
        ValueError: torchrun started another number of processes.
    """
    selecting = {key: options[key] for key in ("accelerator", "devices", "num_nodes", "strategy")}
    trainer = build_trainer(**selecting, **BARE)
    expected = trainer.num_devices * trainer.num_nodes
    by_torchrun = "TORCHELASTIC_RUN_ID" in os.environ
    started = int(os.environ["WORLD_SIZE"]) if by_torchrun else expected
    if started != expected:
        raise ValueError(
            f"devices {options.devices}: must, with num_nodes {options.num_nodes}, make as many "
            f"processes as torchrun started, which are {started}, and not {expected}"
        )
    return Devices(trainer.world_size, trainer.strategy.root_device.type == "cpu")


def plan_training(
    options: Any,
    recipe: Recipe,
    devices: Devices,
    *,
    images: Mapping[str, int],
    batch_size: int,
    evaluated: tuple[str, ...] = ("validation",),
) -> TrainingPlan:
    """Return the plan of a training; changes none of its arguments.

    Args:
        options: Options of Lightning's trainer.
        recipe: Recipe, whose steps become epochs and whose global batch is accumulated.
        devices: Devices of the training.
        images: Number of images by split.
        batch_size: Images in a batch of one process.
        evaluated: Splits on which the network is evaluated.

    Raises:
        ValueError: the strategy cannot train a network with a frozen part, a process would get no
            batch or no image to evaluate, or the devices cannot make the global batch.
    """
    processes = devices.processes
    strategy_for(options.strategy, processes)
    has_frozen_part = 0 < recipe.head_only < 1
    if processes > 1 and has_frozen_part and not finds_unused(options.strategy):
        raise ValueError(
            f"strategy {options.strategy}: must be ddp_find_unused_parameters_true while "
            f"recipe.head_only is {recipe.head_only:g} and there are {processes} processes"
        )
    accumulated = accumulation(
        recipe.global_batch,
        options.accumulate_grad_batches,
        batch_size=batch_size,
        processes=processes,
    )
    for split in evaluated:
        if images.get(split, processes) < processes:
            raise ValueError(
                f"devices {processes}: must be at most {images[split]}, the {split} images"
            )
    multiple = recipe.global_batch or processes
    batches = images["train"] // multiple * multiple // processes // batch_size
    if not batches and recipe.global_batch:
        raise ValueError(
            f"recipe.global_batch {recipe.global_batch}: must be at most {images['train']}, the "
            "training images"
        )
    if not batches:
        raise ValueError(
            f"batch_size {batch_size}: there are {images['train']:,} training images for "
            f"{processes} process{'es' * (processes != 1)}"
        )
    if (limit := options.limit_train_batches) is not None:
        batches = min(batches, limit) if isinstance(limit, int) else int(batches * limit)
    epoch_steps = -(-batches // accumulated)
    return TrainingPlan(
        processes=processes,
        batch_size=batch_size,
        accumulated=accumulated,
        images_multiple=multiple,
        epoch_steps=epoch_steps,
        epochs=options.max_epochs or _whole_epochs(recipe, epoch_steps),
        synchronised=bool(options.sync_batchnorm) and processes > 1,
    )


def _whole_epochs(recipe: Recipe, epoch_steps: int) -> int:
    epochs = epochs_of(recipe, epoch_steps)
    steps = epochs * epoch_steps
    if recipe.steps is not None and abs(steps - recipe.steps) > 0.1 * recipe.steps:
        warnings.warn(
            f"--recipe.steps {recipe.steps:,}: trains {steps:,} steps, which are whole epochs",
            stacklevel=3,
        )
    return epochs
