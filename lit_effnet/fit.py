"""Train one network on one data set by one recipe, into one run folder.

python -m lit_effnet.fit                                     # the embedded photographs
python -m lit_effnet.fit --config experiments/photos.yaml --scaling.phi 1
python -m lit_effnet.fit --resume runs/photos/RUN
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from filelock import FileLock, Timeout
from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.utilities.rank_zero import rank_zero_only

from lit_effnet.command_line import fail, one_line_errors, plain_warnings, quiet_libraries
from lit_effnet.experiment import Experiment
from lit_effnet.network.complexity import complexity
from lit_effnet.training import provenance
from lit_effnet.training.allocator import keep_freed_memory
from lit_effnet.training.averaging import ExponentialMovingAverage
from lit_effnet.training.failure import explain_failure
from lit_effnet.training.progress import EpochBar, EpochLines, percent
from lit_effnet.training.record import (
    FINISHED,
    HEADLINE,
    INTERRUPTED,
    RUNNING,
    RunFolder,
    RunRecord,
    write_whole,
)
from lit_effnet.training.seeding import SeedEachStep
from lit_effnet.training.tracking import wandb_logger

FAILURE, STOPPED = 1, 130

# Lightning starts further processes of a run by the same command line; they find its id here.
RUN_ID_VARIABLE = "LIT_EFFNET_RUN_ID"


def main(args: list[str] | None = None) -> None:
    """Run the command: exit status 0 finished, 1 failed, 2 bad input, 130 stopped."""
    plain_warnings()
    quiet_libraries()
    arguments = sys.argv[1:] if args is None else args
    try:
        resumed = folder_to_resume(arguments)
        if resumed is None:
            start(arguments)
        elif resumed.read().get("status") == FINISHED:
            print(f"already finished: {closing_line(resumed)}")
        else:
            go_on(resumed)
    except KeyboardInterrupt:
        sys.stderr.write("stopped before the training began\n")
        raise SystemExit(STOPPED) from None


def start(arguments: list[str]) -> None:
    """Train in a new run folder."""
    experiment = make_experiment(arguments)
    with one_line_errors():
        folder = new_folder(experiment)
    with only_process(folder):
        config = experiment.resolved()
        write_whole(folder.config, yaml.safe_dump(config, sort_keys=False))
        train(experiment, folder, new_record(experiment, folder, config))


def go_on(folder: RunFolder) -> None:
    """Train on in a run folder from its last whole epoch, under its own configuration."""
    with only_process(folder):
        experiment = make_experiment(["--config", str(folder.config)])
        record = folder.read()
        fingerprint = experiment.datamodule.fingerprint
        if record["data"]["fingerprint"] != fingerprint:
            fail(f"{folder.path}: the data are not those that the run began with")
        train(experiment, folder, record)


def train(experiment: Experiment, folder: RunFolder, record: dict[str, Any]) -> None:
    """Fit, and end the process with a line and a status that say how it went."""
    keep_freed_memory()
    if first_process():
        print(opening_lines(experiment, record, folder), flush=True)
    recorder = RunRecord(folder, record)
    trainer = make_trainer(experiment, folder, recorder)
    checkpoint = folder.last_checkpoint if folder.last_checkpoint.exists() else None
    try:
        trainer.fit(
            experiment.model, experiment.datamodule, ckpt_path=checkpoint, weights_only=True
        )
    except SystemExit:
        pass  # Lightning's answer to Ctrl-C and SIGTERM, after the callbacks have seen it
    except Exception as error:
        sys.stderr.write(f"failed: {explain_failure(error, folder.path)}\n")
        raise SystemExit(FAILURE) from None
    if recorder.record["status"] == INTERRUPTED:
        sys.stderr.write(f"stopped; go on with --resume {folder.path}\n")
        raise SystemExit(STOPPED)
    if trainer.is_global_zero:
        print(closing_line(folder))


def make_experiment(arguments: list[str]) -> Experiment:
    """Parse the command line and build network and data."""
    return Experiment(arguments, prog="python -m lit_effnet.fit", description=__doc__)


def make_trainer(experiment: Experiment, folder: RunFolder, recorder: RunRecord) -> Trainer:
    """The trainer with the callbacks that every run has."""
    config = experiment.config
    callbacks: list[Callback] = [SeedEachStep(int(config.seed_everything))]
    if decay := experiment.recipe.ema_decay:
        callbacks.append(ExponentialMovingAverage(decay, experiment.datamodule.num_classes))
    callbacks += [EpochLines(), EpochBar(), recorder]
    validates = config.trainer.limit_val_batches != 0
    callbacks += checkpoint_callbacks(folder, validates)
    logger = None
    if first_process():
        logger = wandb_logger(
            folder.path,
            group=recorder.record["group"],
            run_id=recorder.record["id"],
            project=config.run.project,
            mode=config.run.wandb,
            config=experiment.resolved(),
        )
    trainer = experiment.make_trainer(callbacks, logger or False, str(folder.path))
    if trainer.world_size > 1:
        os.environ[RUN_ID_VARIABLE] = recorder.record["id"]
    return trainer


def checkpoint_callbacks(folder: RunFolder, validates: bool) -> list[Callback]:
    """Keep the last epoch and, where there is a validation, the one of the best top-1."""
    shared: dict[str, Any] = {
        "dirpath": folder.checkpoints,
        "save_on_train_epoch_end": True,
        "enable_version_counter": False,
    }
    last = ModelCheckpoint(filename=folder.last_checkpoint.stem, **shared)
    if not validates:
        return [last]
    return [last, ModelCheckpoint(filename="best", monitor=HEADLINE, mode="max", **shared)]


def folder_to_resume(arguments: list[str]) -> RunFolder | None:
    """The run folder after `--resume`, which stands alone; none without the flag."""
    given = [a for a in arguments if a == "--resume" or a.startswith("--resume=")]
    if not given:
        return None
    words = [word for argument in arguments for word in argument.split("=", 1)]
    if len(words) != 2 or words[0] != "--resume":
        fail("--resume RUN takes no other flag: the run goes on under its own config.yaml")
    folder = RunFolder(Path(words[1]))
    with one_line_errors():
        folder.read()
    if not folder.config.exists():
        fail(f"{folder.path}: no config.yaml to go on under")
    return folder


def new_folder(experiment: Experiment) -> RunFolder:
    """Make the folder of a new run.

    Raises:
        ValueError: there is a run of that id, or the folder cannot be made.
    """
    options = experiment.config.run
    run_id = options.id or os.environ.get(RUN_ID_VARIABLE) or os.environ.get("WANDB_RUN_ID")
    folder = RunFolder(Path(options.root) / group_name(experiment) / (run_id or new_id()))
    if first_process() and (folder.path / "run.json").exists():
        raise ValueError(f"{folder.path}: there is such a run; go on with --resume {folder.path}")
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ValueError(f"--run.root {options.root}: {error.strerror}") from error
    return folder


def first_process() -> bool:
    """Whether this is the process that writes the run folder, the first of the run's."""
    return getattr(rank_zero_only, "rank", 0) == 0


def group_name(experiment: Experiment) -> str:
    """The group asked for, else the experiment file's name, else the data set's."""
    options, configs = experiment.config.run, experiment.config.config
    if options.group:
        return str(options.group)
    return Path(str(configs[-1])).stem if configs else str(experiment.datamodule.name)


def new_id() -> str:
    """A name that sorts by time; the process keeps runs of one second apart."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}"


def new_record(experiment: Experiment, folder: RunFolder, config: dict[str, Any]) -> dict[str, Any]:
    """Write what is known of a run before it trains."""
    data = experiment.datamodule
    decides = {key: value for key, value in config.items() if key != "run"}
    record = {
        "status": RUNNING,
        "group": folder.path.parent.name,
        "id": folder.path.name,
        "arm": experiment.scaling.arm,
        "seed": experiment.config.seed_everything,
        "started": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "config_hash": provenance.config_hash(decides),
        "scaling": asdict(experiment.scaling),
        "network": experiment.config.model.name,
        "recipe": asdict(experiment.recipe),
        "data": {
            "name": data.name,
            "fingerprint": data.fingerprint,
            "images": data.sizes(),
            "classes": data.num_classes,
            "image_size": data.image_size,
            "batch_size": data.batch_size,
        },
        "complexity": asdict(complexity(experiment.model.network, data.image_size)),
        "precision": experiment.config.trainer.precision,
        "device": provenance.device_name(experiment.config.trainer.accelerator),
        "git_commit": provenance.git_commit(),
        "versions": provenance.versions(),
    }
    folder.write(record)
    return record


@contextmanager
def only_process(folder: RunFolder) -> Iterator[None]:
    """Keep a second process out of a run folder."""
    if not first_process():
        yield
        return
    try:
        with FileLock(folder.path / ".lock", timeout=0):
            yield
    except Timeout:
        fail(f"{folder.path}: another process is training this run")


def opening_lines(experiment: Experiment, record: dict[str, Any], folder: RunFolder) -> str:
    """What is about to be trained."""
    scaling, cost, data = record["scaling"], record["complexity"], record["data"]
    images = ", ".join(f"{count:,} {split}" for split, count in data["images"].items())
    trainer = experiment.config.trainer
    return "\n".join(
        (
            f"network  {record['network']}, depth {scaling['depth']:.4g}, width "
            f"{scaling['width']:.4g}, {data['image_size']} px: {cost['params'] / 1e6:.2f} M "
            f"parameters, {cost['macs'] / 1e6:,.1f} M MACs",
            f"data     {data['name']}: {images} images, {data['classes']} classes",
            f"recipe   {record['recipe']['name']}, {trainer.max_epochs} epochs, batch "
            f"{data['batch_size']}, {trainer.precision} on {record['device']}",
            f"run      {folder.path}",
        )
    )


def closing_line(folder: RunFolder) -> str:
    """Top-1, time, MACs and the run folder."""
    record = folder.read()
    metrics, cost, best = record.get("metrics", {}), record["cost"], record.get("best")
    top1 = "not validated"
    if HEADLINE in metrics:
        top1 = f"val top-1 {percent(metrics[HEADLINE]).strip()}"
    if best:
        top1 += f" (best {percent(best[HEADLINE]).strip()} in epoch {best['epoch'] + 1})"
    macs = record["complexity"]["macs"] / 1e6
    return f"{top1}, {cost['seconds']:.0f} s, {macs:,.1f} M MACs, {folder.path}"


if __name__ == "__main__":
    main()
