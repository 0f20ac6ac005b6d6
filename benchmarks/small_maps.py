"""Compare training steps on small images with channels-last and with contiguous weights.

python benchmarks/small_maps.py --repeats 5

Batches are channels-last in both. The arms are those of the scaling ablation on CIFAR-10. Process
CPU time of one thread, both layouts in turn.
"""

import argparse
import statistics
import time

import torch
from torch import nn

from lit_effnet.network.efficientnet import EfficientNet
from lit_effnet.runs.machine import keep_freed_memory
from lit_effnet.scaling.compound import Scaling

ARMS = (
    ("baseline", 0.6, 0.3, 32),
    ("width", 0.6, 0.731, 32),
    ("depth", 3.35, 0.3, 32),
    ("resolution", 0.6, 0.3, 63),
    ("baseline", 0.6, 0.3, 64),
    ("baseline", 0.6, 0.3, 96),
)
BATCH, STEPS = 128, 8


def step_seconds(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the median CPU seconds of several steps."""
    found = []
    for _ in range(STEPS):
        began = time.process_time()
        network.zero_grad()
        nn.functional.cross_entropy(network(images), labels).backward()
        found.append(time.process_time() - began)
    return statistics.median(found)


def main() -> None:
    """Print one line per arm."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    keep_freed_memory()
    print(f"{'arm':<11}{'px':>4}  {'usual, ms (min..max)':>24}  {'channels-last':>24}  ratio")
    for name, depth, width, size in ARMS:
        torch.manual_seed(0)
        usual = EfficientNet(Scaling(depth, width), num_classes=10)
        last = EfficientNet(Scaling(depth, width), num_classes=10)
        last.to(memory_format=torch.channels_last)
        images = torch.randn(BATCH, 3, size, size).contiguous(memory_format=torch.channels_last)
        labels = torch.arange(BATCH) % 10
        times: dict[str, list[float]] = {"usual": [], "last": []}
        for _ in range(repeats):
            times["usual"].append(1e3 * step_seconds(usual, images, labels))
            times["last"].append(1e3 * step_seconds(last, images, labels))
        told = [f"{statistics.median(v):.0f} ({min(v):.0f}..{max(v):.0f})" for v in times.values()]
        ratio = statistics.median(times["usual"]) / statistics.median(times["last"])
        print(f"{name:<11}{size:>4}  {told[0]:>24}  {told[1]:>24}  {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
