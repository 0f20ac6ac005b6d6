"""The images that activations' ranges are found on: of the training split, and of no other."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from lit_effnet.data.images import ImageData

CALIBRATION_SPLIT = "train"
IMAGES, SEED = 300, 0


def chosen(labels: NDArray[np.int64], count: int, seed: int = SEED) -> NDArray[np.int64]:
    """Indices of up to `count` images, as many of each class as there are, drawn by the seed.

    Args:
        labels: `int64 [N]`.
        count: How many.
        seed: Decides which.

    Raises:
        ValueError: fewer than one.
    """
    if count < 1:
        raise ValueError(f"calibration {count}: must be at least 1 image")
    order = np.random.default_rng(seed).permutation(len(labels))
    turn = np.empty(len(labels), np.int64)  # the first of every class, then the second
    for label in np.unique(labels):
        of_class = order[labels[order] == label]
        turn[of_class] = np.arange(len(of_class))
    return order[np.argsort(turn[order], kind="stable")][:count]


def calibration_batches(data: ImageData, count: int = IMAGES, seed: int = SEED) -> list[Tensor]:
    """Batches `float32 [B, 3, H, W]` of training images in evaluation's view.

    Args:
        data: Whose training split is taken.
        count: How many images; all where there are fewer.
        seed: Decides which.

    Raises:
        ValueError: the data have no training split, or none are asked for.
    """
    if CALIBRATION_SPLIT not in data.splits:
        raise ValueError(
            f"calibration_data.name null: {data.name} has no split {CALIBRATION_SPLIT}; name "
            "other images to calibrate on"
        )
    data.prepare(CALIBRATION_SPLIT)
    loader = data.evaluation_loader(CALIBRATION_SPLIT)
    images: Any = loader.dataset
    indices = chosen(images.labels, count, seed).tolist()
    batches: Any = DataLoader(
        Subset(images, indices),
        batch_size=data.batch_size,
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
    )
    return [pixels for pixels, _ in batches]


def single(batches: list[Tensor]) -> Iterator[Tensor]:
    """The images of batches one by one, `float32 [1, 3, H, W]` in the order of their axes."""
    for batch in batches:
        for index in range(len(batch)):
            yield batch[index : index + 1].contiguous()
