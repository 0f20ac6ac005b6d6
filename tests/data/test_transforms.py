"""Augmentation: what depends on the key, and RandAugment's operations against torchvision's."""

from typing import get_args

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import functional as T

from lit_effnet.data.augment import Augment
from lit_effnet.data.preprocessing import Interpolation, Preprocessing
from lit_effnet.data.transforms import Evaluation, randaugment, resized, training

IMAGE = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
SMOOTH = np.stack(np.meshgrid(np.arange(96), np.arange(96)) * 2, axis=2)[..., :3].astype(np.uint8)


def test_the_same_key_gives_the_same_image_and_another_key_another() -> None:
    transform = training(32, Augment(randaugment_layers=2))
    first = transform(IMAGE, (0, 3, 5))
    for other in ((1, 3, 5), (0, 4, 5), (0, 3, 6)):
        assert not np.array_equal(transform(IMAGE, other), first)
    assert np.array_equal(transform(IMAGE, (0, 3, 5)), first)
    assert np.array_equal(training(32, Augment(randaugment_layers=2))(IMAGE, (0, 3, 5)), first)


def test_output_has_the_asked_size_and_type() -> None:
    for transform in (training(48, Augment()), Evaluation(48, Preprocessing(48))):
        out = transform(IMAGE, (0,))
        assert out.shape == (48, 48, 3)
        assert out.dtype == np.uint8


def test_flips_half_of_the_images() -> None:
    transform = training(96, Augment(crop_scale=(1.0, 1.0), flip=0.5))
    flipped = sum(
        bool(transform(SMOOTH, (i,))[0, 0, 0] > transform(SMOOTH, (i,))[0, -1, 0])
        for i in range(400)
    )
    assert 160 <= flipped <= 240  # four standard deviations


def test_crops_cover_the_asked_part_of_the_area() -> None:
    """On a horizontal ramp the range of values in a crop is its width."""
    ramp = np.repeat(np.arange(240, dtype=np.uint8)[None, :, None], 240, 0).repeat(3, 2)
    transform = training(64, Augment(crop_scale=(0.25, 0.25), flip=0))
    widths = [np.ptp(transform(ramp, (i,)).astype(int)) for i in range(100)]
    # A quarter of the area at ratios 3/4 to 4/3: 104 to 139 of 240 pixels.
    assert min(widths) >= 100
    assert max(widths) <= 141


@pytest.mark.parametrize("interpolation", get_args(Interpolation))
@pytest.mark.parametrize(
    ("size", "crop_fraction"), [(56, 0.875), (48, 1.0), (60, 0.922), (100, 0.5)]
)
@pytest.mark.parametrize("shape", [(90, 120), (121, 90), (64, 64), (33, 200)])
def test_evaluation_equals_torchvisions_to_the_pixel(
    shape: tuple[int, int], size: int, crop_fraction: float, interpolation: Interpolation
) -> None:
    image = np.random.default_rng(1).integers(0, 256, (*shape, 3), np.uint8)
    ours = Evaluation(size, Preprocessing(size, crop_fraction, interpolation))(image, (0,))
    mode = T.InterpolationMode(interpolation)
    resized = T.resize(Image.fromarray(image), int(size / crop_fraction), mode)
    assert np.array_equal(ours, np.asarray(T.center_crop(resized, size)))


@pytest.mark.parametrize("magnitude", [0, 9, 30])
def test_photometric_operations_equal_torchvisions(magnitude: int) -> None:
    """Ranges and results of torchvision's RandAugment at the same magnitude."""
    part = magnitude / 30
    tensor = torch.from_numpy(IMAGE).permute(2, 0, 1)
    factor = 0.9 * part
    expected = {
        "AutoContrast": [T.autocontrast(tensor)],
        "Equalize": [T.equalize(tensor)],
        "Solarize": [T.solarize(tensor, 255 * (1 - part))],
        "Posterize": [T.posterize(tensor, 8 - round(4 * part))],
        "brightness": [T.adjust_brightness(tensor, 1 + f) for f in (factor, -factor)],
        "contrast": [T.adjust_contrast(tensor, 1 + f) for f in (factor, -factor)],
        "saturation": [T.adjust_saturation(tensor, 1 + f) for f in (factor, -factor)],
        "sharpness": [T.adjust_sharpness(tensor, 1 + f) for f in (factor, -factor)],
    }
    operations = randaugment(1, magnitude, 64).transforms
    for index, name in {
        1: "AutoContrast",
        2: "Equalize",
        8: "Solarize",
        9: "Posterize",
        10: "saturation",
        11: "contrast",
        12: "brightness",
        13: "sharpness",
    }.items():
        operation = operations[index]
        ours = getattr(operation, "transforms", [operation])
        for transform, theirs in zip(ours, expected[name], strict=True):
            out = transform(image=IMAGE)["image"].astype(int)
            off = np.abs(out - theirs.permute(1, 2, 0).numpy().astype(int))
            assert off.mean() < 1.5, f"{name}: {off.mean()} grey levels from torchvision's"


def test_geometric_operations_move_by_torchvisions_amounts() -> None:
    """A full-magnitude shift moves the image by 150 / 331 of its side, to either side."""
    shifts = randaugment(1, 30, 96).transforms[6].transforms
    moved = [transform(image=SMOOTH)["image"] for transform in shifts]
    offset = round(150 / 331 * 96)
    assert np.array_equal(moved[0][:, offset:], SMOOTH[:, :-offset])
    assert not moved[0][:, :offset].any()
    assert np.array_equal(moved[1][:, :-offset], SMOOTH[:, offset:])


@pytest.mark.parametrize("index", [3, 4, 5])
@pytest.mark.parametrize("sign", [0, 1])
def test_rotation_and_shear_go_as_far_as_torchvisions(index: int, sign: int) -> None:
    """The same picture as torchvision's affine at full magnitude, to either side."""
    angle, degrees = 30.0, float(np.rad2deg(np.arctan(0.3)))
    picture = cv2.GaussianBlur(np.pad(IMAGE, ((30, 30), (15, 15), (0, 0)))[:150, :150], (0, 0), 4)
    ours = randaugment(1, 30, 150).transforms[index].transforms[sign](image=picture)["image"]
    tensor = torch.from_numpy(picture).permute(2, 0, 1)

    def theirs(value: float) -> np.ndarray:
        turn = {"angle": value * angle if index == 3 else 0.0}
        shear = {3: [0.0, 0.0], 4: [value * degrees, 0.0], 5: [0.0, value * degrees]}[index]
        moved = T.affine(
            tensor, **turn, translate=[0, 0], scale=1.0, shear=shear,
            interpolation=T.InterpolationMode.BILINEAR,
        )  # fmt: skip
        return moved.permute(1, 2, 0).numpy().astype(int)

    off = [np.abs(ours.astype(int) - theirs(value)).mean() for value in (1.0, -1.0)]
    assert min(off) < 2
    assert max(off) > 5 * min(off)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"crop_scale": (0.0, 1.0)}, "crop_scale 0.0, 1.0: must be"),
        ({"crop_scale": (0.9, 0.5)}, "crop_scale 0.9, 0.5: must be"),
        ({"flip": 1.5}, "flip 1.5: must be from 0 to 1"),
        ({"randaugment_layers": -1}, "randaugment_layers -1: must not be negative"),
        ({"randaugment_magnitude": 31}, "randaugment_magnitude 31: must be from 0 to 30"),
    ],
)
def test_bad_numbers_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Augment(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [224, 240, 260, 280, 300, 380, 456, 528, 600])
def test_a_crop_of_32_pixels_around_is_resized_to_just_that(size: int) -> None:
    assert Evaluation(size, Preprocessing(size, size / (size + 32))).short_side == size + 32


@pytest.mark.parametrize("side", [150, 230, 330, 440, 470, 900, 1400])
def test_resizing_is_near_to_pillows_bicubic(side: int) -> None:
    """On rings finer than the pixels that are left, where OpenCV's cubics alias."""
    y, x = np.mgrid[:side, :side] / side
    rings = np.sin(900 * (x**2 + y**2))[..., None] * [60, 50, 40] + [120, 110, 130]
    image = rings.astype(np.uint8)
    reference = np.asarray(Image.fromarray(image).resize((224, 224), Image.Resampling.BICUBIC))
    error = np.abs(resized(image, 224, 224).astype(int) - reference).mean()
    cubic = np.abs(cv2.resize(image, (224, 224), interpolation=cv2.INTER_CUBIC) - 0.0 - reference)
    assert error < 13
    assert error <= cubic.mean()


def test_a_crop_of_the_asked_size_is_not_resampled() -> None:
    assert np.array_equal(resized(IMAGE, 90, 120), IMAGE)
