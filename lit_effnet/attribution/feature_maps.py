"""Record the feature maps at the end of every stage in one forward pass."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lit_effnet.network.feature_layers import stages


@dataclass(frozen=True)
class FeatureMaps:
    """Output of one stage.

    Args:
        stage: Name of the stage.
        maps: `float32 [N, C, h, w]`, a copy.
        reduction: Side of the image divided by the side of the map.
    """

    stage: str
    maps: Tensor
    reduction: float

    @property
    def caption(self) -> str:
        """Stage, channels and resolution."""
        channels, height, width = self.maps.shape[1:]
        return f"{self.stage}\n{channels} channels\n{height} x {width} (1/{self.reduction:.3g})"

    def strongest(self, image: int, count: int) -> list[int]:
        """Return an image's `count` channels with the largest mean magnitude, in order."""
        order = self.maps[image].abs().mean((1, 2)).argsort(descending=True)
        return [int(channel) for channel in order[:count]]


def feature_maps(network: nn.Module, images: Tensor) -> list[FeatureMaps]:
    """Return the maps of all stages, including the last one before pooling.

    Args:
        network: A network of the suite; its mode is restored afterwards.
        images: `float32 [N, 3, H, W]`, on its device.

    Raises:
        ValueError: the network is not one of the suite.
    """
    outputs: dict[str, Tensor] = {}

    def keep(name: str) -> Any:
        # Copied, since the next layer may work in place.
        return lambda module, inputs, output: outputs.update({name: output.detach().clone()})

    handles = [module.register_forward_hook(keep(name)) for name, module in stages(network).items()]
    training = {module: module.training for module in network.modules()}
    try:
        with torch.no_grad():
            network.eval()(images)
    finally:
        for handle in handles:
            handle.remove()
        for module, mode in training.items():
            module.training = mode
    side = images.shape[-1]
    return [
        FeatureMaps(name, maps.float(), side / maps.shape[-1]) for name, maps in outputs.items()
    ]
