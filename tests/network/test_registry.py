"""Networks by name."""

import pytest
import torch

from lit_effnet.network.registry import NETWORKS, build
from lit_effnet.scaling.compound import Scaling


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_builds_with_a_head_of_the_asked_size(name: str) -> None:
    with torch.device("meta"):
        network = build(name, num_classes=7, dropout=0.1, drop_path_rate=0.1).eval()
        size = 331 if name == "nasnet_large" else 64
        assert network(torch.empty(2, 3, size, size)).shape == (2, 7)


def test_an_unknown_network_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="network 'resnet5': must be one of efficientnet, "):
        build("resnet5")


def test_what_a_baseline_cannot_vary_is_refused_and_resolution_is_not() -> None:
    with pytest.raises(ValueError, match="resnet50 has no depth, se_ratio to set"):
        build("resnet50", Scaling(depth=2), se_ratio=0.1)
    assert build("resnet50", Scaling(resolution=2), num_classes=3)
