"""Random numbers that depend on the step only, so that a resumed run draws the same."""

from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer


class SeedEachStep(Callback):
    """Seed torch before each training batch from (seed, epoch, batch, rank).

    A resumed run then draws the same dropout and stochastic depth as an uninterrupted run,
    whatever loaders and validation drew in between.

    Args:
        seed: Random seed of the run.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed before the forward pass."""
        key = (self.seed, trainer.current_epoch, batch_idx, trainer.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint32)[0]))

    def on_load_checkpoint(
        self, trainer: Trainer, pl_module: LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Restore the epoch before a loader starts, so that it loads that epoch's images.

        Lightning restores it after `configure_optimizers`, whose count of steps starts the loader
        and its processes, which load ahead.
        """
        progress = checkpoint["loops"]["fit_loop"]["epoch_progress"]
        trainer.fit_loop.epoch_progress.load_state_dict(progress)
