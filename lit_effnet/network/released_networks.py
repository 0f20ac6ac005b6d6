"""The network that released weights belong to, told by their name or shapes, and filled."""

import re
from typing import Any

from torch import nn

from lit_effnet.network.properties import CONVENTIONS
from lit_effnet.network.registry import BASELINES, NETWORKS, OURS, build
from lit_effnet.network.weights import Weights
from lit_effnet.scaling.compound import VARIANTS, Scaling


def architecture(name: str, weights: Weights, given: str | None) -> tuple[str, Scaling]:
    """The name of released weights' network in the registry, and its scaling.

    Args:
        name: Where the weights come from.
        weights: What is known of them.
        given: Name of the network, where a person tells it.

    Raises:
        ValueError: it cannot be told, or is none of the suite's.
    """
    if given is not None and given not in NETWORKS:
        raise ValueError(f"network {given!r}: must be one of {', '.join(NETWORKS)}")
    if given is not None and given not in OURS:
        return given, Scaling()
    # timm/resnet50.tv_in1k, resnet50.safetensors, ResNet50_Weights.IMAGENET1K_V1
    stem = re.split(r"\.|_weights", name.lower().rsplit("/", 1)[-1])[0]
    # Before the shapes: those of MnasNet-A1 are B0's, as far as they are looked at.
    for known, baseline in BASELINES.items():
        if given is None and stem in (
            known,
            baseline.timm_name,
            baseline.timm_name.replace("_100", ""),
        ):
            return known, Scaling()
    if weights.variant is not None:
        own = "efficientnet_lite" if weights.lite else "efficientnet"
        return given or own, VARIANTS[weights.variant].scaling
    raise ValueError(
        f"{name}: its network cannot be told by the name; --network takes one of "
        f"{', '.join(NETWORKS)}"
    )


def filled(name: str, scaling: Scaling, weights: Weights) -> nn.Module:
    """The network with these weights, in evaluation mode.

    Raises:
        ValueError: they do not fit it.
    """
    options: dict[str, Any] = {}
    if name in OURS:
        told = {option: getattr(weights, option) for option in CONVENTIONS}
        options = {key: value for key, value in told.items() if value is not None}
    network = build(name, scaling, weights.num_classes, **options)
    weights.load_into(network)
    return network.eval()
