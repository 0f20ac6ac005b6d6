"""Calibration images whose activations are far larger than others', and stretch every range.

SiLU has no upper bound, and squeeze-and-excite gates feed on each other: in a trained B0 one image
in some hundreds has activations a hundred times the usual ones, growing with each block. A range
that holds them leaves one or two steps for all other images.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lit_effnet.deploy.layers import layers


def without_outliers(
    network: nn.Module, batches: Sequence[Tensor], fraction: float
) -> list[Tensor]:
    """Leave out the images with the largest activations; order and batch size stay.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits, in evaluation mode, on the CPU.
        batches: Images.
        fraction: Fraction of the images to leave out, rounded down to whole images.
    """
    images = torch.cat([*batches])
    count = int(fraction * len(images))
    if count == 0:
        return [*batches]
    stays = torch.ones(len(images), dtype=torch.bool)
    stays[relative_activations(network, batches).topk(count).indices] = False
    return [*torch.split(images[stays], len(batches[0]))]


def relative_activations(network: nn.Module, batches: Sequence[Tensor]) -> Tensor:
    """Return each image's largest activation over the median image's, `[N]`.

    The ratio is taken at the input of each convolution and linear layer; the largest counts.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits, in evaluation mode, on the CPU.
        batches: Images.
    """
    names = layers(network)
    maxima: dict[str, list[Tensor]] = {name: [] for name in names}
    hooks = [
        network.get_submodule(name).register_forward_pre_hook(
            lambda _, inputs, name=name: maxima[name].append(inputs[0].flatten(1).abs().amax(1))
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
    by_layer = torch.stack([torch.cat(parts) for parts in maxima.values()])
    median = by_layer.median(1, keepdim=True).values
    return torch.where(median > 0, by_layer / median, 0).amax(0)
