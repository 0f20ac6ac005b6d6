"""What is known of a run before it trains: its record, and whether it can train at all."""

import os
import warnings
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import torch
from torch import nn

from lit_effnet.data.class_matching import match
from lit_effnet.data.images import ImageData
from lit_effnet.experiment.factories import baseline_on
from lit_effnet.experiment.lightning_cli import Experiment
from lit_effnet.network.arm_cost import residual_of
from lit_effnet.network.complexity import complexity
from lit_effnet.network.properties import conventions
from lit_effnet.network.weights import Weights
from lit_effnet.profiling.latency import latency
from lit_effnet.runs.folder import RUNNING, RunFolder
from lit_effnet.runs.provenance import config_hash, device_name, git_commit, versions
from lit_effnet.scaling.arms import Arm, arm_name
from lit_effnet.scaling.cost import Complexity


def new_record(experiment: Experiment, folder: RunFolder, config: dict[str, Any]) -> dict[str, Any]:
    """What is known of a run before it trains.

    Raises:
        ValueError: the data cannot be had, or the network cannot take the image size.
    """
    data, options = experiment.datamodule, experiment.config.model
    here = complexity(experiment.model.network, data.image_size)
    check_memory(here, data, experiment.config.trainer)
    changed = {key: value for key, value in vars(options).items() if value is not None}
    baseline = baseline_on(experiment.arm, data)
    return {
        "status": RUNNING,
        "group": folder.path.parent.name,
        "id": folder.path.name,
        "arm": arm_name(experiment.arm, changed),
        "properties": asdict(experiment.arm.properties),
        "seed": experiment.config.seed_everything,
        "started": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "config_hash": config_hash({key: value for key, value in config.items() if key != "run"}),
        "scaling": asdict(experiment.scaling),
        "model": changed,
        "network": conventions(experiment.model.network),
        "weights": weights_record(experiment.weights, experiment.model.network),
        "seen_imagenet": experiment.weights.seen_imagenet or from_imagenet(data),
        "recipe": asdict(experiment.recipe),
        "data": {
            "name": data.name,
            "fingerprint": data.fingerprint,
            "images": data.sizes(),
            "left_out": data.left_out,
            "cut": data.images.rule if data.images.cut else None,
            "notes": list(data.images.notes),
            "seen_in_pretraining": seen_in_pretraining(experiment),
            "classes": data.num_classes,
            "image_size": data.image_size,
            "class_names": list(data.images.classes),
            "batch_size": data.batch_size,
            "global_batch": experiment.global_batch,
            "preprocessing": asdict(data.preprocessing),
        },
        "complexity": asdict(here),
        "baseline": asdict(baseline) if baseline else None,
        "budget": budget_record(experiment.arm, here, baseline),
        "asked": [name for name in ("noise", "test") if getattr(experiment.config.run, name)],
        "max_epochs": experiment.config.trainer.max_epochs,
        "latency": latency_record(experiment),
        "sync_batchnorm": experiment.synchronised,
        "precision": experiment.config.trainer.precision,
        "threads": torch.get_num_threads(),
        "device": device_name(experiment.config.trainer.accelerator),
        "git_commit": git_commit(),
        "versions": versions(),
    }


def latency_record(experiment: Experiment) -> dict[str, Any] | None:
    """Latency of the network on the run's device; null where it is not asked for."""
    if not experiment.config.run.latency:
        return None
    on_gpu = experiment.config.trainer.accelerator in ("auto", "gpu", "cuda")
    device = "cuda" if on_gpu and torch.cuda.is_available() else "cpu"
    return asdict(latency(experiment.model.network, experiment.datamodule.image_size, device))


def weights_record(weights: Weights, network: nn.Module) -> dict[str, Any] | None:
    """What a run began with; null for random weights."""
    if weights.name is None:
        return None
    return {
        "name": weights.name,
        "layout": weights.layout,
        "fingerprint": weights.fingerprint,
        "notes": [*weights.notes, *weights.differences(network)],
    }


def compare_classes(experiment: Experiment) -> None:
    """Warn where a classifier is taken over whose outputs mean other classes than the data's."""
    from lit_effnet.evaluation.classes import known_classes

    weights, data = experiment.weights, experiment.datamodule
    if weights.name is None or weights.num_classes != data.num_classes:
        return  # then it begins at random
    known = known_classes(str(weights.name), weights, {})
    with suppress(ValueError):
        if known is None or match(data.images.classes, known).in_order:
            return
    warnings.warn(
        f"weights.name {weights.name}: its classifier is for other classes than {data.name}'s, or "
        "for these in another order; the training begins with it all the same",
        stacklevel=2,
    )


def seen_in_pretraining(experiment: Experiment) -> bool:
    """Whether the data set's images are among those that the weights were trained on."""
    return experiment.weights.seen_imagenet and from_imagenet(experiment.datamodule)


def from_imagenet(data: ImageData) -> bool:
    """Whether the images are ImageNet's, as far as the catalog knows."""
    return data.entry is not None and data.entry.from_imagenet


def check_memory(cost: Complexity, data: ImageData, trainer: Any) -> None:
    """Refuse a step on the CPU whose activations alone do not fit into the machine's memory.

    Raises:
        ValueError: they do not; without this the system would kill the process without a word.
    """
    on_cpu = trainer.accelerator == "cpu" or not (
        torch.cuda.is_available() or torch.backends.mps.is_available()
    )
    if not on_cpu or not hasattr(os, "sysconf"):
        return
    bytes_each = 2 if "16" in str(trainer.precision) else 4
    needed = cost.activations * data.batch_size * bytes_each
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > memory:
        raise ValueError(
            f"image_size {data.image_size}: a step's activations alone take {needed / 1e9:,.0f} GB "
            f"at batch_size {data.batch_size}, and this machine has {memory / 1e9:,.0f} GB"
        )


def budget_record(arm: Arm, here: Complexity, baseline: Complexity | None) -> dict[str, Any] | None:
    """What a matched arm was to cost, and by which part it misses that; null for other arms."""
    if arm.budget is None or baseline is None:
        return None
    target = round(arm.budget.times * getattr(baseline, arm.budget.measure))
    residual = residual_of(arm.budget, here, baseline)
    return {**asdict(arm.budget), "target": target, "residual": residual}
