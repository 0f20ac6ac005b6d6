"""Settings of the augmentation of training images."""

from dataclasses import dataclass

RANDAUGMENT_BINS = 30  # magnitudes are counted from 0 to 30, as in torchvision and timm


@dataclass(frozen=True)
class Augment:
    """Augmentation of a training image.

    Args:
        crop_scale: Range of the random crop's area, relative to the image's.
        flip: Probability of a horizontal flip.
        randaugment_layers: N of RandAugment(N, M): operations on each image; 0 for none.
        randaugment_magnitude: M of RandAugment(N, M), from 0 to 30.

    Raises:
        ValueError: a number outside its range.
    """

    crop_scale: tuple[float, float] = (0.08, 1.0)
    flip: float = 0.5
    randaugment_layers: int = 0
    randaugment_magnitude: int = 9

    def __post_init__(self) -> None:
        low, high = self.crop_scale
        if not 0 < low <= high <= 1:
            raise ValueError(f"crop_scale {low}, {high}: must be 0 < least <= most <= 1")
        if not 0 <= self.flip <= 1:
            raise ValueError(f"flip {self.flip}: must be from 0 to 1")
        if self.randaugment_layers < 0:
            raise ValueError(f"randaugment_layers {self.randaugment_layers}: must not be negative")
        if not 0 <= self.randaugment_magnitude <= RANDAUGMENT_BINS:
            raise ValueError(
                f"randaugment_magnitude {self.randaugment_magnitude}: must be from 0 to 30"
            )
