"""Estimate the time of a training on this device from a few of its own steps."""

import io
import json
import math
import os
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer

from lit_effnet.cli.output import quiet_libraries
from lit_effnet.experiment.lightning_cli import Experiment
from lit_effnet.experiment.options import BARE
from lit_effnet.experiment.run import load_data
from lit_effnet.orchestration.planner import Planner
from lit_effnet.training.ema import ExponentialMovingAverage
from lit_effnet.training.seeding import SeedEachStep
from lit_effnet.trials.plan import Trial
from lit_effnet.trials.process import Share, pool

STEPS, WARM_UP_STEPS, VALIDATION_STEPS = 12, 4, 4

# Start, W&B and checkpoints of a trial, as measured by benchmarks/trial_overhead.py.
OVERHEAD_S = 1.0


@dataclass(frozen=True)
class Estimate:
    """Estimated time of a training, from the measured time of a step and a validation batch."""

    seconds: float
    step_ms: float
    validation_step_ms: float
    epochs: int


class _Stopwatch(Callback):
    """Record when training steps end, and when the epoch with its validation ends."""

    def __init__(self) -> None:
        self.steps: list[float] = []  # start of the first step, then the end of each
        self.end = 0.0

    def on_train_batch_start(self, *_: Any) -> None:
        """Record the start of the first step."""
        if not self.steps:
            self.steps.append(time.perf_counter())

    def on_train_batch_end(self, *_: Any) -> None:
        """Record the end of a step."""
        if torch.cuda.is_available():  # its kernels run on after the call
            torch.cuda.synchronize()
        self.steps.append(time.perf_counter())

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Record the end of the validation."""
        self.end = time.perf_counter()


def estimate_or_reason(
    arguments: Sequence[str], threads: int, variables: Mapping[str, str]
) -> Estimate | str:
    """Return an estimate on a share of the machine, or one line on why there is none."""
    os.environ.update(variables)
    torch.set_num_threads(threads)
    quiet_libraries()
    output = io.StringIO()
    try:
        with redirect_stdout(output), redirect_stderr(output), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return estimate(arguments)
    except SystemExit:
        return output.getvalue().strip().rsplit("\n", 1)[-1].removeprefix("error: ")
    except Exception as error:  # the plan prints it and goes on
        return f"{type(error).__name__}: {error}"


def estimate(arguments: Sequence[str]) -> Estimate:
    """Train a few steps with these arguments of `fit`, and estimate the time of the whole run.

    Raises:
        SystemExit: The arguments are wrong, or the data cannot be loaded.
    """
    experiment = Experiment(list(arguments), prog="fit")
    data = experiment.datamodule
    with experiment.bad_input():
        load_data(experiment)
    options, plan = experiment.config_init.trainer, experiment.plan
    epochs, most = plan.epochs, int(options.max_steps)
    steps = plan.epoch_steps * plan.accumulated
    if most > 0:
        epochs = max(1, min(epochs, round(most / plan.epoch_steps)))
        steps = min(steps, most * plan.accumulated)
    validations = math.ceil(data.sizes()["validation"] / data.batch_size)
    limit = options.limit_val_batches
    if limit is not None:
        validations = (
            min(validations, limit) if isinstance(limit, int) else int(validations * limit)
        )
    measured = min(STEPS, steps), min(VALIDATION_STEPS, validations)
    overrides: dict[str, Any] = {
        **BARE,
        "max_epochs": 1,
        "max_steps": -1,
        "limit_train_batches": measured[0],
        "limit_val_batches": measured[1],
    }
    watch = _Stopwatch()
    callbacks: list[Callback] = [SeedEachStep(experiment.config.seed_everything)]
    if decay := experiment.recipe.ema_decay:
        callbacks.append(ExponentialMovingAverage(decay, data.num_classes))
    with tempfile.TemporaryDirectory() as folder:
        trainer = experiment.make_trainer([*callbacks, watch], folder, **overrides)
        trainer.fit(experiment.model, data)
    first = min(WARM_UP_STEPS, (len(watch.steps) - 1) // 2)
    step = (watch.steps[-1] - watch.steps[first]) / (len(watch.steps) - 1 - first)
    validation = (watch.end - watch.steps[-1]) / max(1, measured[1])
    levels = experiment.config.run.noise
    passes = epochs + (len(levels) + 1 if levels else 0)
    seconds = OVERHEAD_S + epochs * steps * step + passes * validations * validation
    return Estimate(seconds, 1e3 * step, 1e3 * validation, epochs)


def estimates(
    planner: Planner, trials: Mapping[str, Trial], shares: Sequence[Share]
) -> Iterator[tuple[str, Estimate | str]]:
    """Yield each arm with its estimate, or why there is none; one at a time per share."""
    with tempfile.TemporaryDirectory() as folder, pool(len(shares)) as processes:
        waiting: dict[str, Future[Estimate | str]] = {}
        for arm, trial in trials.items():
            file = Path(folder) / f"{trial.id}.json"
            file.write_text(json.dumps(trial.parameters), encoding="utf-8")
            arguments = planner.arguments(trial.parameters, file)
            share = shares[len(waiting) % len(shares)]
            waiting[arm] = processes.submit(
                estimate_or_reason, arguments, share.threads, share.variables
            )
        for arm, future in waiting.items():
            yield arm, future.result()
