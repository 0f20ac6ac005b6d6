"""Layers with a network's feature maps: the end of each stage, and the last map before pooling.

The last map is the input of the classifier's pooling, after batch norm and activation. Class
activation maps are computed there: the linear bottleneck at the end of an MBConv gives poor maps,
since its values have both signs (jacobgil/pytorch-grad-cam#95).
"""

from typing import Any

from torch import nn

from lit_effnet.network.efficientnet import EfficientNet
from lit_effnet.network.registry import BASELINES, Baseline


def last_map(network: nn.Module) -> nn.Module:
    """Return the module that outputs the last activated map `[N, C, h, w]`.

    Raises:
        ValueError: the network is not in the registry.
    """
    if isinstance(network, EfficientNet):
        return network.head
    return network.get_submodule(_baseline(network).last_map)


def stages(network: nn.Module) -> dict[str, nn.Module]:
    """Return the last module of each stage by name, from the image to the last map.

    Raises:
        ValueError: the network is not in the registry.
    """
    if isinstance(network, EfficientNet):
        numbered = {f"stage {i}": stage for i, stage in enumerate(network.stages, start=1)}
        return {"stem": network.stem, **numbered, "head": network.head}
    info: Any = network.feature_info
    names = [stage["module"] for stage in (info if isinstance(info, list) else info.get_dicts())]
    last = _baseline(network).last_map
    ends = {name: network.get_submodule(name) for name in names}
    # NASNet's last stage is the last map; MobileNetV3's is the last of the blocks.
    if last_map(network) not in ends.values() and not (names and names[-1].startswith(last)):
        ends[last] = last_map(network)
    return ends


def _baseline(network: nn.Module) -> Baseline:
    pretrained_cfg = getattr(network, "pretrained_cfg", None) or {}
    for baseline in BASELINES.values():
        if baseline.timm_name == pretrained_cfg.get("architecture"):
            return baseline
    raise ValueError(f"network {type(network).__name__}: is not one of the suite's")
