"""Compare Grad-CAM of B0 with plain use of grad-cam: CPU time of one thread, in turn.

python benchmarks/class_activation_maps.py
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from pytorch_grad_cam import GradCAM
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from lit_effnet.attribution.cam import explaining
from lit_effnet.network.feature_layers import last_map
from lit_effnet.network.registry import build
from lit_effnet.scaling.compound import VARIANTS


def plain(network: nn.Module, images: torch.Tensor, classes: list[int]) -> np.ndarray:
    """Return maps as in the README of grad-cam."""
    with GradCAM(model=network, target_layers=[last_map(network)]) as cam:
        return cam(input_tensor=images, targets=[ClassifierOutputTarget(c) for c in classes])


def ours(network: nn.Module, images: torch.Tensor, classes: list[int]) -> np.ndarray:
    """Return maps of a new explainer, as plain use makes a new one."""
    with explaining(network) as explainer:
        return explainer(images, classes)


def cpu_ms(once: Callable[[], object]) -> float:
    """Return the process CPU time of one call, in milliseconds."""
    began = time.process_time()
    once()
    return 1e3 * (time.process_time() - began)


def main() -> None:
    """Print a row for each batch size and method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--network", default="efficientnet", help="ours (b0) or a baseline's name")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16])
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    scaling = VARIANTS["b0"].scaling if options.network == "efficientnet" else None
    network = build(options.network, scaling).eval()
    print(
        f"{options.network}, {options.image_size} px, {options.repeats} repeats, CPU ms per image"
    )
    print("batch  way       median  min..max        times plain")
    for batch in options.batches:
        images = torch.randn(batch, 3, options.image_size, options.image_size)
        images = images.to(memory_format=torch.channels_last)
        classes = [index % 1000 for index in range(batch)]
        assert np.allclose(
            plain(network, images, classes), ours(network, images, classes), atol=1e-4
        )
        times: dict[str, list[float]] = {"plain": [], "ours": []}
        for _ in range(options.repeats):
            for name, way in (("plain", plain), ("ours", ours)):
                times[name].append(cpu_ms(partial(way, network, images, classes)) / batch)
        for name, values in times.items():
            ratio = statistics.median(times["plain"]) / statistics.median(values)
            print(
                f"{batch:5}  {name:8}{statistics.median(values):8.1f}  "
                f"{min(values):.1f}..{max(values):<12.1f}{ratio:.2f}"
            )


if __name__ == "__main__":
    main()
