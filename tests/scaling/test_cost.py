"""The count from a plan equals the count on the built network, to the unit."""

import random

import pytest
import torch

from lit_effnet.network.complexity import complexity
from lit_effnet.network.registry import build
from lit_effnet.scaling.compound import VARIANTS, Scaling
from lit_effnet.scaling.cost import count


@pytest.mark.parametrize("case", range(12))
def test_any_scaling_is_counted_as_the_network_that_is_built(case: int) -> None:
    draw = random.Random(case)
    scaling = Scaling(
        draw.uniform(0.3, 2.5), draw.uniform(0.2, 2), rounding=draw.choice(["ceil", "round"])
    )
    size, classes = draw.randrange(32, 300), draw.choice([2, 9, 1000])
    se_ratio = draw.choice([0, 1 / 32, 0.25, 0.5])
    with torch.device("meta"):
        built = complexity(build("efficientnet", scaling, classes, se_ratio=se_ratio), size)
    assert count(scaling, size, classes, se_ratio=se_ratio) == built


@pytest.mark.parametrize("name", ["b0", "b3", "b7"])
def test_variants_and_lite_networks_are_counted_as_built(name: str) -> None:
    variant = VARIANTS[name]
    with torch.device("meta"):
        built = complexity(build("efficientnet", variant.scaling), variant.image_size)
        lite = complexity(build("efficientnet_lite", variant.scaling, 9), 97)
    assert count(variant.scaling, variant.image_size) == built
    assert count(variant.scaling, 97, 9, se_ratio=0, lite=True) == lite
