"""How long ways to compute something take, alternating: a drift of the machine meets all."""

import time
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch

K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True)
class Times:
    """Milliseconds of repeated calls.

    `cpus` is the process's own processor time, which other processes on the machine disturb
    less; it means nothing where a GPU computes.
    """

    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)

    def percentiles(self) -> tuple[float, float, float]:
        """The 5th percentile, the median and the 95th percentile of the wall times."""
        low, median, high = (float(value) for value in np.percentile(self.walls, (5, 50, 95)))
        return low, median, high

    @property
    def cpu(self) -> float:
        """Median of the processor times."""
        return float(np.median(self.cpus))


def processor_time_counts(threads: int, device: torch.device | str) -> bool:
    """Whether the process's processor time is the time of a call.

    Of several threads it is the sum, which grows where the wall time shrinks; what a GPU computes
    is not in it.
    """
    return threads == 1 and torch.device(device).type == "cpu"


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Let torch compute with so many threads inside, and with as many as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def alternating(
    ways: Mapping[K, Callable[[], object]],
    runs: int,
    warm_up: int,
    device: torch.device | str = "cpu",
    done: Callable[[int], object] = lambda calls: None,
) -> dict[K, Times]:
    """Times of each way, round by round.

    Args:
        ways: What is called, by name.
        runs: How often each is called after `warm_up` calls that are not counted.
        warm_up: Calls of each that are not counted.
        device: Where they compute; a GPU is waited for.
        done: Is told after each call, for a progress bar.
    """
    found = {name: Times() for name in ways}
    on_gpu = torch.device(device).type == "cuda"
    for run in range(warm_up + runs):
        for name, way in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            way()
            if on_gpu:
                torch.cuda.synchronize(device)
            if run >= warm_up:
                found[name].walls.append(1e3 * (time.perf_counter() - wall))
                found[name].cpus.append(1e3 * (time.process_time() - cpu))
            done(1)
    return found
