"""Compare the CPU time of this EfficientNet-B0 with timm's and torchvision's, on one thread.

The configurations take turns in one process, so that a drift of the machine affects all of them.
Times are process CPU time, which other processes hardly disturb. Training is forward, cross entropy
and backward; inference records no gradients.
"""

import argparse
import copy
import itertools
import shlex
import statistics
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import timm
import torch
import torchvision
from torch import Tensor, nn
from torch.nn import functional as F

from lit_effnet.network.efficientnet import EfficientNet
from lit_effnet.runs.machine import keep_freed_memory
from lit_effnet.runs.provenance import cpu_name

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    # timm's epsilon, so that the logits can be compared.
    "ours": lambda: EfficientNet(bn_eps=1e-5, dropout=0, drop_path_rate=0),
    "timm": lambda: timm.create_model("efficientnet_b0"),
    "torchvision": lambda: torchvision.models.efficientnet_b0(
        dropout=0, stochastic_depth_prob=0, norm_layer=nn.BatchNorm2d
    ),
}
LAYOUTS = {"NCHW": torch.contiguous_format, "channels-last": torch.channels_last}
MODES = ("train", "inference")


class Configuration(NamedTuple):
    """One row of the table."""

    network: str
    mode: str
    precision: str
    layout: str
    compiled: bool


def autocast(precision: str) -> torch.autocast:
    """Return the context for `f32` or `bf16`."""
    return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16")


def build_networks(names: list[str], images: Tensor) -> dict[str, nn.Module]:
    """Return networks with equal weights, and running statistics of `[N, 3, H, W]` images."""
    torch.manual_seed(0)
    reference = NETWORKS["ours"]().train()
    norms = [m for m in reference.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.momentum = None  # a plain average; a fresh network's logits are all but equal
    with torch.no_grad():
        for _ in range(3):
            reference(images)
    weights = reference.state_dict().values()
    networks = {name: NETWORKS[name]() for name in names}
    for network in networks.values():
        network.load_state_dict(dict(zip(network.state_dict(), weights, strict=True)))
    return networks


def compare_logits(networks: dict[str, nn.Module], images: Tensor, precisions: list[str]) -> None:
    """Print the difference of every network's logits from timm's, relative to their spread."""
    logits = {}
    for name, precision in itertools.product(networks, precisions):
        with torch.inference_mode(), autocast(precision):
            logits[name, precision] = networks[name].eval()(images).float()
    if "timm" not in networks:
        return
    print("root mean square distance of the logits over their spread:")
    for (name, precision), values in logits.items():
        for other in precisions:
            exact = logits["timm", other]
            distance = (values - exact).square().mean().sqrt() / exact.std()
            print(f"  {name} {precision} from timm {other}: {distance:.1e}")


def prepare(
    configuration: Configuration, network: nn.Module, images: Tensor, labels: Tensor
) -> Callable[[], None]:
    """Return the step to time: a copy of `network` on `[N, 3, H, W]` images and `[N]` labels."""
    layout = LAYOUTS[configuration.layout]
    model = copy.deepcopy(network).to(memory_format=layout)
    model.train(configuration.mode == "train")
    model.compile(disable=not configuration.compiled)
    images = images.contiguous(memory_format=layout)

    def train() -> None:
        model.zero_grad()
        with autocast(configuration.precision):
            logits = model(images)
        F.cross_entropy(logits.float(), labels).backward()

    def infer() -> None:
        with torch.inference_mode(), autocast(configuration.precision):
            model(images)

    return train if configuration.mode == "train" else infer


def measure(
    steps: dict[Configuration, Callable[[], None]], repeats: int
) -> dict[Configuration, list[float]]:
    """Return the CPU milliseconds of every step, one list of `repeats` per configuration."""
    times: dict[Configuration, list[float]] = {configuration: [] for configuration in steps}
    for turn in range(-1, repeats):
        for configuration, step in steps.items():
            start = time.process_time()
            step()
            times[configuration].append(1000 * (time.process_time() - start))
        print(f"round {turn + 1} of {repeats}", file=sys.stderr, flush=True)
    return {configuration: values[1:] for configuration, values in times.items()}  # one warms up


def print_table(times: dict[Configuration, list[float]], batch: int) -> None:
    """Return one Markdown row per configuration; ratios above 1 are faster than timm's best."""
    medians = {configuration: statistics.median(values) for configuration, values in times.items()}
    print(
        "| network | mode | precision | layout | compiled | median CPU ms | min..max | images/s ",
        end="",
    )
    print("| x timm's best, same precision | x timm's best |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for row, values in sorted(times.items(), key=lambda item: (item[0].mode, medians[item[0]])):
        peers = {
            other: median
            for other, median in medians.items()
            if other.network == "timm" and other.mode == row.mode
        }
        same = [median for other, median in peers.items() if other.precision == row.precision]
        ratios = [
            f"{min(best) / medians[row]:.2f}" if best else "" for best in (same, peers.values())
        ]
        cells = [
            *row[:-1],
            "yes" if row.compiled else "no",
            f"{medians[row]:.0f}",
            f"{min(values):.0f}..{max(values):.0f}",
            f"{1000 * batch / medians[row]:.1f}",
            *ratios,
        ]
        print("|", " | ".join(cells), "|")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    parser.add_argument("--precisions", nargs="+", choices=("f32", "bf16"), default=["f32", "bf16"])
    parser.add_argument("--layouts", nargs="+", choices=LAYOUTS, default=list(LAYOUTS))
    parser.add_argument("--compile", action="store_true", help="measure torch.compile as well")
    parser.add_argument("--keep-freed-memory", action="store_true", help="tune the allocator")
    options = parser.parse_args()
    torch.set_num_threads(1)
    tuned = options.keep_freed_memory and keep_freed_memory()

    print("command:", shlex.join(["python", *sys.argv]))
    print(f"torch {torch.__version__}, timm {timm.__version__}, {cpu_name()}, one thread")
    print("allocator:", "keep_freed_memory()" if tuned else "as the process was started")
    images = torch.randn(options.batch, 3, options.image_size, options.image_size)
    labels = torch.randint(1000, (options.batch,))
    networks = build_networks(options.networks, images)
    compare_logits(networks, images, options.precisions)
    modes = [False, True] if options.compile else [False]
    rows = itertools.product(options.networks, MODES, options.precisions, options.layouts, modes)
    steps = {
        row: prepare(row, networks[row.network], images, labels)
        for row in map(Configuration._make, rows)
    }
    print_table(measure(steps, options.repeats), options.batch)


if __name__ == "__main__":
    main()
