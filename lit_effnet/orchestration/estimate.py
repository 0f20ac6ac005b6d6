"""How long a training will take on this device, from a few of its own steps."""

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

from lit_effnet.cli.parser import quiet_libraries
from lit_effnet.experiment.lightning_cli import Experiment
from lit_effnet.experiment.options import BARE
from lit_effnet.experiment.run import load_data
from lit_effnet.orchestration.planner import Planner
from lit_effnet.training.ema import ExponentialMovingAverage
from lit_effnet.training.seeding import SeedEachStep
from lit_effnet.trials.plan import Trial
from lit_effnet.trials.process import Share, pool

STEPS, WARM_UP_STEPS, VALIDATION_STEPS = 12, 4, 4

# Start, W&B and checkpoints of a trial (benchmarks/trial_overhead.py).
OVERHEAD_S = 1.0


@dataclass(frozen=True)
class Forecast:
    """Estimated seconds of a training, from a step and a batch of validation that were measured."""

    seconds: float
    step_ms: float
    validation_step_ms: float
    epochs: int


class _Stopwatch(Callback):
    """Times of the ends of training steps, and of the epoch's end with its validation."""

    def __init__(self) -> None:
        self.steps: list[float] = []  # the first one's begin, and each one's end
        self.end = 0.0

    def on_train_batch_start(self, *_: Any) -> None:
        """Note when the first step begins."""
        if not self.steps:
            self.steps.append(time.perf_counter())

    def on_train_batch_end(self, *_: Any) -> None:
        """Note when a step ends."""
        if torch.cuda.is_available():  # which goes on while this asks for the time
            torch.cuda.synchronize()
        self.steps.append(time.perf_counter())

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note when the validation is over."""
        self.end = time.perf_counter()


def forecast_or_reason(
    arguments: Sequence[str], threads: int, variables: Mapping[str, str]
) -> Forecast | str:
    """The forecast on a share of the machine, or in a line why there is none; prints nothing."""
    os.environ.update(variables)
    torch.set_num_threads(threads)
    quiet_libraries()
    said = io.StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return forecast(arguments)
    except SystemExit:
        return said.getvalue().strip().rsplit("\n", 1)[-1].removeprefix("error: ")
    except Exception as error:  # a plan shall tell it, not fail by it
        return f"{type(error).__name__}: {error}"


def forecast(arguments: Sequence[str]) -> Forecast:
    """What the run of `fit`'s arguments will take; trains a few steps and keeps nothing.

    Raises:
        SystemExit: the arguments are wrong, or the data cannot be had.
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
    return Forecast(seconds, 1e3 * step, 1e3 * validation, epochs)


def forecasts(
    planner: Planner, trials: Mapping[str, Trial], shares: Sequence[Share]
) -> Iterator[tuple[str, Forecast | str]]:
    """A forecast of each trial, by its name, as many at a time as trials will run at a time."""
    with tempfile.TemporaryDirectory() as folder, pool(len(shares)) as processes:
        waiting: dict[str, Future[Forecast | str]] = {}
        for arm, trial in trials.items():
            file = Path(folder) / f"{trial.id}.json"
            file.write_text(json.dumps(trial.parameters), encoding="utf-8")
            arguments = planner.arguments(trial.parameters, file)
            share = shares[len(waiting) % len(shares)]
            waiting[arm] = processes.submit(
                forecast_or_reason, arguments, share.threads, share.variables
            )
        for arm, future in waiting.items():
            yield arm, future.result()
