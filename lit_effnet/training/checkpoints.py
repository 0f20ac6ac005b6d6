"""Checkpoints of the last and of the best epoch, written atomically and checked when read."""

import io
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from lit_effnet.runs.files import write_whole
from lit_effnet.runs.folder import HEADLINE, RunFolder
from lit_effnet.runs.paths import Location, locate
from lit_effnet.runs.tensor_files import other_checkpoint, read_tensors

# Entries of Lightning's checkpoints that resuming needs.
PARTS = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "epoch", "global_step")


def read_checkpoint(path: Location, *, to_resume: bool = False) -> dict[str, Any]:
    """Read a checkpoint of a training.

    Args:
        path: Checkpoint file.
        to_resume: Whether a run resumes from it; the error then names an alternative.

    Raises:
        ValueError: the file is missing, damaged, or no checkpoint of a training.
    """
    load = partial(torch.load, map_location="cpu", weights_only=True)
    checkpoint = read_tensors(path, load, to_resume=to_resume)
    parts = checkpoint if isinstance(checkpoint, dict) else {}
    missing = [name for name in PARTS if name not in parts]
    if missing or not isinstance(parts["state_dict"], dict):
        reason = f"is no checkpoint of a training (it has no {(*missing, 'state_dict')[0]})"
        raise ValueError(f"{path}: {reason}{other_checkpoint(path, to_resume)}")
    return parts


def check_network(checkpoint: Mapping[str, Any], path: Location, model: LightningModule) -> None:
    """Check that a network can resume from a checkpoint.

    Raises:
        ValueError: the checkpoint is of another network.
    """
    theirs, ours = checkpoint["state_dict"], model.state_dict()
    for name in (*ours, *theirs):
        here, there = (getattr(s.get(name), "shape", None) for s in (ours, theirs))
        if here != there:
            raise ValueError(
                f"{path}: is a checkpoint of another network than config.yaml's ({name} is "
                f"{_shape(there)} there and {_shape(here)} here){other_checkpoint(path, True)}"
            )


def _shape(shape: Any) -> str:
    return "missing" if shape is None else str(list(shape))


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes checkpoints atomically: beside the target, then renamed.

    Lightning's own writes to the system's temporary folder, and copies where that is another disk.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Save a checkpoint. A process that is killed meanwhile leaves the old one."""
        content = io.BytesIO()
        torch.save(checkpoint, content)
        file = locate(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, content.getbuffer())

    def load_checkpoint(
        self,
        path: Any,
        map_location: Callable[..., Any] | None = None,
        weights_only: bool | None = None,
    ) -> dict[str, Any]:
        """Load a checkpoint onto the CPU, without running code in it."""
        return read_checkpoint(locate(path), to_resume=True)


def checkpoint_callbacks(folder: RunFolder, validates: bool) -> list[Callback]:
    """Return callbacks that keep the last epoch and, with a validation, the one of best top-1."""
    shared: dict[str, Any] = {
        "dirpath": str(folder.checkpoints),
        "save_on_train_epoch_end": True,
        "enable_version_counter": False,
    }
    last = ModelCheckpoint(filename=folder.last_checkpoint.stem, **shared)
    if not validates:
        return [last]
    # The best comes first: the last checkpoint then contains its score, for a run that resumes.
    return [ModelCheckpoint(filename="best", monitor=HEADLINE, mode="max", **shared), last]
