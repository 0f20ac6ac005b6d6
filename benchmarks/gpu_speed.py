"""Compare this EfficientNet with timm's and torchvision's on one GPU, in turn in one process.

python benchmarks/gpu_speed.py --variant b0 --output b0.jsonl

All networks have the same weights. A call is several steps and one synchronisation, so that
Python's own time counts where it is the slower part. Training is forward, cross entropy and
backward; inference records no gradients. Utilisation is that of `lit_effnet.profiling.utilisation`.
"""

import argparse
import itertools
import json
import shlex
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import timm
import torch
import torchvision
from torch import nn

from lit_effnet.network.complexity import complexity
from lit_effnet.network.efficientnet import EfficientNet
from lit_effnet.profiling.execution import DTYPES, Configuration, Precision
from lit_effnet.profiling.peak_flops import peak
from lit_effnet.profiling.timing import Times, alternating
from lit_effnet.profiling.utilisation import utilisation
from lit_effnet.runs.provenance import git_commit, versions
from lit_effnet.scaling.compound import VARIANTS

NETWORKS: dict[str, Callable[[str], nn.Module]] = {
    # timm's epsilon, so that all compute the same.
    "ours": lambda variant: EfficientNet(
        VARIANTS[variant].scaling, bn_eps=1e-5, dropout=0, drop_path_rate=0
    ),
    "timm": lambda variant: timm.create_model(f"efficientnet_{variant}"),
    "torchvision": lambda variant: torchvision.models.get_model(
        f"efficientnet_{variant}", dropout=0, stochastic_depth_prob=0, norm_layer=nn.BatchNorm2d
    ),
}
MODES = ("inference", "training")
STEPS = 5  # in a call
WARM_UP = 2  # calls


class Way(NamedTuple):
    """One row of the table."""

    network: str
    mode: str
    precision: Precision


def build_networks(variant: str) -> dict[str, nn.Module]:
    """Return the networks, all with the weights of ours."""
    torch.manual_seed(0)
    networks = {name: build(variant) for name, build in NETWORKS.items()}
    weights = networks["ours"].state_dict().values()
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        logits = networks["ours"].eval()(images)
        for network in networks.values():
            network.load_state_dict(dict(zip(network.state_dict(), weights, strict=True)))
            torch.testing.assert_close(network.eval()(images), logits)
    return networks


def several(step: Callable[[], object]) -> Callable[[], None]:
    """Return a call of several steps."""

    def call() -> None:
        for _ in range(STEPS):
            step()

    return call


def prepare(way: Way, network: nn.Module, how: Configuration, options: Any) -> Callable[[], None]:
    """Return the call to time, on images in the device's memory."""
    images = how.images(options.batch, options.image_size)
    make = how.training if way.mode == "training" else how.inference
    return several(make(how.prepare(network), images))


def row_of(way: Way, times: Times, macs: int, how: Configuration, options: Any) -> dict[str, Any]:
    """Return the times of a configuration as a row."""
    low, median, high = (value / STEPS for value in times.percentiles())
    per_s = 1e3 * options.batch / median
    top = peak(how)
    used = utilisation(macs, per_s, top, training=way.mode == "training")
    return {
        **way._asdict(),
        "step_ms": median,
        "p5_ms": low,
        "p95_ms": high,
        "images_per_s": per_s,
        "utilisation": used,
        "peak_flops": top.flops,
        "peak_source": top.source,
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--variant", choices=[f"b{n}" for n in range(8)], default="b0")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--image_size", type=int, help="pixels; default: the variant's own")
    parser.add_argument("--precisions", nargs="+", choices=DTYPES, default=list(DTYPES))
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--output", type=Path, help="file of JSON lines to which rows are added")
    options = parser.parse_args()
    if torch.device(options.device).type == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: there is no CUDA device here")
    options.image_size = options.image_size or VARIANTS[options.variant].image_size

    networks = build_networks(options.variant)
    counted = complexity(networks["ours"], options.image_size)
    ways, configurations = {}, {}
    for way in map(Way._make, itertools.product(networks, MODES, options.precisions)):
        how = Configuration(way.precision, channels_last=True, device=options.device)
        ways[way] = prepare(way, networks[way.network], how, options)
        configurations[way] = how
    found = alternating(ways, options.rounds, WARM_UP, options.device)

    on_gpu = torch.device(options.device).type == "cuda"
    same = {
        "variant": options.variant,
        "image_size": options.image_size,
        "batch": options.batch,
        "macs": counted.macs,
        "rounds": options.rounds,
        "steps_in_a_call": STEPS,
        "layout": "channels-last",
        "device": torch.cuda.get_device_name(options.device) if on_gpu else "CPU",
        "command": shlex.join(["python", *sys.argv]),
        "measured": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "git_commit": git_commit(),
        "versions": versions(),
    }
    rows = [
        same | row_of(way, times, counted.macs, configurations[way], options)
        for way, times in found.items()
    ]
    if options.output is not None:
        with options.output.open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    print(
        f"{options.variant}, {options.image_size} px, batches of {options.batch}, {same['device']}"
    )
    names = f"{'network':<12} {'mode':<10} {'precision':<9}"
    print(
        names,
        f"{'ms of a step (5..95 %)':>24} {'images/s':>10} {'utilisation':>11} {'timm = 1':>8}",
    )
    of_timm = {(row["mode"], row["precision"]): row for row in rows if row["network"] == "timm"}
    for row in rows:
        ratio = row["images_per_s"] / of_timm[row["mode"], row["precision"]]["images_per_s"]
        spread = f"{row['step_ms']:.2f} ({row['p5_ms']:.2f}..{row['p95_ms']:.2f})"
        print(
            f"{row['network']:<12} {row['mode']:<10} {row['precision']:<9} {spread:>24}"
            f" {row['images_per_s']:>10,.0f} {row['utilisation']:>11.1%} {ratio:>8.2f}"
        )


if __name__ == "__main__":
    main()
