"""Scores of class activation maps: insertion, deletion, ROAD, and parameter randomisation."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.transforms.functional import gaussian_blur

from lit_effnet.attribution.cam import Maps, class_activation_maps
from lit_effnet.network.efficientnet import EfficientNet, initialise

STEPS = 64  # of insertion and deletion; RISE uses one for each row of pixels
AT_ONCE = 16  # images in a forward pass
BLUR = 5 / 224  # standard deviation of insertion's blur over the side; RISE's at 224 pixels
PERCENTILES = (10, 30, 50, 70, 90)  # of pixels that ROAD removes

Scores = NDArray[np.float64]  # [N]


def deletion(
    network: nn.Module, images: Tensor, maps: Maps, classes: Sequence[int], steps: int = STEPS
) -> Scores:
    """Return the area under the class's probability as the map's highest pixels are greyed out.

    Petsiuk et al. 2018, arXiv 1806.07421; lower is better.

    Args:
        network: Maps images to logits.
        images: `float32 [N, 3, H, W]`, normalised, so that 0 is the mean colour.
        maps: `float32 [N, H, W]`.
        classes: Explained class of each image.
        steps: Number of steps in which the pixels are removed.
    """
    return _area(network, images, torch.zeros_like(images), maps, classes, steps=steps)


def insertion(
    network: nn.Module, images: Tensor, maps: Maps, classes: Sequence[int], steps: int = STEPS
) -> Scores:
    """Return the area under the class's probability as pixels replace those of a blurred image.

    Pixels come in the order of the map, the highest first. Petsiuk et al. 2018, arXiv 1806.07421;
    higher is better. The blur scales with the image: RISE's 11 pixels of standard deviation 5 at
    224 pixels. Arguments are those of `deletion`.
    """
    sigma = BLUR * images.shape[-1]
    side = 2 * max(1, round(sigma)) + 1
    blurred = gaussian_blur(images, [side, side], [sigma, sigma])
    return _area(network, blurred, images, maps, classes, steps=steps)


def _area(
    network: nn.Module,
    begin: Tensor,
    end: Tensor,
    maps: Maps,
    classes: Sequence[int],
    *,
    steps: int,
) -> Scores:
    areas = []
    for index, label in enumerate(classes):
        order = torch.from_numpy(np.argsort(-maps[index].ravel(), kind="stable"))
        rank = torch.empty_like(order)
        rank[order] = torch.arange(len(order))
        ranks = rank.reshape(maps[index].shape).to(begin.device)
        counts = [round(len(order) * step / steps) for step in range(steps + 1)]
        curve: list[Tensor] = []
        for first in range(0, len(counts), AT_ONCE):
            chunk = torch.tensor(counts[first : first + AT_ONCE], device=begin.device)
            mixed = torch.where(ranks < chunk[:, None, None, None], end[index], begin[index])
            curve += _probabilities(network, mixed)[:, label].unbind()
        values = torch.stack(curve).double().cpu().numpy()
        areas.append(np.trapezoid(values) / steps)
    return np.array(areas)


def road(
    network: nn.Module,
    images: Tensor,
    maps: Maps,
    classes: Sequence[int],
    *,
    percentiles: Sequence[int] = PERCENTILES,
    seed: int = 0,
) -> Scores:
    """Return ROAD: half the difference of removing the least and the most relevant pixels.

    Rong et al. 2022, arXiv 2202.00449, as grad-cam computes it. Removed pixels are imputed from
    their neighbours, with noise from `seed`. Higher is better. Arguments are those of `deletion`.
    """
    from pytorch_grad_cam.metrics.road import ROADCombined
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget

    targets = [ClassifierOutputSoftmaxTarget(int(label)) for label in classes]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        scores = ROADCombined(percentiles=list(percentiles))(images, maps, targets, network)
    return np.asarray(scores, np.float64)


def randomisation(
    network: nn.Module,
    images: Tensor,
    classes: Sequence[int],
    method: str = "gradcam",
    seed: int = 0,
) -> dict[str, Scores]:
    """Return the rank correlation of each map with maps after randomising weights from the top.

    The sanity check of Adebayo et al. 2018, arXiv 1810.03292: a map that survives randomised
    weights shows the image, not the network. Closer to 0 is better.

    Args:
        network: A network of the suite.
        images: `float32 [N, 3, H, W]`.
        classes: Explained class of each image.
        method: One of `METHODS`.
        seed: Seed of the random weights.

    Returns:
        Spearman's correlation of each image, from -1 to 1, by the last randomised part; all parts
        above it are random too. NaN where a map is constant, as Grad-CAM's is without evidence
        for the class.
    """
    from copy import deepcopy

    before = class_activation_maps(network, images, classes, method)
    random, correlations = deepcopy(network), {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, part in _from_the_top(random):
            part.apply(_randomise)
            after = class_activation_maps(random, images, classes, method)
            correlations[name] = np.array(
                [_rank_correlation(a, b) for a, b in zip(before, after, strict=True)]
            )
    return correlations


def _from_the_top(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    parts = [
        (name, part)
        for name, part in network.named_children()
        if any(True for _ in part.parameters())
    ]
    if isinstance(network, EfficientNet):
        numbered = [(f"stages.{i}", stage) for i, stage in enumerate(network.stages)]
        parts = [
            numbered_part
            for name, part in parts
            for numbered_part in (numbered if name == "stages" else [(name, part)])
        ]
    return reversed(parts)


def _randomise(module: nn.Module) -> None:
    reset: Callable[[], None] | None = getattr(module, "reset_parameters", None)
    if reset is not None:
        reset()
    initialise(module)


def _rank_correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    from scipy.stats import spearmanr

    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(spearmanr(one.ravel(), other.ravel()).statistic)


def _probabilities(network: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        logits: Tensor = network(images)
    return logits.float().softmax(1)
