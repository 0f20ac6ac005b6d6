"""Images whose activations are far larger than others', which would stretch every range.

SiLU has no upper bound, and squeeze-and-excite gates feed on each other: in a trained B0 one image
in some hundreds gives activations a hundred times the usual ones, deeper with every block. A range
that holds them leaves a step or two for all other images.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lit_effnet.deploy.layers import layers

PART = 0.05


def check_part(part: float) -> None:
    """See that it is a part of the images that can be left out.

    Raises:
        ValueError: it is not.
    """
    if not 0 <= part <= 0.5:
        raise ValueError(f"calibration_outliers {part:g}: must be from 0 to 0.5")


def without_outliers(network: nn.Module, batches: Sequence[Tensor], part: float) -> list[Tensor]:
    """The images in their order, in batches as large, but for those that stand out most.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits, in evaluation mode, on the CPU.
        batches: Images.
        part: Part of the images that is left out, rounded down.

    Raises:
        ValueError: a part below 0 or above a half.
    """
    check_part(part)
    images = torch.cat([*batches])
    count = int(part * len(images))
    if count == 0:
        return [*batches]
    stays = torch.ones(len(images), dtype=torch.bool)
    stays[prominence(network, batches).topk(count).indices] = False
    return [*torch.split(images[stays], len(batches[0]))]


def prominence(network: nn.Module, batches: Sequence[Tensor]) -> Tensor:
    """How far each image stands out, `[N]`: its largest activation over the median image's.

    At the layer where that is most; of what convolutions and linear layers are given.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits, in evaluation mode, on the CPU.
        batches: Images.
    """
    names = layers(network)
    largest: dict[str, list[Tensor]] = {name: [] for name in names}
    hooks = [
        network.get_submodule(name).register_forward_pre_hook(
            lambda _, inputs, name=name: largest[name].append(inputs[0].flatten(1).abs().amax(1))
        )
        for name in names
    ]
    try:
        with torch.inference_mode():
            for images in batches:
                network(images.clone())  # networks may work in place
    finally:
        for hook in hooks:
            hook.remove()
    found = torch.stack([torch.cat(parts) for parts in largest.values()])
    usual = found.median(1, keepdim=True).values
    return torch.where(usual > 0, found / usual, 0).amax(0)
