"""Random numbers that depend on the epoch and not on what was drawn before it."""

import numpy as np
import torch
from lightning.pytorch import Callback, LightningModule, Trainer


class SeedEachEpoch(Callback):
    """Seeds torch at each epoch's start from (seed, epoch, rank).

    A run that resumes at an epoch then draws the same dropout and stochastic depth as one
    that was never stopped.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Seed before the first batch of the epoch."""
        key = (self.seed, trainer.current_epoch, trainer.global_rank)
        torch.manual_seed(int(np.random.SeedSequence(key).generate_state(1, np.uint32)[0]))
