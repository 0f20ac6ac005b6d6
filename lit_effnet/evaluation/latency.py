"""How long a network takes for one image."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

WARM_UP, RUNS = 10, 50


@dataclass(frozen=True)
class Latency:
    """Time for one image, in milliseconds.

    `cpu_ms` is the processor's own time of the process, which other processes on the machine
    disturb less; null on a GPU.
    """

    median_ms: float
    p5_ms: float
    p95_ms: float
    cpu_ms: float | None
    batch: int
    runs: int
    threads: int
    precision: str
    device: str


def latency(network: nn.Module, image_size: int, device: torch.device | str = "cpu") -> Latency:
    """Latency of inference in float32 at batch 1 and, on a CPU, one thread.

    Args:
        network: Images `[1, 3, H, W]` to logits; left in the mode and on the device it had.
        image_size: H and W in pixels.
        device: Where it is measured.
    """
    device = torch.device(device)
    home = next(network.parameters()).device
    modes = {module: module.training for module in network.modules()}
    threads = torch.get_num_threads()
    image = torch.randn(1, 3, image_size, image_size, device=device)

    def once() -> None:
        network(image)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    network.to(device).eval()
    torch.set_num_threads(1)
    try:
        with torch.inference_mode():
            walls, cpus = _times(once)
    finally:
        torch.set_num_threads(threads)
        network.to(home)
        for module, training in modes.items():
            module.training = training
    p5, median, p95 = (float(value) for value in np.percentile(walls, (5, 50, 95)))
    cpu = float(np.median(cpus)) if device.type == "cpu" else None
    return Latency(median, p5, p95, cpu, 1, RUNS, 1, "float32", str(device))


def _times(once: Callable[[], None]) -> tuple[list[float], list[float]]:
    walls, cpus = [], []
    for run in range(WARM_UP + RUNS):
        wall, cpu = time.perf_counter(), time.process_time()
        once()
        if run >= WARM_UP:
            walls.append(1e3 * (time.perf_counter() - wall))
            cpus.append(1e3 * (time.process_time() - cpu))
    return walls, cpus
