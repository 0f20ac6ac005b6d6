"""Benchmark calls, limited by memory and time."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from lit_effnet.benchmark.models import BenchmarkModel, ConfiguredModel
from lit_effnet.profiling.free_memory import available_memory
from lit_effnet.profiling.memory import Work, reason, return_memory
from lit_effnet.profiling.timing import alternating
from lit_effnet.training.errors import is_out_of_memory

# Bytes of activations that live at once, relative to the outputs of all convolutions: a guess on
# the safe side of the peaks that peak_memory measures.
LIVE = {"inference": 0.5, "training": 4.0}
PART_OF_MEMORY = 0.6  # of the available memory, that a batch may take
PASSES = {"inference": 1, "training": 3}  # duration of a batch, relative to one forward pass


@dataclass(frozen=True)
class Batch:
    """Number of images in a batch, and the limit that made it smaller than was asked for."""

    images: int
    limited_by: str | None = None


class BenchmarkCall:
    """A call that computes one batch and stops after its first error.

    Networks are timed in turn, so that an error of one must not end the others.

    Args:
        call: Computes the batch.
        batch: The batch.
    """

    def __init__(self, call: Callable[[], object], batch: Batch) -> None:
        self.call, self.batch = call, batch
        self.failure: str | None = None

    def __call__(self) -> None:
        """Compute one batch, unless an earlier call failed."""
        if self.failure is None:
            try:
                self.call()
            except Exception as error:  # a network or a runtime may raise anything
                self.failure = reason(error)


def limit_by_time(batch: Batch, seconds: float, work: Work, latency_ms: float) -> Batch:
    """Return the batch, or a smaller one that fits into a time on a CPU.

    Args:
        batch: The batch that fits into memory.
        seconds: Longest duration of a batch.
        work: Inference or training.
        latency_ms: Latency of inference at batch 1.
    """
    largest = max(1, int(1e3 * seconds / (PASSES[work] * latency_ms)))
    if largest >= batch.images:
        return batch
    return Batch(_power_of_2(largest), f"{seconds:g} s for a batch")


def limit_by_memory(model: BenchmarkModel, images: int, work: Work, device: str) -> Batch:
    """Return a batch of so many images, or a smaller one whose activations fit into memory."""
    if model.complexity is None:
        return Batch(images)
    bytes_per_image = 4 * LIVE[work] * model.complexity.activations
    largest = max(1, int(PART_OF_MEMORY * available_memory(device) / bytes_per_image))
    return Batch(images) if largest >= images else Batch(_power_of_2(largest), "memory")


def grow(model: ConfiguredModel, batch: Batch, work: Work, seconds: float) -> Batch:
    """Return the batch, or a smaller one, by computing ever larger ones until a time is reached.

    A GPU takes as long for one image as for many, so that its latency does not tell how long a
    batch takes.

    Args:
        model: The network.
        batch: The batch that fits into memory.
        work: Inference or training.
        seconds: Longest duration of a batch.
    """
    images = 1
    while images < batch.images:
        call = first_call(model, Batch(images), work)
        if isinstance(call, str):
            return batch  # the measurement will meet the same error and report it
        if call.batch.images < images:
            return call.batch
        times = alternating({images: call}, 1, 0, model.configuration.device)[images]
        if call.failure is not None:
            return batch
        # Twice as many take at most twice as long.
        if 2 * times.walls[0] > 1e3 * seconds:
            return Batch(images, f"{seconds:g} s for a batch")
        images *= 2
        del call  # with its images and gradients, before the next allocates its own
    return batch


def first_call(model: ConfiguredModel, batch: Batch, work: Work) -> BenchmarkCall | str:
    """Return a call that has computed one batch, halved until memory suffices.

    timm's benchmark halves in the same way. Returns the error in one line where nothing helps.
    """
    while True:
        try:
            return BenchmarkCall(_called_once(model, batch.images, work), batch)
        except Exception as error:  # a network or a runtime may raise anything
            if batch.images == 1 or not is_out_of_memory(error):
                return reason(error)
        # Only here the error is gone, and with it the batch that it holds.
        return_memory()
        batch = Batch(batch.images // 2, "memory")


def _called_once(model: ConfiguredModel, images: int, work: Work) -> Callable[[], object]:
    call = model.call(images, work)
    call()
    device = torch.device(model.configuration.device)
    if device.type == "cuda":
        torch.cuda.synchronize(device)  # a GPU raises its errors only here
    return call


def _power_of_2(number: int) -> int:
    return 1 << (number.bit_length() - 1)
