"""The last activated map and the stages of every network."""

import pytest
import torch
from torch import nn

from lit_effnet.network.feature_layers import last_map, stages
from lit_effnet.network.registry import BASELINES, NETWORKS, build
from lit_effnet.scaling.compound import Scaling


def kept(network: nn.Module, modules: dict[str, nn.Module], images: torch.Tensor) -> dict:
    """What each module gives in one forward pass, copied."""
    found: dict[str, list[torch.Tensor]] = {name: [] for name in modules}
    handles = [
        module.register_forward_hook(lambda m, i, output, name=name: found[name].append(output + 0))
        for name, module in modules.items()
    ]
    with torch.no_grad():
        network.eval()(images)
    for handle in handles:
        handle.remove()
    assert all(len(outputs) == 1 for outputs in found.values())
    return {name: outputs[0] for name, outputs in found.items()}


@pytest.mark.parametrize("name", list(BASELINES))
def test_a_baselines_last_map_is_what_timm_pools(name: str) -> None:
    network = build(name, num_classes=5).eval()
    images = torch.randn(1, 3, 96, 96)
    maps = kept(network, {"last": last_map(network), **stages(network)}, images)
    with torch.no_grad():
        expected = network.forward_features(images)
    assert torch.equal(maps["last"], expected)
    assert torch.equal(list(maps.values())[-1], expected)  # of the stages too
    assert expected.min() > -0.4  # after an activation; Hardswish goes down to -0.375
    sides = [found.shape[-1] for found in list(maps.values())[1:]]
    assert sides == sorted(sides, reverse=True)
    assert (sides[0], sides[-1]) == (48 if name != "nasnet_large" else 47, 3)


@pytest.mark.parametrize("name", ["efficientnet", "efficientnet_lite"])
def test_our_last_map_is_the_heads_after_its_activation(name: str) -> None:
    network = build(name, Scaling(0.5, 0.25), 5)
    maps = kept(network, stages(network), torch.randn(1, 3, 64, 64))
    assert last_map(network) is network.head
    assert list(maps) == ["stem", *(f"stage {i}" for i in range(1, 8)), "head"]
    assert maps["head"].min() >= -0.279  # SiLU's least value
    assert [found.shape[-1] for found in maps.values()] == [32, 32, 16, 8, 4, 4, 2, 2, 2]


def test_every_network_of_the_registry_has_both() -> None:
    with torch.device("meta"):
        for name in NETWORKS:
            network = build(name, num_classes=5)
            assert last_map(network) in stages(network).values() or name == "mobilenetv3_large"


def test_another_network_is_refused() -> None:
    with pytest.raises(ValueError, match="network Linear: is not one of the suite's"):
        last_map(nn.Linear(2, 2))
