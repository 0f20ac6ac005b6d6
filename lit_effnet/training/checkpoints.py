"""Checkpoints of the last and of the best epoch, in files that are written whole."""

import io
from typing import Any

import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.plugins.io import TorchCheckpointIO

from lit_effnet.locations import locate
from lit_effnet.runs.files import write_whole
from lit_effnet.training.record import HEADLINE, RunFolder


class WholeCheckpointIO(TorchCheckpointIO):
    """Writes beside the target and renames; Lightning's own goes through the system's temporary
    folder, and copies from there where that is another disk. To a store they go as they are.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None
    ) -> None:
        """Save a checkpoint; a process that is killed meanwhile leaves the old one."""
        content = io.BytesIO()
        torch.save(checkpoint, content)
        file = locate(path)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, content.getbuffer())


def checkpoint_callbacks(folder: RunFolder, validates: bool) -> list[Callback]:
    """Keep the last epoch and, where there is a validation, the one of the best top-1."""
    shared: dict[str, Any] = {
        "dirpath": str(folder.checkpoints),
        "save_on_train_epoch_end": True,
        "enable_version_counter": False,
    }
    last = ModelCheckpoint(filename=folder.last_checkpoint.stem, **shared)
    if not validates:
        return [last]
    # The best comes first: the last checkpoint holds its score, for a run that resumes there.
    return [ModelCheckpoint(filename="best", monitor=HEADLINE, mode="max", **shared), last]
