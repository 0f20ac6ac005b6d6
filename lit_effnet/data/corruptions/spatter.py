"""Spatters of water or mud."""

from dataclasses import dataclass, field
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from lit_effnet.data.corruptions.blur import gaussian_smoothed
from lit_effnet.data.corruptions.corruption import Corruption, limits, to_bytes
from lit_effnet.data.pixels import Rgb


@dataclass(frozen=True)
class Spatter(Corruption):
    """Drops of water, or of mud, on the lens.

    Args:
        mean: Mean of the normal numbers that become drops, for pixels from 0 to 1.
        deviation: Their standard deviation.
        sigma: Standard deviation in pixels of the Gaussian that gathers them to drops.
        threshold: Below it there is no drop.
        strength: Of water, how bright it is; of mud, the standard deviation in pixels of the
            Gaussian that softens its edges.
        mud: Whether drops are mud, brown and opaque, instead of water.
    """

    name: ClassVar[str] = "spatter"
    mean: float = field(metadata=limits())
    deviation: float = field(metadata=limits(0))
    sigma: float = field(metadata=limits(0))
    threshold: float = field(metadata=limits())
    strength: float = field(metadata=limits(0))
    mud: bool

    def __call__(self, image: Rgb, generator: np.random.Generator) -> Rgb:
        """Return the image behind drops `uint8 [H, W, 3]`."""
        pixels = np.asarray(image, np.float32) / 255
        liquid = generator.normal(self.mean, self.deviation, image.shape[:2])
        liquid = gaussian_smoothed(liquid, self.sigma)
        liquid[liquid < self.threshold] = 0
        if self.mud:
            cover = gaussian_smoothed((liquid > self.threshold).astype(np.float32), self.strength)
            cover[cover < 0.8] = 0
            brown = np.array([63, 42, 20], np.float64) / 255
            colour = brown.astype(np.float32) * cover[..., None]
            return to_bytes(pixels * (1 - cover[..., None]) + colour)
        turquoise = (np.array([175, 238, 238], np.float64) / 255).astype(np.float32)
        return to_bytes(pixels + self.water(liquid)[..., None] * turquoise)

    def water(self, liquid: NDArray[np.float64]) -> NDArray[np.float32]:
        """How bright the water is `float32 [H, W]`: by its depth, and shaded near its edges."""
        # Depths above 1 wrap round in 8 bits, as they do in the scripts.
        depth = (liquid * 255).astype(np.int64).astype(np.uint8)
        distance = cv2.distanceTransform(255 - cv2.Canny(depth, 50, 150), cv2.DIST_L2, 5)
        near = cv2.blur(np.minimum(distance, 20), (3, 3)).astype(np.uint8)
        relief = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])
        shade = cv2.filter2D(cv2.equalizeHist(near), cv2.CV_8U, relief)
        bright = depth * cv2.blur(shade, (3, 3)).astype(np.float32)
        # Without a drop the scripts divide by 0, and what becomes of that is up to the processor.
        brightest = bright.max() or np.float32(1)
        return np.asarray(bright / brightest * np.float32(self.strength), np.float32)
