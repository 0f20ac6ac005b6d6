"""Noise on evaluation images, the same for every network that is compared on them."""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lit_effnet.data.preprocessing import Preprocessing

Rgb = NDArray[np.uint8]  # [H, W, 3]


@dataclass(frozen=True)
class GaussianNoise:
    """Independent normal noise on every channel of every pixel, clipped to what pixels can be.

    Hendrycks and Dietterich 2019 (hendrycks/robustness, make_imagenet_c.py). The normal numbers
    follow from the image's row alone, so levels, networks and repeats are compared image by image.

    Args:
        sigma: Standard deviation, of pixels from 0 to 1; 0 leaves the image as it is.

    Raises:
        ValueError: a sigma that is no number of at least 0.
    """

    sigma: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.sigma) and self.sigma >= 0):
            raise ValueError(f"noise {self.sigma}: must be a number of at least 0")

    def __call__(self, image: Rgb, row: int) -> Rgb:
        """The noisy image `uint8 [H, W, 3]`."""
        if self.sigma == 0:
            return image
        normal = np.random.default_rng(row).standard_normal(image.shape)
        noisy = np.clip(image / 255 + self.sigma * normal, 0, 1)
        return (255 * noisy).astype(np.uint8)


class CorruptedEvaluation:
    """Evaluation's view at a reference size, corrupted there, then resized for the network.

    Noise that is made at the network's own size would average out in larger inputs, and flatter
    the arms that have them.

    Args:
        size: Side of the network's input in pixels.
        reference_size: Side at which the corruption is made.
        preprocessing: Crop and filter.
        corruption: What happens to the image.
    """

    def __init__(
        self,
        size: int,
        reference_size: int,
        preprocessing: Preprocessing,
        corruption: GaussianNoise,
    ) -> None:
        from lit_effnet.data.transforms import Evaluation

        self.view = Evaluation(reference_size, preprocessing)
        self.corruption = corruption
        self.fit = Evaluation(size, replace(preprocessing, crop_fraction=1.0))

    def __call__(self, image: Rgb, key: tuple[int, ...]) -> Rgb:
        """The corrupted image `uint8 [size, size, 3]`; of the key only the row counts."""
        return self.fit(self.corruption(self.view(image, key), key[-1]), key)
