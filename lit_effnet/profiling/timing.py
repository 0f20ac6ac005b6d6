"""Time several functions in turn, so that a drift of the machine affects all alike."""

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

    `walls` is wall time. `cpus` is CPU time of the process, which other processes disturb less; it
    means nothing where a GPU computes.
    """

    walls: list[float] = field(default_factory=list)
    cpus: list[float] = field(default_factory=list)

    def percentiles(self) -> tuple[float, float, float]:
        """Return the 5th percentile, the median and the 95th percentile of the wall times."""
        low, median, high = (float(value) for value in np.percentile(self.walls, (5, 50, 95)))
        return low, median, high

    @property
    def cpu(self) -> float:
        """Median of the CPU times."""
        return float(np.median(self.cpus))


def processor_time_counts(threads: int, device: torch.device | str) -> bool:
    """Return whether process CPU time is a valid measure of a call: one thread, on a CPU.

    CPU time sums over threads and excludes work on a GPU.
    """
    return threads == 1 and torch.device(device).type == "cpu"


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Set the number of torch's threads inside, and restore it afterwards."""
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
    """Call the functions in turn, round by round, and return the times of each.

    Args:
        ways: Functions by name.
        runs: Timed calls of each function.
        warm_up: Calls of each function before these.
        device: Where they compute; a GPU is synchronised after each call.
        done: Called with 1 after each call, for a progress bar.
    """
    times = {name: Times() for name in ways}
    on_gpu = torch.device(device).type == "cuda"
    for run in range(warm_up + runs):
        for name, way in ways.items():
            wall, cpu = time.perf_counter(), time.process_time()
            way()
            if on_gpu:
                torch.cuda.synchronize(device)
            if run >= warm_up:
                times[name].walls.append(1e3 * (time.perf_counter() - wall))
                times[name].cpus.append(1e3 * (time.process_time() - cpu))
            done(1)
    return times
