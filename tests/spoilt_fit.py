"""`fit` in whose rank SPOILT_RANK something goes wrong in the second epoch, as SPOIL says."""

import os
import signal
import sys
import time
from pathlib import Path

import torch
from lightning.pytorch import Callback

from lit_effnet import fit
from lit_effnet.experiment import trainer
from lit_effnet.training.classifier import LitClassifier
from lit_effnet.training.ema import ExponentialMovingAverage

SPOIL, RANK = os.environ.get("SPOIL"), int(os.environ.get("SPOILT_RANK", "1"))
FOUND = Path(os.environ.get("FOUND", "."))  # where ranks leave what they saw

training_step, test_step = LitClassifier.training_step, LitClassifier.test_step


def spoilt_training_step(self: LitClassifier, batch: tuple, batch_idx: int) -> torch.Tensor:
    trainer = self.trainer
    if trainer.global_rank == RANK and (trainer.current_epoch, batch_idx) == (1, 1):
        if SPOIL == "nan":
            batch = (batch[0] * float("nan"), batch[1])
        if SPOIL == "hang":
            time.sleep(600)
        if SPOIL in ("KILL", "STOP", "TERM"):
            os.kill(os.getpid(), getattr(signal, f"SIG{SPOIL}"))
    return training_step(self, batch, batch_idx)


def seen_test_step(self: LitClassifier, batch: tuple, batch_idx: int) -> None:
    """A test step that keeps what it predicted."""
    test_step(self, batch, batch_idx)
    file = FOUND / f"rank{self.trainer.global_rank}.pt"
    rows = torch.load(file) if file.exists() else []
    predicted = self(batch[0]).argmax(1)
    torch.save([*rows, *zip(predicted.tolist(), batch[1].tolist(), strict=True)], file)


class KeepAverages(Callback):
    """Keeps the averaged weights and statistics of each rank."""

    def on_train_end(self, trainer, pl_module) -> None:
        (average,) = (c for c in trainer.callbacks if isinstance(c, ExponentialMovingAverage))
        torch.save(average._average_model.module.state_dict(), FOUND / f"{trainer.global_rank}.pt")


def hanging_test_step(self: LitClassifier, batch: tuple, batch_idx: int) -> None:
    """A test step that never ends in one rank."""
    if self.trainer.global_rank == RANK:
        time.sleep(600)
    test_step(self, batch, batch_idx)


if __name__ == "__main__":
    if SPOIL == "never begin" and os.environ.get("LOCAL_RANK") == str(RANK):
        sys.exit(7)
    if SPOIL == "predictions":
        LitClassifier.test_step = seen_test_step
    elif SPOIL == "hang in test":
        LitClassifier.test_step = hanging_test_step
    elif SPOIL == "averages":
        callbacks = trainer.checkpoint_callbacks
        trainer.checkpoint_callbacks = lambda *a, **k: [KeepAverages(), *callbacks(*a, **k)]
    else:
        LitClassifier.training_step = spoilt_training_step
    fit.main()
