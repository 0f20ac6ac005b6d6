"""Transforms: crop, flip and RandAugment for training, the central crop for evaluation."""

import os
import random
from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

# Without this, albumentations looks for a newer version on the network when it is imported.
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
import albumentations as A
from PIL import Image

from lit_effnet.data.augment import RANDAUGMENT_BINS, Augment
from lit_effnet.data.prepare import central_view
from lit_effnet.data.preprocessing import Preprocessing

if TYPE_CHECKING:
    from numpy.typing import NDArray


LINEAR_FROM = 1.5  # ratio of pixels above which linear interpolation does not blur


class Seeded:
    """Transform `uint8 [H, W, 3]` with random numbers that follow from a key.

    An image's augmentation depends on run seed, epoch and row only, and not on the worker.
    """

    def __init__(self, transforms: list[A.BasicTransform | A.BaseCompose]) -> None:
        self.compose = A.Compose(transforms)
        # One pair of generators for all transforms: reseeding it takes microseconds, whereas
        # albumentations' set_random_seed makes a new pair for each transform.
        self.bits = np.random.PCG64(0)
        self.python = random.Random(0)
        self.compose.set_random_state(np.random.Generator(self.bits), self.python)

    def __call__(self, image: "NDArray[np.uint8]", key: tuple[int, ...]) -> "NDArray[np.uint8]":
        """Return the transformed image; the same for the same image and key."""
        sequence = np.random.SeedSequence(key)
        self.bits.state = np.random.PCG64(sequence).state
        self.python.seed(int(sequence.generate_state(1, np.uint64)[0]))
        transformed: NDArray[np.uint8] = self.compose(image=image)["image"]
        return transformed


class RandomResizedCrop(A.RandomResizedCrop):  # type: ignore[misc] # it ships no types
    """Resize albumentations' crop by `resized`."""

    def apply(
        self, img: "NDArray[np.uint8]", crop_coords: tuple[int, int, int, int], **_: Any
    ) -> "NDArray[np.uint8]":
        """Return the crop of an image `uint8 [H, W, 3]`, resized."""
        left, top, right, bottom = crop_coords
        return resized(img[top:bottom, left:right], *self.size)


def resized(image: "NDArray[np.uint8]", height: int, width: int) -> "NDArray[np.uint8]":
    """Resize pixels `[H, W, 3]`, close to Pillow's bicubic filter and much faster.

    The image is halved while it is more than twice too large, so that every pixel contributes.
    Then it is resized linearly, or by the cubic filter where linear would blur: at about the same
    size and above.
    """
    while image.shape[0] >= 2 * height and image.shape[1] >= 2 * width:
        half = (image.shape[1] // 2, image.shape[0] // 2)
        # The last pixel of an odd side is dropped; OpenCV is slow otherwise.
        image = cv2.resize(image[: 2 * half[1], : 2 * half[0]], half, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    if image.shape[:2] == (height, width):
        return image
    shrinks = image.shape[0] * image.shape[1] > LINEAR_FROM * height * width
    filter_ = cv2.INTER_LINEAR if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (width, height), interpolation=filter_), np.uint8)


def training(size: int, augment: Augment) -> Seeded:
    """Return the training transform: random resized crop to `size` pixels, flip, RandAugment."""
    crop = RandomResizedCrop((size, size), scale=augment.crop_scale)
    operations = [crop, A.HorizontalFlip(p=augment.flip)]
    if augment.randaugment_layers:
        operations.append(
            randaugment(augment.randaugment_layers, augment.randaugment_magnitude, size)
        )
    return Seeded(operations)


class Evaluation:
    """Resize the short side to `size / crop_fraction` pixels, then crop the centre.

    Pillow resizes, as for the released networks: its filters do not alias when they reduce.
    """

    def __init__(self, size: int, preprocessing: Preprocessing) -> None:
        self.size = size
        self.short_side = preprocessing.short_side(size)
        self.filter = Image.Resampling[preprocessing.interpolation.upper()]

    def __call__(self, image: "NDArray[np.uint8]", key: tuple[int, ...]) -> "NDArray[np.uint8]":
        """Return the view of an image `uint8 [H, W, 3]`; the key is ignored."""
        return central_view(image, self.size, self.short_side, self.filter)


def randaugment(layers: int, magnitude: int, size: int) -> A.BaseCompose:
    """Return RandAugment(N, M), Cubuk et al. 2020: `layers` of 14 operations at one magnitude.

    The ranges at M = 30 are torchvision's: shear 0.3, translation 150 / 331 of the side, rotation
    30 degrees, enhancement factors 1 +- 0.9, posterise to 4 bits, solarise above 0. Operations
    are drawn with replacement, each with the same probability, their sign at random.
    """
    part = magnitude / RANDAUGMENT_BINS
    shift = round(150 / 331 * size * part)
    shear = float(np.rad2deg(np.arctan(0.3 * part)))
    factor = 0.9 * part
    bits = 8 - round(4 * part)
    grey = cv2.BORDER_CONSTANT

    def affine(**how: Any) -> A.Affine:
        return A.Affine(**how, border_mode=grey, fill=0, p=1)

    def enhanced(what: str) -> A.BaseCompose:
        still = dict.fromkeys(("brightness", "contrast", "saturation"), (1.0, 1.0))
        return _either(
            *(
                A.ColorJitter(**{**still, "hue": (0.0, 0.0), what: (1 + f, 1 + f)}, p=1)
                for f in (factor, -factor)
            )
        )

    operations = [
        A.NoOp(p=1),
        A.AutoContrast(method="pil", p=1),
        A.Equalize(mode="pil", p=1),
        _either(*(affine(rotate=(a, a)) for a in (30 * part, -30 * part))),
        _either(*(affine(shear={"x": (a, a), "y": (0, 0)}) for a in (shear, -shear))),
        _either(*(affine(shear={"x": (0, 0), "y": (a, a)}) for a in (shear, -shear))),
        _either(*(affine(translate_px={"x": (a, a), "y": (0, 0)}) for a in (shift, -shift))),
        _either(*(affine(translate_px={"x": (0, 0), "y": (a, a)}) for a in (shift, -shift))),
        A.Solarize(threshold_range=(1 - part, 1 - part), p=1),
        A.Posterize(num_bits=bits, p=1) if bits < 8 else A.NoOp(p=1),
        enhanced("saturation"),
        enhanced("contrast"),
        enhanced("brightness"),
        _either(
            *(A.Lambda(image=partial(sharpened, factor=1 + f), p=1) for f in (factor, -factor))
        ),
    ]
    return A.SomeOf(operations, n=layers, replace=True, p=1)


def sharpened(image: "NDArray[np.uint8]", factor: float, **_: Any) -> "NDArray[np.uint8]":
    """Apply Pillow's sharpness: move the image away from its 3x3 mean, except at the border."""
    kernel = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], np.float32) / 13
    smooth = image.copy()
    smooth[1:-1, 1:-1] = cv2.filter2D(image, -1, kernel)[1:-1, 1:-1]
    blended = cv2.addWeighted(image, factor, smooth, 1 - factor, 0)
    return np.asarray(blended, np.uint8)


def _either(*transforms: A.BasicTransform | A.BaseCompose) -> A.OneOf:
    return A.OneOf(list(transforms), p=1)
