"""The record of a run before it trains, and checks that need the network's cost."""

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
    """Return the record (`run.json`) of a run before it trains.

    Raises:
        ValueError: the network cannot take the image size, or a step needs too much memory.
    """
    data, options, plan = experiment.datamodule, experiment.config.model, experiment.plan
    cost = complexity(experiment.model.network, data.image_size)
    check_memory(cost, data, experiment.config.trainer)
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
            "global_batch": plan.global_batch,
            "preprocessing": asdict(data.preprocessing),
        },
        "complexity": asdict(cost),
        "baseline": asdict(baseline) if baseline else None,
        "budget": budget_record(experiment.arm, cost, baseline),
        "asked": [name for name in ("noise", "test") if getattr(experiment.config.run, name)],
        "max_epochs": plan.epochs,
        "latency": latency_record(experiment),
        "sync_batchnorm": plan.synchronised,
        "precision": experiment.config.trainer.precision,
        "threads": torch.get_num_threads(),
        "device": device_name(experiment.config.trainer.accelerator),
        "git_commit": git_commit(),
        "versions": versions(),
    }


def latency_record(experiment: Experiment) -> dict[str, Any] | None:
    """Return the latency of the network on the run's device; None unless `--run.latency` is set."""
    if not experiment.config.run.latency:
        return None
    on_gpu = experiment.config.trainer.accelerator in ("auto", "gpu", "cuda")
    device = "cuda" if on_gpu and torch.cuda.is_available() else "cpu"
    return asdict(latency(experiment.model.network, experiment.datamodule.image_size, device))


def weights_record(weights: Weights, network: nn.Module) -> dict[str, Any] | None:
    """Return the weights that a run begins with; None for random ones."""
    if weights.name is None:
        return None
    return {
        "name": weights.name,
        "layout": weights.layout,
        "fingerprint": weights.fingerprint,
        "notes": [*weights.notes, *weights.differences(network)],
    }


def warn_about_classes(experiment: Experiment) -> None:
    """Warn where a loaded classifier was trained for other classes than the data's."""
    from lit_effnet.evaluation.classes import known_classes

    weights, data = experiment.weights, experiment.datamodule
    if weights.name is None or weights.num_classes != data.num_classes:
        return  # the classifier is random then
    known = known_classes(str(weights.name), weights, {})
    with suppress(ValueError):
        if known is None or match(data.images.classes, known).in_order:
            return
    warnings.warn(
        f"weights.name {weights.name}: its classifier is for other classes than {data.name}'s, or "
        "for these in another order; the training starts from it nevertheless",
        stacklevel=2,
    )


def seen_in_pretraining(experiment: Experiment) -> bool:
    """Return whether the weights were trained on images of the data set."""
    return experiment.weights.seen_imagenet and from_imagenet(experiment.datamodule)


def from_imagenet(data: ImageData) -> bool:
    """Return whether the images are ImageNet's, by the catalog."""
    return data.entry is not None and data.entry.from_imagenet


def check_memory(cost: Complexity, data: ImageData, trainer: Any) -> None:
    """Check that the activations of a training step on the CPU fit into the machine's memory.

    Raises:
        ValueError: they do not. The system would kill the process without a message.
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


def budget_record(arm: Arm, cost: Complexity, baseline: Complexity | None) -> dict[str, Any] | None:
    """Return an arm's budget, its target and the relative residual; None without a budget."""
    if arm.budget is None or baseline is None:
        return None
    target = round(arm.budget.times * getattr(baseline, arm.budget.measure))
    residual = residual_of(arm.budget, cost, baseline)
    return {**asdict(arm.budget), "target": target, "residual": residual}
