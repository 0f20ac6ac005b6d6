"""Train, evaluate, and end the process with a line and an exit status."""

import os
import sys
from dataclasses import dataclass
from typing import NoReturn

from lightning.pytorch import Trainer

from lit_effnet.cli.progress import say
from lit_effnet.data.decoding import BadImageError
from lit_effnet.experiment.final_evaluation import (
    evaluate_final_weights,
    evaluate_on_test_split,
    evaluate_under_noise,
)
from lit_effnet.experiment.lightning_cli import PROG, Experiment
from lit_effnet.experiment.run_folder import RUN_ID_VARIABLE
from lit_effnet.experiment.summary import closing_line, opening_lines
from lit_effnet.experiment.trainer import make_loggers
from lit_effnet.runs import exit_status
from lit_effnet.runs.folder import FINISHED, INTERRUPTED, RUNNING, RunFolder
from lit_effnet.runs.machine import keep_freed_memory
from lit_effnet.training.distributed.strategy import stop_on_warning
from lit_effnet.training.distributed.watchdog import RankWatchdog
from lit_effnet.training.errors import explain_failure
from lit_effnet.training.recorder import RunRecorder, is_first_process
from lit_effnet.training.wandb_logging import finish


@dataclass(frozen=True)
class Training:
    """The training of a run.

    Args:
        experiment: Network, data and recipe.
        recorder: Record of the run, in its folder.
        trainer: Lightning's trainer.
        wandb_mode: online, offline or disabled.
    """

    experiment: Experiment
    recorder: RunRecorder
    trainer: Trainer
    wandb_mode: str


def train(training: Training) -> None:
    """Train and evaluate; end the process unless both succeed."""
    try:
        fit_and_evaluate(training)
    except SystemExit as end:
        close_wandb(training, end.code if isinstance(end.code, int) else exit_status.FAILURE)
        raise
    close_wandb(training, 0)


def close_wandb(training: Training, status: int) -> None:
    """Close the W&B run, if there is one, with the exit status of the process."""
    if training.wandb_mode != "disabled":
        finish(status, training.experiment.config.run.wandb_timeout)


def fit_and_evaluate(training: Training) -> None:
    """Train, then do the evaluations that the run asks for.

    Raises:
        SystemExit: the run did not finish.
    """
    keep_freed_memory()
    stop_on_warning()
    experiment, recorder, trainer = training.experiment, training.recorder, training.trainer
    try:
        if is_first_process():
            say(opening_lines(experiment, recorder))
            loggers = make_loggers(experiment, recorder, training.wandb_mode)
            trainer.loggers = [*trainer.loggers, *loggers]
        if trainer.world_size > 1:
            os.environ[RUN_ID_VARIABLE] = recorder.folder.path.name
        if recorder.record["status"] != FINISHED:
            last = recorder.folder.last_checkpoint
            trainer.fit(
                experiment.model,
                experiment.datamodule,
                ckpt_path=str(last) if last.exists() else None,
                weights_only=True,
            )
        finished = recorder.record["status"] == FINISHED
        due = recorder.folder.due(recorder.record) if finished else []
        if "validation" in due:
            evaluate_final_weights(experiment, trainer, recorder)
        if "test" in due:  # in all processes; noise in the first, for which they do not wait
            evaluate_on_test_split(experiment, trainer, recorder)
        if "noise" in due and is_first_process():
            evaluate_under_noise(experiment, recorder, trainer.strategy.root_device)
    except KeyboardInterrupt:
        recorder.write(INTERRUPTED)
    except SystemExit:
        pass  # raised by Lightning on Ctrl-C and SIGTERM, after the callbacks
    except Exception as error:
        end_by_error(error, training)
    if is_first_process():
        report_end(recorder.folder)
    elif recorder.record["status"] != FINISHED:
        sys.exit(exit_status.INTERRUPTED)


def end_by_error(error: Exception, training: Training) -> NoReturn:
    """Record an error, and end all processes of the training with one line about it."""
    recorder, trainer = training.recorder, training.trainer
    bad_image = isinstance(error, BadImageError)
    callbacks = trainer.callbacks  # type: ignore[attr-defined]
    watchdog = next(c for c in callbacks if isinstance(c, RankWatchdog))
    watchdog.await_cause(error)
    if bad_image or recorder.record["status"] == RUNNING:  # Lightning did not see the error
        recorder.on_exception(trainer, training.experiment.model, error)
    line = str(error) if bad_image else explain_failure(error, recorder.folder.path)
    line_here = watchdog.share(trainer, line)
    if line_here is not None:
        sys.stderr.write(f"{'error' if bad_image else 'failed'}: {' '.join(line_here.split())}\n")
    sys.exit(exit_status.BAD_INPUT if bad_image else exit_status.FAILURE)


def report_end(folder: RunFolder) -> None:
    """Print how the run ended, by its record; exit unless it has finished.

    `sys.exit` instead of raising SystemExit, since W&B takes a run's status from `sys.exit`.
    """
    record = folder.read()
    again = f"{PROG} --resume {folder.path}"
    if record["status"] == FINISHED and folder.due(record):
        sys.stderr.write(f"stopped during the final evaluation; evaluate with: {again}\n")
        sys.exit(exit_status.INTERRUPTED)
    if record["status"] == FINISHED:
        say(closing_line(folder))
    elif record["status"] == INTERRUPTED:
        sys.stderr.write(f"stopped; resume with: {again}\n")
        sys.exit(exit_status.INTERRUPTED)
    else:
        sys.stderr.write(f"failed: {record.get('error', 'the training did not end')}\n")
        sys.exit(exit_status.FAILURE)
