"""Blurs: out of focus, through frosted glass, by motion, by zooming, and Gaussian."""

import math
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.filters import gaussian

from lit_effnet.data.corruptions.corruption import Corruption, limits, to_bytes
from lit_effnet.data.pixels import Rgb


@dataclass(frozen=True)
class DefocusBlur(Corruption):
    """Each pixel spread over a disk.

    Args:
        radius: Radius of the disk in pixels.
        alias_blur: Standard deviation in pixels of the Gaussian that smooths the disk's edge.
    """

    name: ClassVar[str] = "defocus_blur"
    radius: float = field(metadata=limits(0))
    alias_blur: float = field(metadata=limits(0, above=True))

    def __call__(self, image: Rgb, generator: np.random.Generator) -> Rgb:
        """Return the blurred image `uint8 [H, W, 3]`; deterministic."""
        disk = self.disk()
        channels = [cv2.filter2D(channel, -1, disk) for channel in np.moveaxis(image / 255, 2, 0)]
        return to_bytes(np.stack(channels, axis=2))

    def disk(self) -> NDArray[np.float32]:
        """Return the kernel: 17 x 17, or larger for larger disks."""
        reach, edge = (8.0, 3) if self.radius <= 8 else (self.radius, 5)
        squares = np.arange(-reach, reach + 1) ** 2
        inside = (squares[:, None] + squares <= self.radius**2).astype(np.float32)
        inside /= inside.sum()
        return np.asarray(cv2.GaussianBlur(inside, (edge, edge), self.alias_blur), np.float32)


@dataclass(frozen=True)
class GlassBlur(Corruption):
    """Replace pixels by near ones, between two Gaussian blurs.

    Args:
        sigma: Standard deviation of both blurs in pixels.
        max_offset: Largest distance in pixels along each axis.
        iterations: Number of passes over all pixels.
    """

    name: ClassVar[str] = "glass_blur"
    sigma: float = field(metadata=limits(0))
    max_offset: int = field(metadata=limits(1, whole=True))
    iterations: int = field(metadata=limits(1, whole=True))

    def __call__(self, image: Rgb, generator: np.random.Generator) -> Rgb:
        """Return the blurred image `uint8 [H, W, 3]`."""
        height, width = image.shape[:2]
        smooth = (gaussian_smoothed(image / 255, self.sigma) * 255).astype(np.uint8)
        moved = smooth.reshape(-1, 3)[self.sources(height, width, generator)]
        pixels = moved.reshape(image.shape) / 255
        return to_bytes(gaussian_smoothed(pixels, self.sigma))

    def sources(self, height: int, width: int, generator: np.random.Generator) -> list[int]:
        """Return, for each pixel, the index of the pixel that it shows in the end.

        The scripts write a swap of two NumPy views. Its second half copies back what the first
        half has overwritten, so all that happens is that one pixel takes the other's colour.
        """
        reach = self.max_offset
        rows = np.arange(height - reach, reach, -1)
        columns = np.arange(width - reach, reach, -1)
        targets = rows[:, None] * width + columns
        offsets = generator.integers(-reach, reach, size=(self.iterations, *targets.shape, 2))
        origins = targets + offsets[..., 1] * width + offsets[..., 0]
        order = targets.ravel().tolist()
        sources = list(range(height * width))
        for moves in origins.reshape(self.iterations, -1).tolist():
            for target, origin in zip(order, moves, strict=True):
                sources[target] = sources[origin]
        return sources


@dataclass(frozen=True)
class MotionBlur(Corruption):
    """A trail in a direction between -45 and 45 degrees.

    Args:
        radius: Half the trail's length in pixels.
        sigma: Standard deviation in pixels of its fading.
    """

    name: ClassVar[str] = "motion_blur"
    radius: float = field(metadata=limits(0, above=True))
    sigma: float = field(metadata=limits(0, above=True))

    def __call__(self, image: Rgb, generator: np.random.Generator) -> Rgb:
        """Return the blurred image `uint8 [H, W, 3]`."""
        return motion_blurred(image, self.radius, self.sigma, generator.uniform(-45, 45))


def motion_blurred(image: Rgb, radius: float, sigma: float, angle: float) -> Rgb:
    """Pixels `uint8 [H, W]` or `[H, W, 3]` with a fading trail at `angle` degrees, clockwise.

    MotionBlurImage of ImageMagick 6.9.11-60 Q16 (effect.c), to the pixel: half a Gaussian along
    whole offsets, the border repeated.
    """
    steps = np.arange(2 * math.ceil(radius) + 1)
    weights = np.exp(-(steps**2) / (2 * sigma**2))
    weights /= weights.sum()
    reach = [len(steps) * part(math.radians(angle)) for part in (math.sin, math.cos)]
    down, right = (np.ceil(steps * r / math.hypot(*reach) - 0.5).astype(int) for r in reach)
    height, width = image.shape[:2]
    top, left = -min(0, down.min()), -min(0, right.min())
    rest = ((0, 0),) * (image.ndim - 2)
    border = ((top, max(0, down.max())), (left, max(0, right.max())), *rest)
    # ImageMagick holds 16 bits a channel, rounds there, and truncates when it writes 8.
    padded = np.pad(image * 257.0, border, mode="edge")
    blurred = np.zeros(image.shape)
    for weight, y, x in zip(weights, down + top, right + left, strict=True):
        blurred += weight * padded[y : y + height, x : x + width]
    return (np.floor(blurred + 0.5) // 257).astype(np.uint8)


@dataclass(frozen=True)
class ZoomBlur(Corruption):
    """The mean of the image and of its centre at growing magnifications, from 1.

    Args:
        stop: Magnification before which the range ends.
        step: From one magnification to the next.
    """

    name: ClassVar[str] = "zoom_blur"
    stop: float = field(metadata=limits(1, above=True))
    step: float = field(metadata=limits(0, above=True))

    def __call__(self, image: Rgb, generator: np.random.Generator) -> Rgb:
        """Return the blurred image `uint8 [H, W, 3]`; deterministic."""
        pixels = (image / 255).astype(np.float32)
        zooms = np.arange(1, self.stop, self.step)
        total = np.zeros_like(pixels)
        for zoom in zooms:
            total += magnified(pixels, float(zoom))
        return to_bytes((pixels + total) / (len(zooms) + 1))


def magnified(pixels: NDArray[Any], zoom: float) -> NDArray[Any]:
    """The centre of floats `[H, W, ...]`, magnified to the whole size by scipy.ndimage.zoom's line.

    Each side is cropped for itself, where the scripts, whose images are square, crop both by H.
    """
    result = pixels.astype(np.float64)
    for axis in (0, 1):
        before, after, share = _neighbours(pixels.shape[axis], zoom)
        share = share.reshape(-1, *(1,) * (pixels.ndim - 1 - axis))
        result, high = (np.take(result, index, axis=axis) for index in (before, after))
        result *= 1 - share
        result += np.multiply(high, share, out=high)
    return result.astype(pixels.dtype)


@lru_cache(maxsize=256)
def _neighbours(size: int, zoom: float) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[Any]]:
    """For each place along a side: the two it lies between, and the second one's share."""
    crop = math.ceil(size / zoom)
    large = round(crop * zoom)
    place = np.arange(large) * ((crop - 1) / (large - 1))
    trim = (large - size) // 2
    place = place[trim : trim + size]
    before = np.minimum(place.astype(np.intp), crop - 1)
    start = (size - crop) // 2
    return before + start, np.minimum(before + 1, crop - 1) + start, place - before


@dataclass(frozen=True)
class GaussianBlur(Corruption):
    """Each pixel spread over a Gaussian, cut off at four standard deviations.

    Args:
        sigma: Standard deviation in pixels.
    """

    name: ClassVar[str] = "gaussian_blur"
    sigma: float = field(metadata=limits(0))

    def __call__(self, image: Rgb, generator: np.random.Generator) -> Rgb:
        """Return the blurred image `uint8 [H, W, 3]`; deterministic."""
        return to_bytes(gaussian_smoothed(image / 255, self.sigma))


def gaussian_smoothed(pixels: NDArray[Any], sigma: float) -> NDArray[Any]:
    """Floats `[H, W]` or `[H, W, 3]` under that Gaussian, the border repeated."""
    channels = -1 if pixels.ndim == 3 else None
    return np.asarray(gaussian(pixels, sigma, channel_axis=channels))  # type: ignore[no-untyped-call]
