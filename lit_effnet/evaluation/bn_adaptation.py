"""Batch norm told anew what images look like, from images without labels, at test time.

Schneider et al. 2020, arXiv 2006.16971: the running statistics are replaced by those of the
corrupted images. Such a network has seen what it is tested on, and a row says so.
"""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def recalibrated(network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> nn.Module:
    """A copy whose batch norms have the mean statistics of the batches; all else is as it was.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits, on its device.
        batches: Images of all classes in each batch, in random order: within one class they
            vary less. Labels are not looked at.

    Raises:
        ValueError: the network has no batch norm, or there is no batch of two images.
    """
    copied = copy.deepcopy(network).eval()
    norms = [module for module in copied.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        raise ValueError("recalibrate: the network has no batch norm")
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
    device, seen = next(copied.parameters()).device, 0
    with torch.inference_mode():
        for pixels, _ in batches:
            if len(pixels) > 1:  # one image says nothing of how images vary
                seen += len(pixels)
                for norm in norms:
                    norm.momentum = len(pixels) / seen  # a mean over images
                copied(pixels.to(device))
    if not seen:
        raise ValueError("recalibrate: needs at least two images in a batch")
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return copied.eval()
