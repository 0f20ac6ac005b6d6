"""Digital corruptions: contrast, elastic transform, pixelation, JPEG, saturation."""

from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter, map_coordinates
from skimage.color import hsv2rgb, rgb2hsv

from lit_effnet.data.corruptions.corruption import Corruption, limits, to_bytes
from lit_effnet.data.pixels import Rgb


@dataclass(frozen=True)
class Contrast(Corruption):
    """Move each channel towards its mean over the image.

    Args:
        factor: Factor of the distance to the mean.
    """

    name: ClassVar[str] = "contrast"
    factor: float = field(metadata=limits(0))

    def __call__(self, image: Rgb, generator: np.random.Generator) -> Rgb:
        """Return the paler image `uint8 [H, W, 3]`; deterministic."""
        pixels = image / 255
        means = pixels.mean(axis=(0, 1), keepdims=True)
        return to_bytes((pixels - means) * self.factor + means)


@dataclass(frozen=True)
class ElasticTransform(Corruption):
    """A random affine map, then a smooth random displacement of each pixel.

    Args:
        displacement: Factor in pixels of the smoothed uniform numbers from -1 to 1.
        smoothing: Standard deviation in pixels of the Gaussian that smooths them.
        affine: How far each of three points may move, in pixels along each axis.
    """

    name: ClassVar[str] = "elastic_transform"
    displacement: float = field(metadata=limits(0))
    smoothing: float = field(metadata=limits(0))
    affine: float = field(metadata=limits(0))

    def __call__(self, image: Rgb, generator: np.random.Generator) -> Rgb:
        """Return the bent image `uint8 [H, W, 3]`."""
        height, width = image.shape[:2]
        pixels = self.moved(image.astype(np.float32) / np.float32(255), generator)
        right, down = (self.shifts(height, width, generator) for _ in range(2))
        places = np.arange(height)[:, None] + down, np.arange(width) + right
        # Channel by channel, for a third axis of coordinates only adds neighbours of weight 0.
        bent = [
            map_coordinates(channel, places, order=1, mode="reflect")
            for channel in np.moveaxis(pixels, 2, 0)
        ]
        return to_bytes(np.stack(bent, axis=2))

    def moved(
        self, pixels: NDArray[np.float32], generator: np.random.Generator
    ) -> NDArray[np.float32]:
        """Warp the pixels by the affine map that displaces three points around the centre."""
        height, width = pixels.shape[:2]
        reach = min(height, width) // 3
        # The scripts take half the height for x and half the width for y; so does this.
        centre = np.array([height // 2, width // 2])
        corners = np.array([[reach, reach], [reach, -reach], [-reach, -reach]])
        points = (centre + corners).astype(np.float32)
        to = points + generator.uniform(-self.affine, self.affine, points.shape).astype(np.float32)
        matrix = cv2.getAffineTransform(points, to)
        border = cv2.BORDER_REFLECT_101
        moved = cv2.warpAffine(pixels, matrix, (width, height), borderMode=border)
        return np.asarray(moved, np.float32)

    def shifts(
        self, height: int, width: int, generator: np.random.Generator
    ) -> NDArray[np.float32]:
        """Smooth random displacements `[H, W]` along one axis, in pixels."""
        uniform = generator.uniform(-1, 1, (height, width))
        rows, columns = (_smoothing(side, self.smoothing) for side in (height, width))
        return np.asarray((rows @ uniform @ columns.T) * self.displacement, np.float32)


@lru_cache(maxsize=32)
def _smoothing(side: int, sigma: float) -> NDArray[np.float64]:
    """The matrix of the Gaussian filter of a line, whose reach may be several times the line."""
    identity = np.eye(side)
    return np.asarray(gaussian_filter(identity, (sigma, 0), mode="reflect", truncate=3))


@dataclass(frozen=True)
class Pixelate(Corruption):
    """Made smaller by means over boxes, then as large as before.

    Args:
        factor: The small image's side as a share of the image's.
    """

    name: ClassVar[str] = "pixelate"
    factor: float = field(metadata=limits(0, 1, above=True))

    def __call__(self, image: Rgb, generator: np.random.Generator) -> Rgb:
        """Return the coarser image `uint8 [H, W, 3]`; deterministic."""
        height, width = image.shape[:2]
        size = max(1, int(width * self.factor)), max(1, int(height * self.factor))
        small = Image.fromarray(image).resize(size, Image.Resampling.BOX)
        return np.array(small.resize((width, height), Image.Resampling.BOX))


@dataclass(frozen=True)
class JpegCompression(Corruption):
    """Written as JPEG and read again.

    Args:
        quality: JPEG's quality, from 1 to 100.
    """

    name: ClassVar[str] = "jpeg_compression"
    quality: int = field(metadata=limits(1, 100, whole=True))

    def __call__(self, image: Rgb, generator: np.random.Generator) -> Rgb:
        """Return the compressed image `uint8 [H, W, 3]`; deterministic."""
        file = BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=self.quality)
        return np.array(Image.open(file))


@dataclass(frozen=True)
class Saturate(Corruption):
    """HSV's saturation scaled and shifted.

    Args:
        factor: Factor of the saturation.
        shift: Added to it afterwards.
    """

    name: ClassVar[str] = "saturate"
    factor: float = field(metadata=limits(0))
    shift: float = field(metadata=limits(-1, 1))

    def __call__(self, image: Rgb, generator: np.random.Generator) -> Rgb:
        """Return the image in other colours `uint8 [H, W, 3]`; deterministic."""
        hsv = rgb2hsv(image / 255)
        hsv[..., 1] = np.clip(hsv[..., 1] * self.factor + self.shift, 0, 1)
        return to_bytes(hsv2rgb(hsv))
