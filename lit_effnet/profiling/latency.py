"""Measure the latency of a network for one image."""

from dataclasses import dataclass

import torch
from torch import nn

from lit_effnet.profiling.timing import Times, alternating, torch_threads

WARM_UP, RUNS = 10, 50


@dataclass(frozen=True)
class Latency:
    """Time for one image, in milliseconds.

    `cpu_ms` is the CPU time of the process over all threads, which other processes on the machine
    disturb less; None on a GPU.
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

    @classmethod
    def of(cls, times: Times, threads: int, precision: str, device: torch.device) -> "Latency":
        """Return the latency from times of single images."""
        p5, median, p95 = times.percentiles()
        cpu = times.cpu if device.type == "cpu" else None
        return cls(median, p5, p95, cpu, 1, len(times.walls), threads, precision, str(device))


def latency(network: nn.Module, image_size: int, device: torch.device | str = "cpu") -> Latency:
    """Return the latency of float32 inference at batch 1 and, on a CPU, with one thread.

    Args:
        network: Images `[1, 3, H, W]` to logits; its mode and device are restored afterwards.
        image_size: H and W in pixels.
        device: The device to measure.
    """
    device = torch.device(device)
    home = next(network.parameters()).device
    modes = {module: module.training for module in network.modules()}
    image = torch.randn(1, 3, image_size, image_size, device=device)
    image = image.contiguous(memory_format=torch.channels_last)  # as in training
    network.to(device).eval()
    try:
        with torch_threads(1), torch.inference_mode():
            times = alternating({"": lambda: network(image)}, RUNS, WARM_UP, device)[""]
    finally:
        network.to(home)
        for module, training in modes.items():
            module.training = training
    return Latency.of(times, 1, "float32", device)
