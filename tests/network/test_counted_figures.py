"""Figures in headers and docs that the counter gives are the counter's."""

import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from lit_effnet.data.catalog import CATALOG
from lit_effnet.scaling.arms import choose
from lit_effnet.scaling.compound import compound
from lit_effnet.scaling.cost import Complexity, count
from lit_effnet.trials.sweep_file import load
from tests.conftest import ROOT

SWEEPS = sorted((ROOT / "sweeps").glob("*.yaml"))
BUDGETS = (2.04, 3.99)


def text_of(name: str) -> str:
    """A file's words: of YAML its header's, without line breaks."""
    lines = (ROOT / name).read_text().splitlines()
    if name.endswith(".yaml"):
        lines = [line.removeprefix("#") for line in lines if line.startswith("#")]
    return " ".join(" ".join(lines).split())


@cache
def setting(on: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / f"experiments/ablation/{on}.yaml").read_text())
    return content


def counted(on: str, arm: str, px: int | None = None, **base: float) -> tuple[Complexity, int]:
    """What an arm costs with `--on`, and its image size."""
    flags = {**setting(on).get("scaling", {}), **base}
    data = setting(on)["data"]
    size, classes = px or data["image_size"], CATALOG[data["name"]].num_classes
    chosen = choose(arm=arm, **flags)
    scaling = chosen.settle(size, lambda scaling, pixels: count(scaling, pixels, classes))
    return count(scaling, scaling.image_size(size), classes), scaling.image_size(size)


def arms() -> list[str]:
    return list(load(ROOT / "sweeps/scaling_ablation.yaml").parameters["scaling.arm"]["values"])


def misses(on: str, px: int | None = None, axis: str = "") -> list[float]:
    """Percent by which matched arms miss their budgets."""
    baseline = counted(on, "baseline", px)[0].macs
    return [
        100
        * (
            counted(on, arm, px)[0].macs / (float(arm.split("budget=")[1].split(",")[0]) * baseline)
            - 1
        )
        for arm in arms()
        if "budget=" in arm and axis in arm
    ]


def most(on: str) -> str:
    return f"{max(map(abs, misses(on))):.1f} %"


def span(of: Iterable[float], digits: int = 0) -> str:
    values = [*of]
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}"


def said() -> list[tuple[str, str]]:
    """Files, and what the counter says they must say."""
    phi, _ = counted("imagenet", "phi=1.455,rounding=round")
    above, below = misses("cifar100", 32, "axis=resolution")
    b0, plain = count(compound(0), 224), count(compound(0), 224, se_ratio=0)
    phi_1 = {r: count(compound(1, rounding=r), round(224 * 1.15)) for r in ("ceil", "round")}
    table = json.loads((ROOT / "lit_effnet/network/complexity.json").read_text())
    b4 = table["b4"]["macs"] / table["resnet50"]["macs"]
    compared = [table[name]["macs"] for name in ("mobilenetv3_large", "wide_resnet101_2")]
    photos = count(compound(0), 64, CATALOG["photos"].num_classes)
    small = [counted(on, arm) for on in ("photos", "cifar10", "imagenette") for arm in arms()]
    trained = [arm for arm in arms() if arm != "axis=depth,budget=3.99"]  # on the GPU
    large = [counted("imagenette", arm, base_depth=1, base_width=1)[0] for arm in trained]
    cpu = (span((c.params / 1e6 for c, _ in small), 1), span(c.macs / 1e6 for c, _ in small))
    gpu = (span(c.params / 1e6 for c in large), span(c.macs / 1e6 for c in large))
    return [
        ("sweeps/scaling_ablation.yaml", f"it has {phi.params / 1e6:.2f} M and {2 * phi.macs / 1e9:.2f} G."),
        *(
            ("sweeps/scaling_ablation.yaml", f"{most(on)} with --on {on}")
            for on in ("photos", "cifar10", "imagenette", "cifar100", "imagenet")
        ),
        *(
            (f"experiments/ablation/{on}.yaml", f"MACs within {most(on)}.")
            for on in ("photos", "cifar10", "imagenette", "cifar100")
        ),
        (
            "experiments/ablation/cifar100.yaml",
            f"resolution {above:.1f} % above the first and {-below:.1f} % below the second.",
        ),
        (
            "sweeps/se_ratio.yaml",
            f"SE is {100 * (1 - plain.params / b0.params):.0f} % of B0's parameters and "
            f"{100 * (1 - plain.macs / b0.macs):.1f} % of its MACs",
        ),
        (
            "sweeps/baselines.yaml",
            f"from {compared[0] / 1e9:.1f} to {compared[1] / 1e9:.0f} G MACs at 224 px",
        ),
        (
            "docs/costs.md",
            f"phi = 1 costs {phi_1['ceil'].macs / b0.macs:.2f} times B0's MACs instead of twice; "
            f"with pycls' rounding (`round`) it costs {phi_1['round'].macs / b0.macs:.2f} times.",
        ),
        ("docs/costs.md", f"B4 has {b4:.2f} times ResNet-50's MACs"),
        ("README.md", f"B4 has {b4:.2f} times the MACs of ResNet-50"),
        ("README.md", f"B0 has {photos.params / 1e6:.2f} M parameters and {photos.macs / 1e6:.0f} M MACs"),
        ("docs/findings.md", f"have {cpu[0]} M parameters and {cpu[1]} M MACs, the images "
                             f"{span(size for _, size in small)} pixels"),
        ("docs/findings.md", f"on the GPU {gpu[0]} M parameters and {gpu[1]} M MACs"),
    ]  # fmt: skip


@pytest.mark.parametrize(("name", "sentence"), said())
def test_a_figure_that_can_be_counted_is_the_counters(name: str, sentence: str) -> None:
    assert sentence in text_of(name)


def test_the_arm_that_misses_its_budget_most_on_cifar10_is_the_one_that_is_named() -> None:
    matched = [arm for arm in arms() if "budget=" in arm]
    worst = max(zip(map(abs, misses("cifar10")), matched, strict=True))
    assert worst == (pytest.approx(3.04, abs=0.005), "axis=resolution,budget=3.99")
    assert "(resolution at 3.99)" in text_of("sweeps/scaling_ablation.yaml")


@pytest.mark.parametrize("file", SWEEPS, ids=[file.stem for file in SWEEPS])
def test_a_sweeps_header_counts_its_arms(file: Path) -> None:
    varied = [
        len(spec["values"])
        for name, spec in load(file).parameters.items()
        if "values" in spec and name != "seed_everything"
    ]
    product = 1
    for many in varied:
        product *= many
    found = re.search(r"^# arms\D+(\d+)", file.read_text(), re.MULTILINE)
    assert found is not None
    stated = int(found[1])
    if file.stem == "learning_rate":  # which says it as arms, and rates of each
        assert "The 15 of scaling_ablation, 5 rates each" in text_of(f"sweeps/{file.name}")
        stated *= 5
    assert stated == product
