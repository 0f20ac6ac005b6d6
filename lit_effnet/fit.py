"""Train one network on one data set by one recipe, into one run folder.

python -m lit_effnet.fit                                     # the embedded photographs
python -m lit_effnet.fit --config experiments/photos.yaml --scaling.phi 1
python -m lit_effnet.fit --resume runs/photos/RUN
"""

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import torch
import yaml
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ProgressBar

from lit_effnet.announcements import closing_line, opening_lines
from lit_effnet.command_line import (
    fail,
    one_line_errors,
    plain_warnings,
    quiet_libraries,
    usual_setting,
)
from lit_effnet.data.decoding import BadImageError
from lit_effnet.experiment import Experiment
from lit_effnet.locations import locate
from lit_effnet.network.released import find
from lit_effnet.new_run import new_record
from lit_effnet.training.allocator import keep_freed_memory
from lit_effnet.training.averaging import ExponentialMovingAverage
from lit_effnet.training.batch_norm import SharedRunningStatistics
from lit_effnet.training.checkpoints import checkpoint_callbacks
from lit_effnet.training.failure import explain_failure
from lit_effnet.training.progress import EpochBar, EpochLines, say
from lit_effnet.training.rank_watch import RankWatch
from lit_effnet.training.record import (
    FINISHED,
    INTERRUPTED,
    RUNNING,
    RunFolder,
    RunRecord,
    first_process,
    write_whole,
)
from lit_effnet.training.seeding import SeedEachStep
from lit_effnet.training.throughput import ThroughputRecord
from lit_effnet.training.tracking import choose_mode, finish, wandb_logger

FAILURE, STOPPED = 1, 130

# Lightning starts further processes of a run by the same command line; they find its id here.
RUN_ID_VARIABLE = "LIT_EFFNET_RUN_ID"


def main(args: list[str] | None = None) -> None:
    """Run the command: exit status 0 finished, 1 failed, 2 bad input, 130 stopped."""
    plain_warnings()
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
    """Train in a new run folder; where a W&B agent names an old one, go on in that."""
    experiment = make_experiment(arguments)
    with experiment.bad_input():
        folder = choose_folder(experiment)
        experiment.datamodule.setup("fit")  # what cannot be had shall leave no run behind
        check_evaluation(experiment)
        experiment.settle()
        config = experiment.resolved()
        record = new_record(experiment, folder, config)
        recorder = RunRecord(folder, record)
        trainer = make_trainer(experiment, folder, recorder)
        mode = choose_mode(experiment.config.run.wandb)
        # An agent's trial goes on in all its processes; other names are the first one's to judge.
        if (first_process() or from_agent(folder)) and (folder.path / "run.json").exists():
            take_up(folder, record)
            return
        make_folder(folder, experiment.config.run.root)
    with one_line_errors(), folder.only_process():
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
        say(f"already finished: {closing_line(folder)}")
        return
    with one_line_errors(), folder.only_process():
        if record.get("status") == FINISHED and not folder.last_checkpoint.exists():
            raise ValueError(f"{folder.last_checkpoint}: is gone, so there is nothing to evaluate")
        experiment = make_experiment(["--config", str(folder.config), *weights_in(folder)])
        with experiment.bad_input():
            experiment.datamodule.setup("fit")
            experiment.settle()
            record = folder.read()
            if record["data"]["fingerprint"] != experiment.datamodule.fingerprint:
                raise ValueError(f"{folder.path}: the data are not those that the run began with")
            recorder = RunRecord(folder, record)
            trainer = make_trainer(experiment, folder, recorder)
            mode = choose_mode(experiment.config.run.wandb)
        train(experiment, trainer, recorder, mode)


def take_up(folder: RunFolder, record: dict[str, Any]) -> None:
    """Go on with an agent's trial that an earlier process left.

    Raises:
        ValueError: the folder is there because its name was given twice, or for other parameters.
    """
    if not from_agent(folder) or folder.read().get("config_hash") != record["config_hash"]:
        raise ValueError(f"{folder.path}: there is such a run; go on with --resume {folder.path}")
    go_on(folder)


def from_agent(folder: RunFolder) -> bool:
    """Whether a W&B agent named the folder."""
    return os.environ.get("WANDB_RUN_ID") == folder.path.name


def train(experiment: Experiment, trainer: Trainer, recorder: RunRecord, mode: str) -> None:
    """Fit, and end the process with a line and a status that say how it went."""
    try:
        fit_and_evaluate(experiment, trainer, recorder, mode)
    except SystemExit as end:
        if mode != "disabled":
            finish(end.code if isinstance(end.code, int) else FAILURE)
        raise
    if mode != "disabled":
        finish(0)


def fit_and_evaluate(
    experiment: Experiment, trainer: Trainer, recorder: RunRecord, mode: str
) -> None:
    """Fit and what is due after that; SystemExit where it did not finish."""
    keep_freed_memory()
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
        if "test" in due:  # in all processes; the other is in the first, for which they do not wait
            test(experiment, trainer, recorder)
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
    line_here = watch.share(line)
    if line_here is not None and bad_image:
        fail(line_here)
    if line_here is not None:
        sys.stderr.write(f"failed: {line_here}\n")
    sys.exit(FAILURE)


def weights_in(folder: RunFolder) -> list[str]:
    """The flag by which a run that goes on takes its weights from itself.

    Those that it began with may be gone, and its record tells what they expected of images.
    """
    if folder.read().get("weights") is None or not folder.last_checkpoint.exists():
        return []
    return [f"--weights.name={folder.path}"]


def check_evaluation(experiment: Experiment) -> None:
    """Look at what the weights at the training's end shall be evaluated on.

    Raises:
        ValueError: there is none, it has bad images, or no weights will be kept.
    """
    data, options = experiment.datamodule, experiment.config
    if options.run.noise:
        from lit_effnet.data.corruptions.noise import GaussianNoise

        for sigma in options.run.noise:
            try:
                GaussianNoise(sigma)
            except ValueError as error:
                raise ValueError(f"run.noise: {error}") from error
    if options.run.noise and options.trainer.enable_checkpointing is False:
        raise ValueError("run.noise: evaluates the last checkpoint, and none is kept")
    if not experiment.config.run.test:
        return
    if "test" not in data.splits:
        raise ValueError(f"run.test true: {data.name} has only {', '.join(data.splits)}")
    if experiment.config.trainer.enable_checkpointing is False:
        raise ValueError("run.test true: tests the last checkpoint, and none is kept")
    data.setup("test")


def evaluate_under_noise(experiment: Experiment, recorder: RunRecord, device: torch.device) -> None:
    """Evaluate the last checkpoint under every level of noise that has no row yet.

    And on clean images, with which the others compare.
    """
    from lit_effnet.data.corruptions.noise import GaussianNoise
    from lit_effnet.evaluation.conditions import Condition
    from lit_effnet.evaluation.evaluator import Evaluator, View

    folder, data, model = recorder.folder, experiment.datamodule, experiment.model
    levels = experiment.config.run.noise or ()
    say(f"noise    sigma {', '.join(f'{sigma:g}' for sigma in levels)}")
    weights = find(str(folder.path))
    weights.load_into(model.network)
    model.to(device)  # Lightning brought it home after the training
    evaluator = Evaluator(model.network, data, "validation", weights.fingerprint, View.of(data))
    done = {row.get("id") for row in folder.read_evaluations()}
    noise = [Condition(GaussianNoise(sigma), made_at="reference") for sigma in levels]
    for condition in evaluator.with_clean(noise):
        if evaluator.id(condition) not in done:
            folder.add_evaluation(evaluator.row(condition))
    recorder.record["noise"] = list(levels)
    recorder.write(FINISHED)


def test(experiment: Experiment, trainer: Trainer, recorder: RunRecord) -> None:
    """Evaluate the last checkpoint on the test split and record it; this happens once.

    The checkpoint and not the network as it is: that holds no averaged weights where a run was
    stopped after its last epoch. Not by way of Lightning, which gives an averaging callback the
    averages and the network the others.
    """
    if first_process():
        say(f"test     {experiment.datamodule.sizes()['test']:,} images")
        # The strategy hands the first process's weights to the others.
        with recorder.folder.last_checkpoint.open("rb") as file:
            checkpoint = torch.load(file, "cpu", weights_only=True)
        experiment.model.load_state_dict(checkpoint["state_dict"])
    (metrics,) = trainer.test(experiment.model, experiment.datamodule, verbose=False)
    recorder.record["test"] = dict(metrics)
    recorder.write(FINISHED)


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
    )
    if logger is None:
        return ()
    if not isinstance(recorder.folder.path, Path):
        say(f"wandb    writes local files only: {Path(logger.experiment.dir).parent}")
    if not logger.experiment.offline:
        say(f"wandb    {logger.experiment.url}")
    return (logger,)


def folder_to_resume(arguments: list[str]) -> RunFolder | None:
    """The run folder after `--resume`, which stands alone; none without the flag."""
    if not any(a == "--resume" or a.startswith("--resume=") for a in arguments):
        return None
    first, *rest = arguments
    words = [*first.split("=", 1), *rest] if first.startswith("--resume=") else arguments
    if len(words) != 2 or words[0] != "--resume":
        fail("--resume RUN takes no other flag: the run goes on under its own config.yaml")
    with one_line_errors():
        folder = RunFolder(locate(words[1], "--resume"))
        folder.read()
    if not folder.config.exists():
        fail(f"{folder.path}: no config.yaml to go on under")
    return folder


def choose_folder(experiment: Experiment) -> RunFolder:
    """Where the run will be recorded; makes nothing.

    Raises:
        ValueError: the id or the group is no plain name, or the root is no folder's.
    """
    options = experiment.config.run
    given = options.id or os.environ.get(RUN_ID_VARIABLE) or os.environ.get("WANDB_RUN_ID")
    group, run_id = experiment.group, given or new_id()
    for name, value in (("id", run_id), ("group", group)):
        # The characters that W&B refuses in an id; most file systems do too.
        if value in (".", "..") or set(value) & set('/\\#?%:"<>|*'):
            raise ValueError(f'{name} {value!r}: must be a plain name, without /\\#?%:"<>|*')
    return RunFolder(locate(options.root, "root") / group / run_id)


def make_folder(folder: RunFolder, root: str) -> None:
    """Make the run folder.

    Raises:
        ValueError: it cannot be made.
    """
    if not first_process():
        return
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        if not isinstance(folder.path, Path):  # whether a store can be written, a file tells
            write_whole(folder.config, "")
    except OSError as error:
        raise ValueError(f"root {root}: {error.strerror or error}") from error


def new_id() -> str:
    """A name that sorts by time; the process's number keeps runs of one second apart."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}"


if __name__ == "__main__":
    main()
