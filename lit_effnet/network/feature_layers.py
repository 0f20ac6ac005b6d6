"""Where a network has its feature maps: the end of each stage, and the last map before the pooling.

The last one is the input of the classifier's pooling, after batch norm and activation. Class
activation maps are taken there: a linear bottleneck, as at the end of an MBConv, has no sign to
read a class's evidence from, and looks poor (jacobgil/pytorch-grad-cam#95).
"""

from typing import Any

from torch import nn

from lit_effnet.network.efficientnet import EfficientNet
from lit_effnet.network.registry import BASELINES, Baseline


def last_map(network: nn.Module) -> nn.Module:
    """The module that gives the last activated map `[N, C, h, w]`.

    Raises:
        ValueError: the network is none of the registry.
    """
    if isinstance(network, EfficientNet):
        return network.head
    return network.get_submodule(_baseline(network).last_map)


def stages(network: nn.Module) -> dict[str, nn.Module]:
    """The modules at which each stage ends, by name, from the image to the last map.

    Raises:
        ValueError: the network is none of the registry.
    """
    if isinstance(network, EfficientNet):
        numbered = {f"stage {i}": stage for i, stage in enumerate(network.stages, start=1)}
        return {"stem": network.stem, **numbered, "head": network.head}
    told: Any = network.feature_info
    names = [stage["module"] for stage in (told if isinstance(told, list) else told.get_dicts())]
    last = _baseline(network).last_map
    ends = {name: network.get_submodule(name) for name in names}
    # NASNet's last stage is the last map; MobileNetV3's is the last of the blocks.
    if last_map(network) not in ends.values() and not (names and names[-1].startswith(last)):
        ends[last] = last_map(network)
    return ends


def _baseline(network: nn.Module) -> Baseline:
    told = getattr(network, "pretrained_cfg", None) or {}
    for baseline in BASELINES.values():
        if baseline.timm_name == told.get("architecture"):
            return baseline
    raise ValueError(f"network {type(network).__name__}: is none of the suite's")
