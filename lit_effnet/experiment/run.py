"""Start the run of an experiment, or resume one from its folder."""

from dataclasses import replace
from typing import Any

import yaml

from lit_effnet.cli.errors import one_line_errors
from lit_effnet.cli.progress import say
from lit_effnet.data.schema import Use
from lit_effnet.experiment.final_evaluation import check_evaluation
from lit_effnet.experiment.lightning_cli import PROG, Experiment
from lit_effnet.experiment.run_folder import (
    choose_folder,
    is_requeued,
    make_folder,
    own_weights_flags,
)
from lit_effnet.experiment.run_record import new_record, warn_about_classes
from lit_effnet.experiment.summary import closing_line
from lit_effnet.experiment.trainer import make_trainer
from lit_effnet.experiment.training import Training, train
from lit_effnet.runs.files import write_whole
from lit_effnet.runs.folder import FINISHED, RunFolder
from lit_effnet.training.checkpoints import check_network, read_checkpoint
from lit_effnet.training.recorder import RunRecorder, is_first_process, lock_folder
from lit_effnet.training.wandb_logging import choose_mode


def start(experiment: Experiment) -> None:
    """Train in a new run folder, or resume if an agent or a queue runs this folder again."""
    with experiment.bad_input():
        folder = choose_folder(experiment)
        load_data(experiment)  # before the run folder exists, so that a failure leaves none behind
        check_evaluation(experiment)
        warn_about_classes(experiment)
        config = experiment.resolved()
        record = new_record(experiment, folder, config)
        training = make_training(experiment, folder, record)
        # All processes resume a requeued run. An existing name is for the first one to refuse.
        exists = (is_first_process() or is_requeued(folder)) and (folder.path / "run.json").exists()
        if exists:
            check_requeued(folder, record)
        else:
            make_folder(folder, experiment.config.run.root)
    if exists:
        resume(folder)
        return
    with one_line_errors(), lock_folder(folder):
        if is_first_process():
            write_whole(folder.config, yaml.safe_dump(config, sort_keys=False))
            folder.write(record)
        train(training)


def resume(folder: RunFolder) -> None:
    """Resume a run from its last complete epoch, with the configuration in its folder.

    Of a finished run, only evaluations that are missing are done.
    """
    with one_line_errors():
        record = folder.read()
        if record.get("status") == FINISHED and not folder.due(record):
            if is_first_process():
                say(f"already finished: {closing_line(folder)}")
            return
    with one_line_errors(), lock_folder(folder):
        last = folder.last_checkpoint
        if record.get("status") == FINISHED and not last.exists():
            raise ValueError(f"{last}: not found, so there is nothing to evaluate")
        if is_first_process():
            folder.write(record)  # fails here, before data are loaded, where it cannot be written
        checkpoint = read_checkpoint(last, to_resume=True) if last.exists() else None
        experiment = Experiment(["--config", str(folder.config), *own_weights_flags(folder)])
        with experiment.bad_input():
            record = folder.read()
            load_recorded_data(experiment, folder, record)
            check_global_batch(experiment, folder, record)
            if checkpoint is not None:
                check_network(checkpoint, last, experiment.model)
            training = make_training(experiment, folder, record)
        train(training)


def make_training(experiment: Experiment, folder: RunFolder, record: dict[str, Any]) -> Training:
    """Return the training of a run, ready to begin."""
    recorder = RunRecorder(folder, record)
    trainer = make_trainer(experiment, recorder)
    return Training(experiment, recorder, trainer, choose_mode(experiment.config.run.wandb))


def load_data(experiment: Experiment) -> None:
    """Load the training and validation images, and plan the training on them.

    Raises:
        ValueError: the data cannot be loaded, or the flags do not fit them.
    """
    experiment.datamodule.setup("fit")
    experiment.datamodule.step = experiment.plan.images_multiple


def load_recorded_data(experiment: Experiment, folder: RunFolder, record: dict[str, Any]) -> None:
    """Load the data of a run that is resumed.

    Raises:
        ValueError: they are not the data that the run began with.
    """
    data, use = experiment.datamodule, Use.of_run(record["data"])
    data.used_as(replace(use, fingerprint=None))
    load_data(experiment)
    data.recorded = use.fingerprint
    if data.recorded != data.fingerprint:
        raise ValueError(f"{folder.path}: the data are not those that the run began with")


def check_global_batch(experiment: Experiment, folder: RunFolder, record: dict[str, Any]) -> None:
    """Check that a resumed run takes as many images per step as it began with.

    Raises:
        ValueError: it does not, and its learning-rate schedule was made for those steps.
    """
    began, here = record["data"].get("global_batch"), experiment.plan.global_batch
    if record["status"] != FINISHED and began not in (None, here):
        raise ValueError(
            f"{folder.path}: began with {began} images per step, and the devices here make "
            f"{here}; set recipe.global_batch: {began} in its config.yaml to accumulate batches"
        )


def check_requeued(folder: RunFolder, record: dict[str, Any]) -> None:
    """Check that an existing folder is to be resumed with the parameters that it began with.

    Raises:
        ValueError: its name was given to a second run, or the parameters differ.
    """
    if not is_requeued(folder) or folder.read().get("config_hash") != record["config_hash"]:
        raise ValueError(
            f"{folder.path}: this run exists; resume it with {PROG} --resume {folder.path}"
        )
