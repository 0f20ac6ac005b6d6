"""Which modules are layers, gates and blocks, and what stays in float."""

import pytest

from lit_effnet.deploy.layers import (
    blocks,
    distinct_choices,
    float_modules,
    is_inside,
    layers,
    parts_of,
    se_gates,
    silu_modules,
)
from lit_effnet.network.registry import build
from tests.deploy.conftest import EfficientNet, Trained


def test_every_layer_is_in_one_block_and_the_stem_stands_alone(photographs: Trained) -> None:
    found = blocks(photographs.network)
    assert [layer for part in found.values() for layer in part] == layers(photographs.network)
    assert found["stem.0"] == ["stem.0"]
    assert found["stages.1.0"] == [
        f"stages.1.0.{name}"
        for name in ("expand.0", "depthwise.0", "se.reduce", "se.expand", "project.0")
    ]


@pytest.mark.parametrize(
    "name", ["efficientnet", "timm/efficientnet_b0", "torchvision/efficientnet_b0"]
)
def test_gates_are_found_in_every_implementation(name: str) -> None:
    found = se_gates(build(name, None, 10) if name == "efficientnet" else _peer(name))
    assert len(found) == 16


def _peer(name: str):
    import timm
    import torchvision

    owner, _, which = name.partition("/")
    return timm.create_model(which) if owner == "timm" else getattr(torchvision.models, which)()


def test_a_part_of_a_name_is_not_a_module_of_that_name() -> None:
    assert is_inside("stages.1.0.se.reduce", ["stages.1.0.se"])
    assert is_inside("stem.0", ["stem.0"])
    assert not is_inside("stages.1.0.second", ["stages.1.0.se"])
    assert not is_inside("stages.10", ["stages.1"])


def test_modules_kept_in_float_are_the_gates_and_the_worst_layers(photographs: Trained) -> None:
    network = photographs.network
    assert float_modules("nothing", network, ["stem.0"]) == []
    assert float_modules("se", network, ["stem.0"]) == se_gates(network)
    assert float_modules("se+worst", network, ["stem.0"]) == [*se_gates(network), "stem.0"]


def test_a_network_without_gates_has_no_variant_for_them(lite: EfficientNet) -> None:
    assert se_gates(lite) == []
    assert distinct_choices(["nothing", "se", "se+worst"], parts_of(lite)) == ["nothing", "worst"]
    assert distinct_choices(["se", "silu"], parts_of(lite)) == ["nothing"]


def test_words_that_make_no_difference_are_left_out() -> None:
    assert distinct_choices(["nothing", "silu", "se+silu", "se"], ("se", "worst")) == [
        "nothing",
        "se",
    ]


def test_swishes_are_found_in_every_implementation() -> None:
    ours = build("efficientnet", None, 10)
    for network in (ours, _peer("timm/efficientnet_b0"), _peer("torchvision/efficientnet_b0")):
        assert len(silu_modules(network)) == 49
    assert len(silu_modules(_peer("timm/mobilenetv3_large_100"))) > 10
    assert float_modules("silu+se", ours) == [*se_gates(ours), *silu_modules(ours)]


def test_another_word_is_refused(lite: EfficientNet) -> None:
    with pytest.raises(
        ValueError, match=r"keep_float 'gates': must be nothing, or se, silu, worst joined by"
    ):
        distinct_choices(["gates"], parts_of(lite))
