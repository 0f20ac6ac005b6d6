"""Random numbers that depend on the step and not on what was drawn before it."""

from typing import Any

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer


class SeedEachStep(Callback):
    """Seeds torch before each training batch from (seed, epoch, batch, rank).

    A run that resumes then draws the same dropout and stochastic depth as one that was never
    stopped, whatever loaders and validation have drawn in between.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Seed before the forward pass."""
        key = (self.seed, trainer.current_epoch, batch_idx, trainer.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint32)[0]))
