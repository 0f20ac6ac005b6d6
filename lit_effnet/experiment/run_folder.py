"""Choose the run folder of a training: a new one, an agent's, or one to resume."""

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
from lit_effnet.training.recorder import is_first_process

# Lightning starts the other processes of a run by the same command line; they read its id here.
RUN_ID_VARIABLE = "LIT_EFFNET_RUN_ID"


def own_weights_flags(folder: RunFolder) -> list[str]:
    """Return the flag by which a resumed run takes its weights from its own checkpoint.

    The weights that it began with may be gone, and its record describes how they want images.
    """
    if folder.read().get("weights") is None or not folder.last_checkpoint.exists():
        return []
    return [f"--weights.name={folder.path}"]


def is_requeued(folder: RunFolder) -> bool:
    """Return whether a W&B agent named the folder, or SLURM requeued this job."""
    restarts = os.environ.get("SLURM_RESTART_COUNT", "0")
    return os.environ.get("WANDB_RUN_ID") == folder.path.name or restarts != "0"


def folder_to_resume(arguments: list[str]) -> RunFolder | None:
    """Return the run folder that `--resume` names; None without the flag.

    Bad input ends the process with one line and exit status 2.
    """
    if not any(a == "--resume" or a.startswith("--resume=") for a in arguments):
        return None
    first, *rest = arguments
    words = [*first.split("=", 1), *rest] if first.startswith("--resume=") else arguments
    if len(words) > 2 and words[0] == "--resume" and any("epochs" in word for word in words[2:]):
        fail(f"--resume cannot extend a run: {how_to_extend(words[1])}")
    if len(words) != 2 or words[0] != "--resume":
        fail("--resume RUN takes no other flag: the run is resumed with its own config.yaml")
    with one_line_errors():
        folder = RunFolder(locate(words[1], "--resume"))
        record = folder.read()
        began = record.get("data")
        if not (isinstance(began, dict) and "fingerprint" in began):
            raise ValueError(f"{folder.path / 'run.json'}: does not describe its data")
        if not folder.config.exists():
            fail(f"{folder.path}: no config.yaml to resume with")
        check_epochs(folder, record)
    return folder


def check_epochs(folder: RunFolder, record: Mapping[str, Any]) -> None:
    """Check that config.yaml still has the planned number of epochs.

    Raises:
        ValueError: it was edited to train longer or shorter.
    """
    config = read_yaml(folder.config)
    trainer = config.get("trainer") if isinstance(config, dict) else None
    asked = trainer.get("max_epochs") if isinstance(trainer, dict) else None
    planned = record.get("max_epochs")
    if planned is not None and asked not in (None, planned):
        raise ValueError(
            f"{folder.config}: max_epochs {asked} must be {planned}: "
            f"{how_to_extend(str(folder.path))}"
        )


def how_to_extend(run: str) -> str:
    """Return why a run cannot train longer than planned, and the flags of a new run that does."""
    return (
        "its learning-rate schedule has a fixed length; train a new run from its weights: "
        f"--config {run}/config.yaml --weights.name {run} --trainer.max_epochs N"
    )


def choose_folder(experiment: Experiment) -> RunFolder:
    """Return the folder in which the run will be recorded; creates nothing.

    Raises:
        ValueError: the id or the group is not a plain name, or the root cannot be a folder.
    """
    options = experiment.config.run
    run_id = options.id or os.environ.get(RUN_ID_VARIABLE) or os.environ.get("WANDB_RUN_ID")
    group, run_id = experiment.group, run_id or new_id()
    check_folder_name(run_id, "id")
    check_folder_name(group, "group")
    return RunFolder(locate(options.root, "root") / group / run_id)


def make_folder(folder: RunFolder, root: str) -> None:
    """Create the run folder, in the first process.

    Raises:
        ValueError: it cannot be created.
    """
    if not is_first_process():
        return
    try:
        folder.path.mkdir(parents=True, exist_ok=True)
        if not isinstance(folder.path, Path):  # only writing a file shows that a store takes it
            write_whole(folder.config, "")
            if folder.path.protocol == "memory":
                warnings.warn(f"{root}: is lost when this process ends", stacklevel=2)
    except OSError as error:
        raise ValueError(f"root {root}: {error.strerror or error}") from error
    except NotImplementedError as error:  # raised by fsspec for http://
        raise ValueError(f"root {root}: must be in a store that can be written") from error


def new_id() -> str:
    """Return a name that sorts by time; the process id separates runs of the same second."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}"
