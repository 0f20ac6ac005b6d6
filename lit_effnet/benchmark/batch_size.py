"""What is called to measure a network, at a batch that memory and time allow."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from lit_effnet.benchmark.models import Candidate
from lit_effnet.profiling.execution import Configuration
from lit_effnet.profiling.free_memory import available_memory
from lit_effnet.profiling.memory import Work, reason, return_memory
from lit_effnet.profiling.timing import alternating
from lit_effnet.training.errors import is_out_of_memory

# Bytes of activations that live at once, in times of those of all convolutions' outputs: a guess
# on the safe side of what peak_memory measures.
LIVE = {"inference": 0.5, "training": 4.0}
PART_OF_MEMORY = 0.6  # of what is available, that a batch may take
PASSES = {"inference": 1, "training": 3}  # that a batch takes, in times of one forward


@dataclass(frozen=True)
class Batch:
    """How many images a network gets at once, and why not as many as were wanted."""

    images: int
    limited_by: str | None = None


class Way:
    """A call that is timed; an error ends it and not the others' measurement.

    Args:
        call: Computes one batch.
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
            except Exception as error:  # a network or a program may raise anything
                self.failure = reason(error)


def limited(batch: Batch, seconds: float, work: Work, latency_ms: float) -> Batch:
    """The batch, no larger than a time allows.

    Args:
        batch: As large as memory allows.
        seconds: What a batch may take at most.
        work: What is computed.
        latency_ms: Of one image, forward.
    """
    most = max(1, int(1e3 * seconds / (PASSES[work] * latency_ms)))
    if most >= batch.images:
        return batch
    return Batch(_power_of_2(most), f"{seconds:g} s for a batch")


def grown(
    candidate: Candidate, how: Configuration, batch: Batch, work: Work, seconds: float
) -> Batch:
    """The batch, no larger than a time allows, found by computing ever larger ones.

    A GPU takes as long for one image as for many, so that nothing follows from its latency.

    Args:
        candidate: The network.
        how: How it is run.
        batch: As large as memory allows.
        work: What is computed.
        seconds: What a batch may take at most.
    """
    images = 1
    while images < batch.images:
        way = tried(candidate, how, Batch(images), work)
        if isinstance(way, str):
            return batch  # its error is told where it is measured
        if way.batch.images < images:
            return way.batch
        (times,) = alternating({images: way}, 1, 0, how.device).values()
        if way.failure is not None:
            return batch
        # Twice as many take at most twice as long.
        if 2 * times.walls[0] > 1e3 * seconds:
            return Batch(images, f"{seconds:g} s for a batch")
        images *= 2
        del way  # with its images and gradients, before the next allocates its own
    return batch


def fitting(candidate: Candidate, wanted: int, work: Work, device: str) -> Batch:
    """The batch, no larger than its activations fit into memory."""
    if candidate.complexity is None:
        return Batch(wanted)
    each = 4 * LIVE[work] * candidate.complexity.activations
    most = max(1, int(PART_OF_MEMORY * available_memory(device) / each))
    return Batch(wanted) if most >= wanted else Batch(_power_of_2(most), "memory")


def _power_of_2(most: int) -> int:
    return 1 << (most.bit_length() - 1)


def prepared(
    candidate: Candidate, how: Configuration, images: int, work: Work
) -> Callable[[], object]:
    """One batch of inference, or of training without an optimiser's step."""
    shown = how.images(images, candidate.image_size)
    network = how.prepare(candidate.network)
    return how.inference(network, shown) if work == "inference" else how.training(network, shown)


def tried(candidate: Candidate, how: Configuration, batch: Batch, work: Work) -> Way | str:
    """What computes a batch, halved until memory suffices; or in a line why nothing does.

    timm's benchmark halves so too.
    """
    while True:
        try:
            return Way(_computed_once(candidate, how, batch.images, work), batch)
        except Exception as error:  # a network or a program may raise anything
            if batch.images == 1 or not is_out_of_memory(error):
                return reason(error)
        # Here, where the error and what it holds of the batch are gone.
        return_memory()
        batch = Batch(batch.images // 2, "memory")


def _computed_once(
    candidate: Candidate, how: Configuration, images: int, work: Work
) -> Callable[[], object]:
    call = prepared(candidate, how, images, work)
    call()
    if torch.device(how.device).type == "cuda":
        torch.cuda.synchronize(how.device)  # an error is raised only when it is waited for
    return call
