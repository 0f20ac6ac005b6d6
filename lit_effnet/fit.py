"""Train one network on one data set by one recipe, into one run folder.

python -m lit_effnet.fit                                     # the embedded photographs
python -m lit_effnet.fit --config experiments/photos.yaml --scaling.phi 1
python -m lit_effnet.fit --resume runs/photos/RUN
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import yaml
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ProgressBar

from lit_effnet.cli.errors import one_line_errors
from lit_effnet.cli.output import prepare_output, quiet_libraries
from lit_effnet.data.decoding import BadImageError
from lit_effnet.data.schema import Use
from lit_effnet.experiment.final_evaluation import (
    check_evaluation,
    evaluate_final_weights,
    evaluate_on_test_split,
    evaluate_under_noise,
)
from lit_effnet.experiment.lightning_cli import Experiment
from lit_effnet.experiment.run_folder import (
    RUN_ID_VARIABLE,
    choose_folder,
    folder_to_resume,
    is_handed_out_again,
    make_folder,
    weights_in,
)
from lit_effnet.experiment.run_record import compare_classes, new_record
from lit_effnet.experiment.summary import closing_line, opening_lines
from lit_effnet.network.pretrained_cfg import told_of
from lit_effnet.runs.exit_status import BAD_INPUT
from lit_effnet.runs.files import write_whole
from lit_effnet.runs.folder import FINISHED, INTERRUPTED, RUNNING, RunFolder
from lit_effnet.runs.machine import keep_freed_memory
from lit_effnet.training.checkpoints import check_network, checkpoint_callbacks, read_checkpoint
from lit_effnet.training.distributed.batch_norm import SharedRunningStatistics
from lit_effnet.training.distributed.strategy import stop_on_warning
from lit_effnet.training.distributed.watchdog import FAILURE, STOPPED, RankWatch
from lit_effnet.training.ema import ExponentialMovingAverage
from lit_effnet.training.errors import explain_failure
from lit_effnet.training.progress import EpochBar, EpochLines, say
from lit_effnet.training.recorder import RunRecord, first_process, only_process
from lit_effnet.training.seeding import SeedEachStep
from lit_effnet.training.throughput import ThroughputRecord
from lit_effnet.training.wandb_logging import choose_mode, finish, wandb_logger
from lit_effnet.trials.command import usual_setting


def main(args: list[str] | None = None) -> None:
    """Run the command: exit status 0 finished, 1 failed, 2 bad input, 130 stopped."""
    prepare_output()
    quiet_libraries()
    # W&B's agent adds this one for itself when it resumes a trial.
    given = sys.argv[1:] if args is None else args
    arguments = [usual_setting(a) for a in given if not a.startswith("--_wandb=")]
    try:
        resumed = folder_to_resume(arguments)
        if resumed is None:
            start(arguments)
        else:
            go_on(resumed)
    except KeyboardInterrupt:
        sys.stderr.write("stopped before the training began\n")
        raise SystemExit(STOPPED) from None


def start(arguments: list[str]) -> None:
    """Train in a new run folder, or go on in one that an agent or a queue hands out again."""
    experiment = make_experiment(arguments)
    with experiment.bad_input():
        folder = choose_folder(experiment)
        experiment.datamodule.setup("fit")  # what cannot be had shall leave no run behind
        check_evaluation(experiment)
        experiment.settle()
        compare_classes(experiment)
        config = experiment.resolved()
        record = new_record(experiment, folder, config)
        recorder = RunRecord(folder, record)
        trainer = make_trainer(experiment, folder, recorder)
        mode = choose_mode(experiment.config.run.wandb)
        # Such a run goes on in all its processes; other names are the first one's to judge.
        if (first_process() or is_handed_out_again(folder)) and (folder.path / "run.json").exists():
            take_up(folder, record)
            return
        make_folder(folder, experiment.config.run.root)
    with one_line_errors(), only_process(folder):
        if first_process():
            write_whole(folder.config, yaml.safe_dump(config, sort_keys=False))
            folder.write(record)
        train(experiment, trainer, recorder, mode)


def go_on(folder: RunFolder) -> None:
    """Train on in a run folder from its last whole epoch, under its own configuration.

    A run that is finished is not trained again.
    """
    record = folder.read()
    if record.get("status") == FINISHED and not folder.due(record):
        if first_process():
            say(f"already finished: {closing_line(folder)}")
        return
    with one_line_errors(), only_process(folder):
        if record.get("status") == FINISHED and not folder.last_checkpoint.exists():
            raise ValueError(f"{folder.last_checkpoint}: is gone, so there is nothing to evaluate")
        if first_process():
            folder.write(record)  # what cannot be written is found before the data are loaded
        last = folder.last_checkpoint
        checkpoint = read_checkpoint(last, to_resume=True) if last.exists() else None
        experiment = make_experiment(["--config", str(folder.config), *weights_in(folder)])
        with experiment.bad_input():
            record = folder.read()
            use = Use.of_run(record["data"])
            experiment.datamodule.used_as(replace(use, fingerprint=None)).setup("fit")
            experiment.settle()
            experiment.datamodule.recorded = use.fingerprint
            if experiment.datamodule.recorded != experiment.datamodule.fingerprint:
                raise ValueError(f"{folder.path}: the data are not those that the run began with")
            check_global_batch(experiment, folder, record)
            if checkpoint is not None:
                check_network(checkpoint, last, experiment.model)
            recorder = RunRecord(folder, record)
            trainer = make_trainer(experiment, folder, recorder)
            mode = choose_mode(experiment.config.run.wandb)
        train(experiment, trainer, recorder, mode)


def check_global_batch(experiment: Experiment, folder: RunFolder, record: dict[str, Any]) -> None:
    """Raise ValueError where a run would train on with other steps than it began with.

    The schedule of its learning rate was made for those.
    """
    began, here = record["data"].get("global_batch"), experiment.global_batch
    if record["status"] != FINISHED and began not in (None, here):
        raise ValueError(
            f"{folder.path}: began with {began} images for a step, and the devices here make it "
            f"{here}; with recipe.global_batch {began} in its config.yaml they accumulate them"
        )


def take_up(folder: RunFolder, record: dict[str, Any]) -> None:
    """Go on with a run that an earlier process left.

    Raises:
        ValueError: the folder is there because its name was given twice, or for other parameters.
    """
    if not is_handed_out_again(folder) or folder.read().get("config_hash") != record["config_hash"]:
        raise ValueError(f"{folder.path}: there is such a run; go on with --resume {folder.path}")
    go_on(folder)


def train(experiment: Experiment, trainer: Trainer, recorder: RunRecord, mode: str) -> None:
    """Fit, and end the process with a line and a status that say how it went."""
    try:
        fit_and_evaluate(experiment, trainer, recorder, mode)
    except SystemExit as end:
        if mode != "disabled":
            status = end.code if isinstance(end.code, int) else FAILURE
            finish(status, experiment.config.run.wandb_timeout)
        raise
    if mode != "disabled":
        finish(0, experiment.config.run.wandb_timeout)


def fit_and_evaluate(
    experiment: Experiment, trainer: Trainer, recorder: RunRecord, mode: str
) -> None:
    """Fit and what is due after that; SystemExit where it did not finish."""
    keep_freed_memory()
    stop_on_warning()
    folder = recorder.folder
    try:
        if first_process():
            say(opening_lines(experiment, recorder))
            trainer.loggers = [*trainer.loggers, *make_loggers(experiment, recorder, mode)]
        if trainer.world_size > 1:
            os.environ[RUN_ID_VARIABLE] = folder.path.name
        if recorder.record["status"] != FINISHED:
            trainer.fit(
                experiment.model,
                experiment.datamodule,
                ckpt_path=str(folder.last_checkpoint) if folder.last_checkpoint.exists() else None,
                weights_only=True,
            )
        folder = recorder.folder  # that of the first process, as all have it now
        due = folder.due(recorder.record) if recorder.record["status"] == FINISHED else []
        if "validation" in due:
            evaluate_final_weights(experiment, trainer, recorder)
        if "test" in due:  # in all processes; the other is in the first, for which they do not wait
            evaluate_on_test_split(experiment, trainer, recorder)
        if "noise" in due and first_process():
            evaluate_under_noise(experiment, recorder, trainer.strategy.root_device)
    except KeyboardInterrupt:
        recorder.write(INTERRUPTED)
    except SystemExit:
        pass  # Lightning's answer to Ctrl-C and SIGTERM, after the callbacks have seen it
    except Exception as error:
        end_by_error(error, experiment, trainer, recorder)
    if first_process():
        close(recorder.folder)
    elif recorder.record["status"] != FINISHED:
        sys.exit(STOPPED)


def end_by_error(
    error: Exception, experiment: Experiment, trainer: Trainer, recorder: RunRecord
) -> NoReturn:
    """Record an error and end all processes of the training with one line on it."""
    bad_image = isinstance(error, BadImageError)
    watch = next(c for c in trainer.callbacks if isinstance(c, RankWatch))  # type: ignore[attr-defined]
    watch.await_cause(error)
    if bad_image or recorder.record["status"] == RUNNING:  # it was not Lightning that saw the error
        recorder.on_exception(trainer, experiment.model, error)
    line = str(error) if bad_image else explain_failure(error, recorder.folder.path)
    line_here = watch.share(trainer, line)
    if line_here is not None:
        sys.stderr.write(f"{'error' if bad_image else 'failed'}: {' '.join(line_here.split())}\n")
    sys.exit(BAD_INPUT if bad_image else FAILURE)


def close(folder: RunFolder) -> None:
    """Say how the run ended, as its record tells it.

    By `sys.exit` and not by raising SystemExit: that is where W&B listens for a run's status.
    """
    record = folder.read()
    if record["status"] == FINISHED and folder.due(record):
        again = f"python -m lit_effnet.fit --resume {folder.path}"
        sys.stderr.write(f"stopped in its evaluation; to do that alone: {again}\n")
        sys.exit(STOPPED)
    if record["status"] == FINISHED:
        say(closing_line(folder))
    elif record["status"] == INTERRUPTED:
        sys.stderr.write(f"stopped; go on with: python -m lit_effnet.fit --resume {folder.path}\n")
        sys.exit(STOPPED)
    else:
        sys.stderr.write(f"failed: {record.get('error', 'the training did not end')}\n")
        sys.exit(FAILURE)


def make_experiment(arguments: list[str]) -> Experiment:
    """Parse the command line and build network and data."""
    return Experiment(arguments, prog="python -m lit_effnet.fit", description=__doc__)


def make_trainer(experiment: Experiment, folder: RunFolder, recorder: RunRecord) -> Trainer:
    """The trainer with the callbacks that every run has; touches no file."""
    try:
        experiment.model.told = told_of(recorder.record)
    except (KeyError, TypeError) as error:
        where = folder.path / "run.json"
        raise ValueError(f"{where}: does not describe its network ({error})") from error
    options = experiment.config.trainer
    watch = RankWatch(recorder, experiment.config.run.stall_timeout)
    callbacks: list[Callback] = [watch, SeedEachStep(experiment.config.seed_everything)]
    if experiment.processes > 1 and not experiment.synchronised:
        callbacks.append(SharedRunningStatistics())  # before the averages of the weights take them
    if decay := experiment.recipe.ema_decay:
        callbacks.append(ExponentialMovingAverage(decay, experiment.datamodule.num_classes))
    macs = recorder.record["complexity"]["macs"]
    callbacks += [ThroughputRecord(recorder, macs), recorder, EpochLines(recorder)]
    has_bar = any(isinstance(callback, ProgressBar) for callback in experiment.callbacks)
    if options.enable_progress_bar is not False and not has_bar:
        callbacks.append(EpochBar())
    if options.enable_checkpointing is not False:
        callbacks += checkpoint_callbacks(folder, validates=options.limit_val_batches != 0)
    return experiment.make_trainer(callbacks, str(folder.path))


def make_loggers(experiment: Experiment, recorder: RunRecord, mode: str) -> Sequence[Any]:
    """W&B's logger, unless it is disabled or `--trainer.logger false` wants none."""
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


if __name__ == "__main__":
    main()
