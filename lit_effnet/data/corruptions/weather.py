"""Weather: snow, frost, fog and brightness."""

import math
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray
from skimage.color import hsv2rgb, rgb2hsv

from lit_effnet.data.corruptions.blur import magnified, motion_blurred
from lit_effnet.data.corruptions.corruption import Corruption, limits, to_bytes
from lit_effnet.data.pixels import Rgb

FROST_IMAGES = ("frost1.png", "frost2.png", "frost3.png", "frost4.jpg", "frost5.jpg")


@dataclass(frozen=True)
class Snow(Corruption):
    """A paler image with flakes that fall between -135 and -45 degrees.

    Args:
        mean: Mean of the normal numbers that become flakes, for pixels from 0 to 1.
        deviation: Their standard deviation.
        zoom: How much the flakes are magnified, at least 1.
        threshold: Below it there is no flake.
        radius: Half the length of a flake's trail in pixels.
        sigma: Standard deviation in pixels of the trail's fading.
        image_weight: Share of the image itself, the rest being its paler version.
    """

    name: ClassVar[str] = "snow"
    mean: float = field(metadata=limits())
    deviation: float = field(metadata=limits(0))
    zoom: float = field(metadata=limits(1))
    threshold: float = field(metadata=limits())
    radius: float = field(metadata=limits(0, above=True))
    sigma: float = field(metadata=limits(0, above=True))
    image_weight: float = field(metadata=limits(0, 1))

    def __call__(self, image: Rgb, generator: np.random.Generator) -> Rgb:
        """Return the image in snow `uint8 [H, W, 3]`."""
        pixels = np.asarray(image, np.float32) / 255
        layer = generator.normal(self.mean, self.deviation, image.shape[:2])
        layer = magnified(layer, self.zoom)
        layer[layer < self.threshold] = 0
        angle = generator.uniform(-135, -45)
        flakes = motion_blurred(to_bytes(layer), self.radius, self.sigma, angle) / 255
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)[..., None]
        paler = np.maximum(pixels, grey * 1.5 + 0.5)
        pixels = self.image_weight * pixels + (1 - self.image_weight) * paler
        return to_bytes(pixels + flakes[..., None] + flakes[::-1, ::-1, None])


@dataclass(frozen=True)
class Frost(Corruption):
    """The image behind a part of a photograph of frost.

    The photographs are those of hendrycks/robustness, ImageNet-C/create_c, and not part of this
    package. Its frost6.jpg is listed there but never drawn.

    Args:
        image_weight: Factor of the image.
        frost_weight: Factor of the photograph.
        zoom: The photograph's side as a share of what it is in the file.
        folder: Folder of the photographs `FROST_IMAGES`.

    Raises:
        ValueError: photographs that are missing, or smaller than the image.
    """

    name: ClassVar[str] = "frost"
    image_weight: float = field(metadata=limits(0))
    frost_weight: float = field(metadata=limits(0))
    zoom: float = field(metadata=limits(0, above=True))
    folder: str

    def __post_init__(self) -> None:
        super().__post_init__()
        missing = [file for file in FROST_IMAGES if not (Path(self.folder) / file).is_file()]
        if missing:
            raise ValueError(
                f"frost_images {self.folder}: must hold the photographs of ImageNet-C's frost; "
                f"missing: {', '.join(missing)}"
            )

    def __call__(self, image: Rgb, generator: np.random.Generator) -> Rgb:
        """Return the image in frost `uint8 [H, W, 3]`."""
        height, width = image.shape[:2]
        path = Path(self.folder) / FROST_IMAGES[generator.integers(len(FROST_IMAGES))]
        photograph = _photograph(path, self.zoom)
        tall, wide = photograph.shape[:2]
        if tall <= height or wide <= width:
            raise ValueError(
                f"frost_images {self.folder}: {path.name} must be larger than the image, "
                f"{tall} x {wide} pixels at zoom {self.zoom:g} for {height} x {width}"
            )
        top, left = generator.integers(tall - height), generator.integers(wide - width)
        frost = photograph[top : top + height, left : left + width]
        mixed = self.image_weight * image.astype(float) + self.frost_weight * frost
        return np.clip(mixed, 0, 255).astype(np.uint8)


@lru_cache(maxsize=2 * len(FROST_IMAGES))
def _photograph(path: Path, zoom: float) -> Rgb:
    photograph = cv2.imread(str(path))
    if photograph is None:
        raise ValueError(f"frost_images {path.parent}: {path.name} must be an image")
    if zoom != 1:
        photograph = cv2.resize(photograph, (0, 0), fx=zoom, fy=zoom)
    return np.asarray(photograph[..., ::-1], np.uint8)


@dataclass(frozen=True)
class Fog(Corruption):
    """A plasma fractal added, and the sum darkened to the image's own brightest value.

    Args:
        strength: Strength of the fog, for pixels from 0 to 1.
        decay: Factor by which the fractal's steps shrink as its squares halve; smaller, and the
            fog is finer.
    """

    name: ClassVar[str] = "fog"
    strength: float = field(metadata=limits(0))
    decay: float = field(metadata=limits(0, above=True))

    def __call__(self, image: Rgb, generator: np.random.Generator) -> Rgb:
        """Return the image in fog `uint8 [H, W, 3]`."""
        height, width = image.shape[:2]
        side = 2 ** math.ceil(math.log2(max(height, width)))
        fog = plasma(side, self.decay, generator)[:height, :width, None]
        pixels = image / 255
        brightest = pixels.max()
        return to_bytes((pixels + self.strength * fog) * brightest / (brightest + self.strength))


def plasma(side: int, decay: float, generator: np.random.Generator) -> NDArray[np.float64]:
    """A height map `[side, side]` from 0 to 1 by diamonds and squares; it repeats at its borders.

    Args:
        side: A power of two.
        decay: What the random steps are divided by at each halving of the squares.
        generator: Of the random steps.
    """
    heights = np.zeros((side, side))
    roughness, size = 100.0, side

    def rough(sum_of_four: NDArray[np.float64]) -> NDArray[np.float64]:
        steps = generator.uniform(-roughness, roughness, sum_of_four.shape)
        return sum_of_four / 4 + roughness * steps

    while size >= 2:
        at_corner, at_middle = slice(0, None, size), slice(size // 2, None, size)
        corners = heights[at_corner, at_corner]
        pairs = corners + np.roll(corners, -1, axis=0)
        heights[at_middle, at_middle] = rough(pairs + np.roll(pairs, -1, axis=1))
        middles = heights[at_middle, at_middle]
        for axis, place in ((0, (at_corner, at_middle)), (1, (at_middle, at_corner))):
            across = middles + np.roll(middles, 1, axis=axis)
            along = corners + np.roll(corners, -1, axis=1 - axis)
            heights[place] = rough(across + along)
        size //= 2
        roughness /= decay
    heights -= heights.min()
    return np.asarray(heights / heights.max())


@dataclass(frozen=True)
class Brightness(Corruption):
    """HSV's value raised.

    Args:
        shift: Added to the value, for pixels from 0 to 1.
    """

    name: ClassVar[str] = "brightness"
    shift: float = field(metadata=limits(-1, 1))

    def __call__(self, image: Rgb, generator: np.random.Generator) -> Rgb:
        """Return the brighter image `uint8 [H, W, 3]`; deterministic."""
        hsv = rgb2hsv(image / 255)
        hsv[..., 2] = np.clip(hsv[..., 2] + self.shift, 0, 1)
        return to_bytes(hsv2rgb(hsv))
