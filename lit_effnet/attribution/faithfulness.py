"""How good a map is, as numbers: by what the network does when it loses what the map points at."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torchvision.transforms.functional import gaussian_blur

from lit_effnet.attribution.cam import Maps, class_activation_maps
from lit_effnet.network.efficientnet import EfficientNet, initialise

STEPS = 64  # of insertion and deletion; RISE takes one for each row of pixels
AT_ONCE = 16  # images in a forward pass
BLUR = 5 / 224  # standard deviation of insertion's blur, RISE's at 224 pixels, as part of the side
PERCENTILES = (10, 30, 50, 70, 90)  # of pixels that ROAD removes

Scores = NDArray[np.float64]  # [N]


def deletion(
    network: nn.Module, images: Tensor, maps: Maps, classes: Sequence[int], steps: int = STEPS
) -> Scores:
    """Area under the class's probability while pixels are greyed out, the map's highest first.

    Petsiuk et al. 2018, arXiv 1806.07421; lower is better.

    Args:
        network: Images to logits.
        images: `float32 [N, 3, H, W]`, normalised, so that 0 is the mean colour.
        maps: `float32 [N, H, W]`.
        classes: The class for each image.
        steps: In how many parts the pixels go.
    """
    return _area(network, images, torch.zeros_like(images), maps, classes, steps=steps)


def insertion(
    network: nn.Module, images: Tensor, maps: Maps, classes: Sequence[int], steps: int = STEPS
) -> Scores:
    """Area under the class's probability while pixels come into a blurred image, highest first.

    Petsiuk et al. 2018, arXiv 1806.07421; higher is better. The blur hides the same part of an
    image whatever its size: RISE's 11 pixels of standard deviation 5 at 224 pixels. Arguments as
    for `deletion`.
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
    found = []
    for index, label in enumerate(classes):
        order = torch.from_numpy(np.argsort(-maps[index].ravel(), kind="stable"))
        rank = torch.empty_like(order)
        rank[order] = torch.arange(len(order))
        ranks = rank.reshape(maps[index].shape).to(begin.device)
        taken = [round(len(order) * step / steps) for step in range(steps + 1)]
        curve: list[Tensor] = []
        for some in _chunks(taken, AT_ONCE):
            counts = torch.tensor(some, device=begin.device)[:, None, None, None]
            mixed = torch.where(ranks < counts, end[index], begin[index])
            curve += _probabilities(network, mixed)[:, label].unbind()
        values = torch.stack(curve).double().cpu().numpy()
        found.append(np.trapezoid(values) / steps)
    return np.array(found)


def road(
    network: nn.Module,
    images: Tensor,
    maps: Maps,
    classes: Sequence[int],
    *,
    percentiles: Sequence[int] = PERCENTILES,
    seed: int = 0,
) -> Scores:
    """ROAD: half of what removing the least relevant pixels leaves more than the most relevant.

    Rong et al. 2022, arXiv 2202.00449, by grad-cam: removed pixels are imputed from their
    neighbours, with noise that follows from `seed`. Higher is better. Arguments as for `deletion`.
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
    """Rank correlation of each map with that of a network whose weights are random from the top.

    The sanity check of Adebayo et al. 2018, arXiv 1810.03292: a map that stays the same when the
    weights go tells of the image and not of the network. Towards 0 is better.

    Args:
        network: One of the suite's.
        images: `float32 [N, 3, H, W]`.
        classes: The class for each image.
        method: One of `METHODS`.
        seed: Decides about the random weights.

    Returns:
        By the part that was made random last, with all above it: Spearman's correlation for each
        image, from -1 to 1; NaN where one of the maps is the same everywhere, as Grad-CAM's is
        where nothing speaks for the class.
    """
    from copy import deepcopy

    before = class_activation_maps(network, images, classes, method)
    random, found = deepcopy(network), {}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for name, part in _from_the_top(random):
            part.apply(_made_random)
            after = class_activation_maps(random, images, classes, method)
            found[name] = np.array(
                [_rank_correlation(a, b) for a, b in zip(before, after, strict=True)]
            )
    return found


def _from_the_top(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    parts = [
        (name, part)
        for name, part in network.named_children()
        if any(True for _ in part.parameters())
    ]
    if isinstance(network, EfficientNet):
        numbered = [(f"stages.{i}", stage) for i, stage in enumerate(network.stages)]
        parts = [
            found
            for name, part in parts
            for found in (numbered if name == "stages" else [(name, part)])
        ]
    return reversed(parts)


def _made_random(module: nn.Module) -> None:
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


def _chunks(values: list[int], size: int) -> Iterator[list[int]]:
    for first in range(0, len(values), size):
        yield values[first : first + size]
