"""Counts against the golden table, pycls' published integers, and torch's FLOP counter."""

import pytest
import timm
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from lit_effnet.network.complexity import complexity
from lit_effnet.network.golden import golden_complexity
from lit_effnet.network.registry import BASELINES, build
from lit_effnet.scaling.compound import VARIANTS, Scaling

GOLDEN = golden_complexity()

# facebookresearch/pycls 5719de6, dev/model_complexity.json: params and activations.
PYCLS = {
    "b0": (5288548, 6748036),
    "b1": (7794184, 10884328),
    "b2": (9109994, 13832834),
    "b3": (12233232, 23831296),
    "b4": (19341616, 49489032),
    "b5": (30389784, 98857400),
}
LITE = {
    "lite0": Scaling(),
    "lite1": Scaling(1.1, 1.0),
    "lite2": Scaling(1.2, 1.1),
    "lite3": Scaling(1.4, 1.2),
    "lite4": Scaling(1.8, 1.4),
}


def counted(network: nn.Module, size: int) -> tuple[int, int, int]:
    cost = complexity(network, size)
    return cost.params, cost.macs, cost.activations


def golden(name: str) -> tuple[int, int, int]:
    row = GOLDEN[name]
    return row["params"], row["macs"], row["activations"]


@pytest.mark.parametrize("name", VARIANTS)
def test_variants_equal_the_golden_table_to_the_unit(name: str) -> None:
    with torch.device("meta"):
        network = build("efficientnet", VARIANTS[name].scaling)
    assert GOLDEN[name]["image_size"] == VARIANTS[name].image_size
    assert counted(network, VARIANTS[name].image_size) == golden(name)


@pytest.mark.parametrize("name", LITE)
def test_lite_networks_equal_the_golden_table_to_the_unit(name: str) -> None:
    with torch.device("meta"):
        network = build("efficientnet_lite", LITE[name])
    assert counted(network, GOLDEN[name]["image_size"]) == golden(name)


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_equal_the_golden_table_to_the_unit(name: str) -> None:
    with torch.device("meta"):
        network = build(name)
    assert GOLDEN[name]["image_size"] == BASELINES[name].image_size
    assert counted(network, BASELINES[name].image_size) == golden(name)


@pytest.mark.parametrize("name", ["b0", "b3", "b7", "lite0", "lite4"])
def test_the_golden_table_is_what_timms_networks_count(name: str) -> None:
    with torch.device("meta"):
        network = timm.create_model(f"efficientnet_{name}")
    assert counted(network, GOLDEN[name]["image_size"]) == golden(name)


@pytest.mark.parametrize("name", PYCLS)
def test_the_golden_table_agrees_with_pycls(name: str) -> None:
    assert (GOLDEN[name]["params"], GOLDEN[name]["activations"]) == PYCLS[name]


def test_counting_on_shapes_equals_counting_a_real_forward_pass() -> None:
    network = build("efficientnet", Scaling(0.5, 0.5)).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as flops:
        network(torch.randn(1, 3, 50, 70))
    assert complexity(network, (50, 70)).macs * 2 == flops.get_total_flops()


def test_a_hand_counted_network() -> None:
    network = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, 5),
    )  # fmt: skip
    cost = complexity(network, 10)
    assert cost.params == (3 * 8 * 9 + 8) + 16 + (8 * 5 + 5)
    assert cost.macs == 3 * 8 * 9 * 100 + 8 * 5
    assert cost.activations == 8 * 100 + 5


def test_counting_leaves_the_network_as_it_was() -> None:
    network = build("efficientnet", Scaling(0.5, 0.5))
    network.train()
    network.stages.eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    complexity(network, 64)
    assert network.training
    assert not network.stages.training
    assert all(torch.equal(before[name], t) for name, t in network.state_dict().items())


def test_an_image_size_that_the_network_cannot_take_is_named() -> None:
    with pytest.raises(ValueError, match="input size 4 x 4: the network cannot take it"):
        complexity(nn.Sequential(nn.Conv2d(3, 8, 7)), 4)
