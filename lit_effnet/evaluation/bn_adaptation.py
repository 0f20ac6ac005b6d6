"""Test-time batch-norm adaptation: running statistics from unlabelled test images.

Schneider et al. 2020, arXiv 2006.16971: the running statistics are replaced by those of the
corrupted images. Such a network has used the images that it is tested on, and its row says so.
"""

import copy
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm


def adapted(network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]]) -> nn.Module:
    """Return a copy whose batch norms use the mean statistics of the batches.

    Args:
        network: Maps images `float32 [N, 3, H, W]` to logits, on its device.
        batches: Shuffled images of all classes, since images of one class vary less. Labels are
            ignored.

    Raises:
        ValueError: the network has no batch norm, or no batch has two images.
    """
    copied = copy.deepcopy(network).eval()
    norms = [module for module in copied.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        raise ValueError("adapt_batch_norm: the network has no batch norm")
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.train()
    device, images = next(copied.parameters()).device, 0
    with torch.inference_mode():
        for pixels, _ in batches:
            if len(pixels) > 1:  # a single image has no variance across images
                images += len(pixels)
                for norm in norms:
                    norm.momentum = len(pixels) / images  # a mean over images
                copied(pixels.to(device))
    if not images:
        raise ValueError("adapt_batch_norm: needs at least two images in a batch")
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    return copied.eval()
