"""Images in a second while a run trains, and which part of the device's peak that is."""

import time
from typing import Any

from lightning.fabric.utilities.throughput import Throughput, get_available_flops
from lightning.pytorch import Callback, LightningModule, Trainer

from lit_effnet.training.precision import dtype_of
from lit_effnet.training.recorder import RunRecord

TRAINING_PASSES = 3  # forward once, and backward twice as much
WINDOW = 100  # batches at most, of which the throughput is told


class ThroughputRecord(Callback):
    """Keeps the throughput of the last batches in `run.json`; validation does not count.

    Utilisation is null where Lightning's table does not know the device's peak.

    Args:
        recorder: Whose record it is.
        macs: Multiply-adds of one image's forward pass.
    """

    def __init__(self, recorder: RunRecord, macs: int) -> None:
        self.recorder, self.macs = recorder, macs
        self.throughput: Throughput | None = None
        self.seconds, self.batches, self.images = 0.0, 0, 0
        self.mark, self.window = 0.0, WINDOW

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Look up the device's peak."""
        device = trainer.strategy.root_device
        peak = None
        if device.type == "cuda":
            peak = get_available_flops(device, dtype_of(str(trainer.precision)))
        # No longer than an epoch, or a short one would give nothing.
        self.window = max(2, min(WINDOW, int(trainer.num_training_batches)))
        self.throughput = Throughput(peak, trainer.world_size, self.window)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock; what passes between epochs is not training."""
        self.mark = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock again where there was a validation within the epoch."""
        self.mark = time.perf_counter()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Count a batch and its time, the loader's with it."""
        now = time.perf_counter()
        self.seconds += now - self.mark
        self.mark = now
        self.batches += 1
        self.images += len(batch[1])
        assert self.throughput is not None
        self.throughput.update(
            time=self.seconds,
            batches=self.batches,
            samples=self.images,
            flops=2 * self.macs * TRAINING_PASSES * len(batch[1]),
        )

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Bring the record up to date; it is written with the epoch's row."""
        assert self.throughput is not None
        found = self.throughput.compute()
        every = "" if trainer.world_size == 1 else "global/"
        images = found.get(f"{every}samples_per_sec", found.get("device/samples_per_sec"))
        if images is not None:
            self.recorder.record["throughput"] = {
                "images_per_s": images,
                "batches": self.window,
                "utilisation": found.get("device/mfu"),
            }
