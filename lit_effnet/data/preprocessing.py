"""Preprocessing of evaluation images."""

from dataclasses import dataclass
from typing import Literal, get_args

from lit_effnet.data.prepare import short_side

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

Interpolation = Literal["bicubic", "bilinear", "nearest", "lanczos"]


@dataclass(frozen=True)
class Preprocessing:
    """Size, crop and normalisation of evaluation images; training shares the normalisation.

    Args:
        image_size: Side of the input in pixels at resolution 1; None if unknown.
        crop_fraction: Part of the resized short side that the central crop keeps.
        interpolation: Filter of the resize.
        mean: Mean of each channel, for pixels from 0 to 1.
        std: Standard deviation of each channel, for pixels from 0 to 1.

    Raises:
        ValueError: a number outside its range, or an unknown filter.
    """

    image_size: float | None
    crop_fraction: float = 0.875
    interpolation: Interpolation = "bicubic"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD

    def __post_init__(self) -> None:
        if not 0 < self.crop_fraction <= 1:
            raise ValueError(f"crop_fraction {self.crop_fraction}: must be above 0 and at most 1")
        if self.interpolation not in get_args(Interpolation):
            known = ", ".join(get_args(Interpolation))
            raise ValueError(f"interpolation {self.interpolation!r}: must be one of {known}")
        if len(self.mean) != 3 or len(self.std) != 3 or not all(s > 0 for s in self.std):
            raise ValueError("mean and std: must be three numbers each, std above 0")

    def short_side(self, size: int) -> int:
        """Return the short side in pixels before the central crop to `size`, rounded as in timm."""
        return short_side(size, self.crop_fraction)
