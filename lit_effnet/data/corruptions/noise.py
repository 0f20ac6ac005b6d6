"""Noise on every channel of every pixel."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from lit_effnet.data.corruptions.corruption import Corruption, limits, to_bytes
from lit_effnet.data.pixels import Rgb


@dataclass(frozen=True)
class GaussianNoise(Corruption):
    """Independent normal noise, as from poor light.

    Args:
        sigma: Standard deviation, of pixels from 0 to 1.
    """

    name: ClassVar[str] = "gaussian_noise"
    sigma: float = field(metadata=limits(0))

    def __call__(self, image: Rgb, generator: np.random.Generator) -> Rgb:
        """Return the noisy image `uint8 [H, W, 3]`."""
        pixels = image / 255
        return to_bytes(pixels + generator.normal(scale=self.sigma, size=pixels.shape))


@dataclass(frozen=True)
class ShotNoise(Corruption):
    """Poisson noise, as from counting photons.

    Args:
        rate: Photons of a pixel at full brightness; the fewer, the more noise.
    """

    name: ClassVar[str] = "shot_noise"
    rate: float = field(metadata=limits(0, above=True))

    def __call__(self, image: Rgb, generator: np.random.Generator) -> Rgb:
        """Return the noisy image `uint8 [H, W, 3]`."""
        return to_bytes(generator.poisson(image / 255 * self.rate) / self.rate)


@dataclass(frozen=True)
class ImpulseNoise(Corruption):
    """Salt and pepper, as from bit errors: values set to 0 or 255 with equal probability.

    The draws are those of skimage.util.random_noise: which values, then which of the two.

    Args:
        amount: Share of the values that are set, from 0 to 1; a pixel has three.
    """

    name: ClassVar[str] = "impulse_noise"
    amount: float = field(metadata=limits(0, 1))

    def __call__(self, image: Rgb, generator: np.random.Generator) -> Rgb:
        """Return the noisy image `uint8 [H, W, 3]`."""
        hit = generator.random(image.shape) < self.amount
        salt = generator.random(image.shape) < 0.5
        return np.where(hit, np.where(salt, np.uint8(255), np.uint8(0)), image)


@dataclass(frozen=True)
class SpeckleNoise(Corruption):
    """Normal noise in proportion to the pixel's own brightness.

    Args:
        sigma: Standard deviation as a share of the pixel.
    """

    name: ClassVar[str] = "speckle_noise"
    sigma: float = field(metadata=limits(0))

    def __call__(self, image: Rgb, generator: np.random.Generator) -> Rgb:
        """Return the noisy image `uint8 [H, W, 3]`."""
        pixels = image / 255
        return to_bytes(pixels + pixels * generator.normal(scale=self.sigma, size=pixels.shape))
