"""How long networks take side by side, on one thread of the CPU: each in turn, many times."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lit_effnet.deploy.backends import Built
from lit_effnet.deploy.runtime import Runtime
from lit_effnet.profiling.timing import K, Times, alternating

BATCHES = (1, 32)
WARM_UP, RUNS = 3, 50


@dataclass(frozen=True)
class Timing:
    """Time for one batch in milliseconds.

    `cpu_ms` is the processor's time of the process, of all its threads, which other processes
    on the machine disturb less.
    """

    median_ms: float
    p5_ms: float
    p95_ms: float
    cpu_ms: float
    batch: int
    runs: int
    threads: int

    def as_row(self, eager: "Timing | None") -> dict[str, Any]:
        """The numbers, and how many times slower PyTorch's eager mode was, by processor time."""
        ratio = None if eager is None else round(eager.cpu_ms / self.cpu_ms, 3)
        numbers = {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}
        return {**numbers, "eager_over_this": ratio}


class Eager(Runtime):
    """The network as PyTorch runs it: eager, float32, channels-last.

    Args:
        network: In evaluation mode, on the CPU; it is copied.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__("PyTorch eager float32", 1)
        copied: Any = copy.deepcopy(network)
        # In a list, for its parameters are none of this module's.
        self.held = [copied.eval().to(memory_format=torch.channels_last)]

    def forward(self, images: Tensor) -> Tensor:
        """Logits `float32 [N, K]` of images `float32 [N, 3, H, W]`."""
        with torch.inference_mode():
            logits: Tensor = self.held[0](images.contiguous(memory_format=torch.channels_last))
        return logits

    @property
    def built(self) -> Built:
        """With the size of the file of its parameters and buffers."""
        tensors = self.held[0].state_dict().values()
        return Built(self, sum(tensor.nbytes for tensor in tensors))


def timed_in_turn(
    networks: Mapping[K, nn.Module],
    image_size: int,
    batch: int,
    runs: int = RUNS,
    done: Callable[[int], object] = lambda runs: None,
) -> dict[K, Timing]:
    """Timings of the networks, of which each runs once in every round.

    Args:
        networks: Images `float32 [N, 3, S, S]` to logits, on the CPU, in evaluation mode.
        image_size: S in pixels.
        batch: Images in a batch.
        runs: Rounds, after some to warm up.
        done: Is told of each run, for a progress bar.
    """
    images = torch.randn(batch, 3, image_size, image_size)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            ways = {name: partial(network, images) for name, network in networks.items()}
            found = alternating(ways, runs, WARM_UP, done=done)
    finally:
        torch.set_num_threads(threads)
    return {name: _timing(times, batch) for name, times in found.items()}


def _timing(times: Times, batch: int) -> Timing:
    p5, median, p95 = times.percentiles()
    return Timing(median, p5, p95, times.cpu, batch, len(times.walls), 1)
