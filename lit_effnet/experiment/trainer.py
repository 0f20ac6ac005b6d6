"""The trainer of a run, with the callbacks and loggers that every run has."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ProgressBar

from lit_effnet.cli.progress import say
from lit_effnet.experiment.lightning_cli import Experiment
from lit_effnet.network.pretrained_cfg import description_of_run
from lit_effnet.training.checkpoints import checkpoint_callbacks
from lit_effnet.training.distributed.batch_norm import AverageRunningStatistics
from lit_effnet.training.distributed.watchdog import RankWatchdog
from lit_effnet.training.ema import ExponentialMovingAverage
from lit_effnet.training.progress import EpochPrinter, EpochProgressBar
from lit_effnet.training.recorder import RunRecorder
from lit_effnet.training.seeding import SeedEachStep
from lit_effnet.training.throughput import ThroughputRecorder
from lit_effnet.training.wandb_logging import wandb_logger


def make_trainer(experiment: Experiment, recorder: RunRecorder) -> Trainer:
    """Build the trainer of a run; reads and writes no file.

    Raises:
        ValueError: the run's record does not describe its network.
    """
    folder = recorder.folder
    try:
        experiment.model.description = description_of_run(recorder.record)
    except (KeyError, TypeError) as error:
        where = folder.path / "run.json"
        raise ValueError(f"{where}: does not describe its network ({error})") from error
    options = experiment.config.trainer
    watchdog = RankWatchdog(recorder, experiment.config.run.stall_timeout)
    callbacks: list[Callback] = [watchdog, SeedEachStep(experiment.config.seed_everything)]
    if experiment.plan.processes > 1 and not experiment.plan.synchronised:
        callbacks.append(AverageRunningStatistics())  # before the weights are averaged
    if decay := experiment.recipe.ema_decay:
        callbacks.append(ExponentialMovingAverage(decay, experiment.datamodule.num_classes))
    macs = recorder.record["complexity"]["macs"]
    callbacks += [ThroughputRecorder(recorder, macs), recorder, EpochPrinter(recorder)]
    has_bar = any(isinstance(callback, ProgressBar) for callback in experiment.callbacks)
    if options.enable_progress_bar is not False and not has_bar:
        callbacks.append(EpochProgressBar())
    if options.enable_checkpointing is not False:
        callbacks += checkpoint_callbacks(folder, validates=options.limit_val_batches != 0)
    return experiment.make_trainer(callbacks, str(folder.path))


def make_loggers(experiment: Experiment, recorder: RunRecorder, mode: str) -> Sequence[Any]:
    """Return W&B's logger, or nothing if W&B is disabled or `--trainer.logger false` is set."""
    if experiment.config.trainer.logger is False:
        return ()
    logger = wandb_logger(
        recorder.folder.path,
        group=recorder.record["group"],
        run_id=recorder.record["id"],
        project=experiment.config.run.project,
        mode=mode,
        config=experiment.resolved(),
        timeout_s=experiment.config.run.wandb_timeout,
    )
    if logger is None:
        return ()
    if not isinstance(recorder.folder.path, Path):
        say(f"wandb    writes local files only: {Path(logger.experiment.dir).parent}")
    if not logger.experiment.offline:
        say(f"wandb    {logger.experiment.url}")
    return (logger,)
