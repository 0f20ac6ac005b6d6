"""Training throughput in images per second, and utilisation of the device's peak."""

import time
from typing import Any

from lightning.fabric.utilities.throughput import Throughput, get_available_flops
from lightning.pytorch import Callback, LightningModule, Trainer

from lit_effnet.training.precision import dtype_of
from lit_effnet.training.recorder import RunRecorder

TRAINING_PASSES = 3  # forward once, and backward twice as much
WINDOW = 100  # batches at most, over which the throughput is averaged


class ThroughputRecorder(Callback):
    """Records the throughput of the last batches in `run.json`; validation does not count.

    Utilisation is None where Lightning's table does not have the device's peak.

    Args:
        recorder: Recorder of the run.
        macs: Multiply-adds of one image's forward pass.
    """

    def __init__(self, recorder: RunRecorder, macs: int) -> None:
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
        # At most an epoch, since a shorter one would give no throughput.
        self.window = max(2, min(WINDOW, int(trainer.num_training_batches)))
        self.throughput = Throughput(peak, trainer.world_size, self.window)

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Start the clock; time between epochs does not count."""
        self.mark = time.perf_counter()

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Restart the clock after a validation within the epoch."""
        self.mark = time.perf_counter()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        """Count a batch and its time, including the loader's."""
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
        """Update the record; the recorder writes it with the epoch's row."""
        assert self.throughput is not None
        rates = self.throughput.compute()
        prefix = "" if trainer.world_size == 1 else "global/"
        images = rates.get(f"{prefix}samples_per_sec", rates.get("device/samples_per_sec"))
        if images is not None:
            self.recorder.record["throughput"] = {
                "images_per_s": images,
                "batches": self.window,
                "utilisation": rates.get("device/mfu"),
            }
