"""The images that activations' ranges are found on: of the training split, and of no other."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from lit_effnet.data.images import ImageData
from lit_effnet.deploy.outliers import check_part, without_outliers

CALIBRATION_SPLIT = "train"
IMAGES, SEED = 300, 0


@dataclass(frozen=True)
class Calibration:
    """What the ranges of activations are found on: the training split of some data.

    Args:
        data: Name of the data set.
        fingerprint: Of its images.
        images: Number of images.
        seed: Decided which.
        outliers: Part of them that was left out for its large activations.
    """

    data: str
    fingerprint: str
    images: int
    seed: int
    outliers: float


def check_unseen(split: str, shown: ImageData, calibrated_on: ImageData) -> None:
    """See that no network is judged on the images that it is calibrated on.

    Raises:
        ValueError: the split is the one that INT8 is calibrated on.
    """
    # Also where the same images go by another name or folder.
    if split == CALIBRATION_SPLIT and shown.images.fingerprint == calibrated_on.images.fingerprint:
        raise ValueError(
            f"split {split}: is what int8 is calibrated on; name another split, or other images "
            "to calibrate on with --calibration_data.name"
        )


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


def calibration_images(
    network: nn.Module, data: ImageData, count: int, seed: int, outliers: float
) -> tuple[list[Tensor], Calibration]:
    """The batches that a network's ranges are found on, and what a row tells of them.

    Args:
        network: In evaluation mode, on the CPU.
        data: Whose training split is taken.
        count: How many images are drawn; all where there are fewer.
        seed: Decides which.
        outliers: Part of them that is left out for its large activations.

    Raises:
        ValueError: the data have no training split, or one of the numbers cannot be.
    """
    check_part(outliers)
    drawn = calibration_batches(data, count, seed)
    found = Calibration(str(data.name), data.fingerprint, sum(map(len, drawn)), seed, outliers)
    return without_outliers(network, drawn, outliers), found


def single(batches: list[Tensor]) -> Iterator[Tensor]:
    """The images of batches one by one, `float32 [1, 3, H, W]` in the order of their axes."""
    for batch in batches:
        for index in range(len(batch)):
            yield batch[index : index + 1].contiguous()
