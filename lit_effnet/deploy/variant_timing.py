"""Time networks interleaved, on one thread of the CPU."""

import copy
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from lit_effnet.deploy.base import BuiltNetwork, RuntimeModule
from lit_effnet.profiling.timing import K, Times, alternating, torch_threads

BATCHES = (1, 32)
WARM_UP, RUNS = 3, 50


@dataclass(frozen=True)
class Timing:
    """Time for one batch in milliseconds.

    `cpu_ms` is the processor time of this process over all its threads. Other processes of the
    machine disturb it less than wall time.
    """

    median_ms: float
    p5_ms: float
    p95_ms: float
    cpu_ms: float
    batch: int
    runs: int
    threads: int

    @classmethod
    def of(cls, times: Times, batch: int) -> "Timing":
        """Summarize the times of one network."""
        p5, median, p95 = times.percentiles()
        return cls(median, p5, p95, times.cpu, batch, len(times.walls), threads=1)

    def as_row(self, eager: "Timing") -> dict[str, Any]:
        """Return the fields, and the processor time of PyTorch's eager mode over this one."""
        fields = {k: round(v, 4) if isinstance(v, float) else v for k, v in asdict(self).items()}
        return {**fields, "eager_over_this": round(eager.cpu_ms / self.cpu_ms, 3)}


class EagerNetwork(RuntimeModule):
    """The network as PyTorch runs it: eager, float32, channels-last.

    Args:
        network: In evaluation mode, on the CPU; it is copied.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__("PyTorch eager float32", 1)
        copied: Any = copy.deepcopy(network)
        # In a list, so that its parameters are not registered as this module's.
        self.held = [copied.eval().to(memory_format=torch.channels_last)]

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits `float32 [N, K]` of images `float32 [N, 3, H, W]`."""
        with torch.inference_mode():
            logits: Tensor = self.held[0](images.contiguous(memory_format=torch.channels_last))
        return logits

    @property
    def built(self) -> BuiltNetwork:
        """The network with the size of its parameters and buffers."""
        tensors = self.held[0].state_dict().values()
        return BuiltNetwork(self, sum(tensor.nbytes for tensor in tensors))


def time_interleaved(
    networks: Mapping[K, nn.Module],
    image_size: int,
    batch: int,
    *,
    runs: int = RUNS,
    done: Callable[[int], object] = lambda runs: None,
) -> dict[K, Timing]:
    """Time the networks; each runs once in every round.

    Args:
        networks: Images `float32 [N, 3, S, S]` to logits, on the CPU, in evaluation mode.
        image_size: S in pixels.
        batch: Images in a batch.
        runs: Number of rounds after the warm-up.
        done: Called after each run, for a progress bar.
    """
    images = torch.randn(batch, 3, image_size, image_size)
    with torch_threads(1), torch.inference_mode():
        calls = {name: partial(network, images) for name, network in networks.items()}
        times = alternating(calls, runs, WARM_UP, done=done)
    return {name: Timing.of(of_network, batch) for name, of_network in times.items()}
