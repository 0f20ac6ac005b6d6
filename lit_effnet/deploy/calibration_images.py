"""Calibration images: from the training split only, and never those that are evaluated."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Subset

from lit_effnet.data.images import ImageData
from lit_effnet.deploy.calibration_flags import CalibrationSpec
from lit_effnet.deploy.outliers import without_outliers
from lit_effnet.evaluation.target import EvaluationTarget, Overrides

CALIBRATION_SPLIT = "train"


@dataclass(frozen=True)
class CalibrationSource:
    """Where calibration images come from, as rows and metadata record it.

    Args:
        data: Name of the data set.
        fingerprint: Fingerprint of its images.
        images: Number of images that were drawn.
        seed: Decided which.
        outliers: Fraction that was left out for its large activations.
    """

    data: str
    fingerprint: str
    images: int
    seed: int
    outliers: float


@dataclass(frozen=True)
class CalibrationImages:
    """Batches of calibration images, `float32 [B, 3, H, W]` each, and their source."""

    batches: list[Tensor]
    source: CalibrationSource


def load_calibration(
    target: EvaluationTarget,
    overrides: Overrides,
    spec: CalibrationSpec,
    *,
    evaluated: ImageData,
    split: str,
) -> CalibrationImages:
    """Load the calibration images of a network, without outliers.

    Args:
        target: The network and its images.
        overrides: Its overridden view of the images.
        spec: Which images.
        evaluated: Data set that the INT8 network is evaluated on.
        split: Its split.

    Raises:
        ValueError: There are no training images, or they are the evaluated ones.
    """
    data = _calibration_data(target, overrides, spec)
    # Compare fingerprints: the same images may have another name or folder.
    if split == CALIBRATION_SPLIT and evaluated.images.fingerprint == data.images.fingerprint:
        raise ValueError(
            f"split {split}: is the one that int8 is calibrated on; name another split, or other "
            "images to calibrate on with --calibration_data.name"
        )
    drawn = draw_batches(data, spec.images, spec.seed)
    count = sum(map(len, drawn))
    source = CalibrationSource(
        str(data.name), data.fingerprint, count, seed=spec.seed, outliers=spec.outliers
    )
    return CalibrationImages(without_outliers(target.network, drawn, spec.outliers), source)


def draw_batches(data: ImageData, count: int, seed: int) -> list[Tensor]:
    """Draw training images in the view of evaluation, as batches `float32 [B, 3, H, W]`.

    Args:
        data: Its training split is used.
        count: Number of images; all where there are fewer.
        seed: Decides which.

    Raises:
        ValueError: The data set has no training split.
    """
    if CALIBRATION_SPLIT not in data.splits:
        raise ValueError(
            f"calibration_data.name null: {data.name} has no split {CALIBRATION_SPLIT}; name "
            "other images to calibrate on"
        )
    data.prepare(CALIBRATION_SPLIT)
    loader = data.evaluation_loader(CALIBRATION_SPLIT)
    images: Any = loader.dataset
    indices = draw_balanced(images.labels, count, seed).tolist()
    batches: Any = DataLoader(
        Subset(images, indices),
        batch_size=data.batch_size,
        num_workers=loader.num_workers,
        collate_fn=loader.collate_fn,
    )
    return [pixels for pixels, _ in batches]


def draw_balanced(labels: NDArray[np.int64], count: int, seed: int) -> NDArray[np.int64]:
    """Draw indices of up to `count` images, equally many of each class as far as there are.

    Args:
        labels: `int64 [N]`.
        count: Number of images.
        seed: Decides which.
    """
    order = np.random.default_rng(seed).permutation(len(labels))
    turn = np.empty(len(labels), np.int64)  # the first of every class, then the second
    for label in np.unique(labels):
        of_class = order[labels[order] == label]
        turn[of_class] = np.arange(len(of_class))
    return order[np.argsort(turn[order], kind="stable")][:count]


def _calibration_data(
    target: EvaluationTarget, overrides: Overrides, spec: CalibrationSpec
) -> ImageData:
    """Return the network's own data set, or another one in the same view."""
    if not spec.data:
        if target.images is None:
            raise ValueError(
                f"calibration_data.name null: must name training images to calibrate int8 on; "
                f"{target.name} does not name its own"
            )
        return target.images
    return ImageData(
        **spec.data,
        image_size=overrides.image_size,
        preprocessing=target.preprocessing,
        batch_size=overrides.batch_size,
        num_workers=overrides.num_workers,
    )
