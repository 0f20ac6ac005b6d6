"""The corruptions against their formulas and constants, and what they refuse."""

import json
import re
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import skimage
from PIL import Image

from lit_effnet.data.corruptions import blur, digital, noise, spatter, weather
from lit_effnet.data.corruptions.registry import (
    GROUPS,
    REGISTRY,
    SEVERITIES,
    make,
    scale_of,
)
from lit_effnet.metrics.robustness import BENCHMARK
from tests.data.corruption_constants import CONSTANTS
from tests.data.corruption_formulas import FORMULAS

PHOTOGRAPHS = [skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee()]
SIZES = {"cifar": (32, 32), "tiny": (64, 64), "imagenet": (224, 224)}
# Images are equal to the pixel. Of these two, which interpolate and smooth in another order of
# additions than SciPy, a processor's rounding may tell what a float is truncated to: then a grey
# differs by one, in no more than this share of the values. None did where this was written.
ROUNDED = {"zoom_blur": 1e-3, "elastic_transform": 1e-3}


def photograph(number: int, height: int, width: int) -> np.ndarray:
    picture = Image.fromarray(PHOTOGRAPHS[number % len(PHOTOGRAPHS)])
    return np.array(picture.resize((width, height), Image.Resampling.BICUBIC))


@pytest.fixture(scope="module")
def frost(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures with the names of ImageNet-C's photographs of frost, each of its own size."""
    folder = tmp_path_factory.mktemp("frost")
    for number, file in enumerate(weather.FROST_IMAGES):
        picture = photograph(number, 400 + 10 * number, 500 + 10 * number)
        Image.fromarray(picture[::-1]).save(folder / file)
    return folder


def assert_formula(name: str, scale: str, height: int, width: int, frost: Path) -> None:
    for severity, constants in zip(SEVERITIES, CONSTANTS[scale][name], strict=True):
        image = photograph(severity, height, width)
        more = {"folder": frost} if name == "frost" else {}
        formula, ours = np.random.default_rng(severity), np.random.default_rng(severity)
        expected = FORMULAS[name](image, formula, *constants, **more).astype(int)
        difference = np.abs(expected - make(name, severity, scale, frost)(image, ours))
        assert difference.max() <= (name in ROUNDED), severity
        assert difference.mean() <= ROUNDED.get(name, 0), severity
        assert formula.bit_generator.state == ours.bit_generator.state


@pytest.mark.parametrize("scale", CONSTANTS)
@pytest.mark.parametrize("name", REGISTRY)
def test_every_severity_is_the_formula_with_the_constants_of_the_scripts(
    name: str, scale: str, frost: Path
) -> None:
    assert_formula(name, scale, *SIZES[scale], frost)
    for severity, constants in zip(SEVERITIES, CONSTANTS[scale][name], strict=True):
        fields = asdict(make(name, severity, scale, frost))
        fields.pop("folder", None)
        values = np.arange(1, *fields.values()) if name == "zoom_blur" else tuple(fields.values())
        assert np.array_equal(values, constants)


@pytest.mark.parametrize("name", REGISTRY)
def test_images_that_are_not_square_follow_the_same_formulas(name: str, frost: Path) -> None:
    assert REGISTRY[name].corruption.name == name
    assert_formula(name, "tiny", 56, 72, frost)


@pytest.mark.parametrize("name", REGISTRY)
@pytest.mark.parametrize("size", [(32, 97), (75, 33)])
def test_a_seed_gives_one_image_of_the_same_shape_and_the_input_stays(
    name: str, size: tuple[int, int], frost: Path
) -> None:
    corruption = make(name, 3, "cifar", frost)
    image = photograph(0, *size)
    image.setflags(write=False)
    first, second, other = (corruption(image, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(image, photograph(0, *size))
    assert (first.shape, first.dtype) == (image.shape, np.uint8)
    assert not np.shares_memory(first, image)
    assert np.array_equal(first, second)
    assert not np.array_equal(first, image)
    draws = np.random.default_rng(1)
    corruption(image, draws)
    drawn = draws.bit_generator.state != np.random.default_rng(1).bit_generator.state
    assert drawn == (not np.array_equal(first, other))


@pytest.mark.parametrize("scale", CONSTANTS)
@pytest.mark.parametrize("name", [*GROUPS["noise"], "speckle_noise"])
def test_a_higher_severity_of_a_noise_changes_the_image_more(name: str, scale: str) -> None:
    image = photograph(0, 64, 64)
    changes = [
        np.abs(image.astype(int) - make(name, s, scale)(image, np.random.default_rng(0))).mean()
        for s in SEVERITIES
    ]
    assert changes == sorted(changes)
    assert len(set(changes)) == len(SEVERITIES)


def test_offsets_of_glass_blur_are_the_same_drawn_at_once_or_pixel_by_pixel() -> None:
    for reach in (1, 2, 3, 4):
        one, all_ = np.random.default_rng(3), np.random.default_rng(3)
        drawn = np.array([one.integers(-reach, reach, size=(2,)) for _ in range(1001)])
        assert np.array_equal(
            drawn, all_.integers(-reach, reach, size=(7, 11, 13, 2)).reshape(-1, 2)
        )


# Made once by ImageMagick 6.9.11-60 Q16 through wand 0.7.2, as the scripts do it: the PNG of GREY,
# MagickMotionBlurImage(radius=3, sigma=2, angle), and the PNG that it gives back.
GREY = [
    [168, 229, 184, 171, 238, 171, 20, 206, 245, 153],
    [204, 5, 37, 53, 213, 206, 192, 173, 6, 120],
    [63, 96, 236, 131, 118, 4, 87, 161, 124, 71],
    [42, 73, 237, 16, 194, 250, 10, 103, 206, 13],
    [143, 2, 38, 71, 133, 118, 36, 98, 196, 35],
    [57, 146, 50, 179, 145, 104, 206, 53, 141, 33],
    [181, 39, 151, 11, 180, 138, 66, 0, 165, 98],
    [123, 12, 144, 184, 24, 38, 129, 1, 202, 255],
]
BLURRED = {
    30: [
        [144, 169, 178, 196, 196, 105, 85, 182, 167, 137],
        [135, 64, 63, 93, 174, 180, 148, 82, 60, 98],
        [104, 133, 189, 133, 61, 79, 121, 96, 68, 50],
        [61, 130, 130, 100, 160, 134, 79, 107, 85, 21],
        [80, 74, 81, 109, 129, 85, 79, 107, 92, 38],
        [102, 87, 124, 143, 96, 126, 144, 105, 103, 67],
        [129, 99, 66, 84, 130, 101, 106, 143, 178, 156],
        [102, 88, 114, 96, 49, 86, 127, 154, 237, 255],
    ],
    -72.5: [
        [189, 211, 180, 194, 210, 118, 90, 218, 210, 153],
        [201, 137, 131, 155, 201, 129, 147, 207, 131, 142],
        [165, 101, 154, 146, 162, 72, 162, 194, 100, 116],
        [71, 91, 189, 126, 167, 130, 99, 123, 155, 75],
        [93, 85, 126, 89, 132, 155, 79, 102, 162, 52],
        [89, 127, 51, 145, 147, 93, 129, 104, 123, 39],
        [90, 101, 90, 113, 156, 92, 121, 85, 110, 56],
        [130, 42, 139, 117, 107, 102, 90, 60, 128, 126],
    ],
}


@pytest.mark.parametrize("angle", BLURRED)
def test_motion_blur_is_that_of_imagemagick(angle: float) -> None:
    grey = np.array(GREY, np.uint8)
    assert blur.motion_blurred(grey, 3, 2, angle).tolist() == BLURRED[angle]
    colours = np.stack([grey, grey.T[:8, :].repeat(2, axis=1)[:, :10], 255 - grey], axis=2)
    blurred = blur.motion_blurred(colours, 3, 2, angle)
    assert blurred[..., 0].tolist() == BLURRED[angle]


def test_water_without_a_drop_leaves_the_image() -> None:
    image = photograph(0, 40, 40)
    dry = spatter.Spatter(0.1, 0.01, 1, 0.9, 0.6, mud=False)
    assert np.array_equal(dry(image, np.random.default_rng(0)), image)


def test_the_benchmark_is_the_fifteen_corruptions_that_the_metric_knows() -> None:
    assert GROUPS["corruptions"] == BENCHMARK
    assert len(GROUPS["extra"]) == 4
    families = ("noise", "blur", "weather", "digital")
    assert tuple(name for family in families for name in GROUPS[family]) == BENCHMARK


def test_the_scale_follows_from_the_size() -> None:
    sizes = (32, 48, 49, 64, 128, 129, 224, 600)
    expected = ["cifar"] * 2 + ["tiny"] * 3 + ["imagenet"] * 3
    assert [scale_of(size) for size in sizes] == expected


@pytest.mark.parametrize("name", REGISTRY)
def test_the_fields_of_a_corruption_make_a_row_of_json(name: str, frost: Path) -> None:
    corruption = make(name, 4, "tiny", frost)
    assert type(corruption)(**json.loads(json.dumps(asdict(corruption)))) == corruption


def test_each_photograph_of_frost_is_read_once(frost: Path, tmp_path: Path) -> None:
    for file in weather.FROST_IMAGES:
        (tmp_path / file).write_bytes((frost / file).read_bytes())
    corruption = make("frost", 5, "imagenet", tmp_path)
    image = photograph(1, 64, 64)
    first = [corruption(image, np.random.default_rng(seed)) for seed in range(30)]
    for file in weather.FROST_IMAGES:
        (tmp_path / file).unlink()
    assert np.array_equal(first, [corruption(image, np.random.default_rng(s)) for s in range(30)])


@pytest.mark.parametrize(
    ("corruption", "arguments", "message"),
    [
        (noise.GaussianNoise, (-1,), "sigma -1: must be a number of at least 0"),
        (noise.GaussianNoise, (float("nan"),), "sigma nan: must be a number of at least 0"),
        (noise.ShotNoise, (0,), "rate 0: must be a number above 0"),
        (noise.ImpulseNoise, (1.5,), "amount 1.5: must be a number from 0 to 1"),
        (noise.SpeckleNoise, (float("inf"),), "sigma inf: must be a number of at least 0"),
        (blur.DefocusBlur, (3, 0), "alias_blur 0: must be a number above 0"),
        (blur.GlassBlur, (1, 1.5, 1), "max_offset 1.5: must be a whole number of at least 1"),
        (blur.ZoomBlur, (1, 0.1), "stop 1: must be a number above 1"),
        (weather.Snow, (0, 0, 0.9, 0, 1, 1, 0), "zoom 0.9: must be a number of at least 1"),
        (weather.Snow, (float("nan"), 0, 1, 0, 1, 1, 0), "mean nan: must be a number"),
        (digital.Pixelate, (0,), "factor 0: must be a number above 0 and at most 1"),
        (digital.JpegCompression, (0,), "quality 0: must be a whole number from 1 to 100"),
    ],
)
def test_a_field_outside_its_limits_is_refused(
    corruption: type, arguments: tuple[float, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$") as refused:
        corruption(*arguments)
    assert str(refused.value) == message


@pytest.mark.parametrize("name", REGISTRY)
def test_no_number_of_a_corruption_may_be_nan(name: str, frost: Path) -> None:
    numbers = asdict(make(name, 1, "imagenet", frost))
    for field in set(numbers) - {"folder", "mud"}:
        with pytest.raises(ValueError, match=f"^{field} nan: must be a (whole )?number") as refused:
            REGISTRY[name].corruption(**{**numbers, field: float("nan")})
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"name": "snwo"},
            "name snwo: must be one of gaussian_noise, .*saturate .did you mean snow",
        ),
        ({"name": "rain"}, "name rain: must be one of gaussian_noise, .*"),
        ({"severity": 0}, "severity 0: must be one of 1, 2, 3, 4, 5$"),
        ({"severity": 6}, "severity 6: must be one of 1, 2, 3, 4, 5$"),
        ({"scale": "large"}, "scale large: must be one of imagenet, cifar, tiny$"),
        (
            {"name": "frost"},
            "frost_images: frost needs the folder with frost1.png, .*create_c$",
        ),
    ],
)
def test_what_cannot_be_made_is_refused_with_what_can(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}") as refused:
        make(**{"name": "fog", "severity": 1, "scale": "tiny", **change})
    assert "\n" not in str(refused.value)


def test_photographs_of_frost_that_do_not_serve_are_refused(frost: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"^frost_images .*: must hold .*; missing: frost1.png, .*5.jpg$"
    ):
        weather.Frost(1, 1, 1, str(tmp_path))
    first_file = SimpleNamespace(integers=lambda *_: 0)
    with pytest.raises(
        ValueError,
        match=r"^frost_images .*: frost1.png must be larger than the image, 80 x 100 pixels at zoom 0.2 for 90 x 32$",
    ):
        make("frost", 1, "cifar", frost)(photograph(0, 90, 32), first_file)
    for file in weather.FROST_IMAGES:
        (tmp_path / file).write_text("no image")
    unreadable = make("frost", 1, "cifar", tmp_path)
    with pytest.raises(
        ValueError, match=r"^frost_images .*: frost1.png must be an image$"
    ) as refused:
        unreadable(photograph(0, 32, 32), first_file)
    assert "\n" not in str(refused.value)
