"""Which run folder a training is recorded in: a new one, an agent's, or one that goes on."""

import os
import warnings
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from lit_effnet.cli.errors import fail, one_line_errors
from lit_effnet.experiment.lightning_cli import Experiment
from lit_effnet.runs.documents import read_yaml
from lit_effnet.runs.files import write_whole
from lit_effnet.runs.folder import RunFolder
from lit_effnet.runs.names import check_folder_name
from lit_effnet.runs.paths import locate
from lit_effnet.training.recorder import first_process

# Lightning starts further processes of a run by the same command line; they find its id here.
RUN_ID_VARIABLE = "LIT_EFFNET_RUN_ID"


def weights_in(folder: RunFolder) -> list[str]:
    """The flag by which a run that goes on takes its weights from itself.

    Those that it began with may be gone, and its record tells what they expected of images.
    """
    if folder.read().get("weights") is None or not folder.last_checkpoint.exists():
        return []
    return [f"--weights.name={folder.path}"]


def is_handed_out_again(folder: RunFolder) -> bool:
    """Return whether a W&B agent named the folder, or SLURM has queued this job again."""
    restarts = os.environ.get("SLURM_RESTART_COUNT", "0")
    return os.environ.get("WANDB_RUN_ID") == folder.path.name or restarts != "0"


def folder_to_resume(arguments: list[str]) -> RunFolder | None:
    """The run folder after `--resume`, which stands alone; none without the flag."""
    if not any(a == "--resume" or a.startswith("--resume=") for a in arguments):
        return None
    first, *rest = arguments
    words = [*first.split("=", 1), *rest] if first.startswith("--resume=") else arguments
    if len(words) > 2 and words[0] == "--resume" and any("epochs" in word for word in words[2:]):
        fail(f"--resume trains no longer than the run was planned: {longer(words[1])}")
    if len(words) != 2 or words[0] != "--resume":
        fail("--resume RUN takes no other flag: the run goes on under its own config.yaml")
    with one_line_errors():
        folder = RunFolder(locate(words[1], "--resume"))
        record = folder.read()
        began = record.get("data")
        if not (isinstance(began, dict) and "fingerprint" in began):
            raise ValueError(f"{folder.path / 'run.json'}: does not record its data")
        if not folder.config.exists():
            fail(f"{folder.path}: no config.yaml to go on under")
        check_epochs(folder, record)
    return folder


def check_epochs(folder: RunFolder, record: Mapping[str, Any]) -> None:
    """Raise ValueError where config.yaml was edited to train longer or shorter than planned."""
    config = read_yaml(folder.config)
    trainer = config.get("trainer") if isinstance(config, dict) else None
    asked = trainer.get("max_epochs") if isinstance(trainer, dict) else None
    planned = record.get("max_epochs")
    if planned is not None and asked not in (None, planned):
        raise ValueError(
            f"{folder.config}: max_epochs {asked} must be {planned}: {longer(str(folder.path))}"
        )


def longer(run: str) -> str:
    """Return why a run does not train longer than planned, and the flags of a run that does."""
    return (
        "the learning rate follows a schedule of that length; in a new run: "
        f"--config {run}/config.yaml --weights.name {run} --trainer.max_epochs N"
    )


def choose_folder(experiment: Experiment) -> RunFolder:
    """Where the run will be recorded; makes nothing.

    Raises:
        ValueError: the id or the group is no plain name, or the root is no folder's.
    """
    options = experiment.config.run
    given = options.id or os.environ.get(RUN_ID_VARIABLE) or os.environ.get("WANDB_RUN_ID")
    group, run_id = experiment.group, given or new_id()
    check_folder_name(run_id, "id")
    check_folder_name(group, "group")
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
            if folder.path.protocol == "memory":
                warnings.warn(f"{root}: is gone when this process ends", stacklevel=2)
    except OSError as error:
        raise ValueError(f"root {root}: {error.strerror or error}") from error
    except NotImplementedError as error:  # as fsspec says it of http://
        raise ValueError(f"root {root}: must be in a store that can be written") from error


def new_id() -> str:
    """A name that sorts by time; the process's number keeps runs of one second apart."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}"
