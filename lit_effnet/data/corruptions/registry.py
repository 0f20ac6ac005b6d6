"""The corruptions: class, family, and the constants of the five severities, one entry each.

Constants are those of Hendrycks and Dietterich 2019, hendrycks/robustness @8190fe32,
ImageNet-C/create_c: make_imagenet_c.py (224 pixels), make_cifar_c.py (32) and
make_tinyimagenet_c.py (64). To add a corruption, write its class and add an entry here.
"""

from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, get_args

from lit_effnet.data.corruptions import blur, digital, noise, spatter, weather
from lit_effnet.data.corruptions.corruption import Corruption

Scale = Literal["imagenet", "cifar", "tiny"]
SCALES: tuple[Scale, ...] = get_args(Scale)
SEVERITIES = (1, 2, 3, 4, 5)

Family = Literal["noise", "blur", "weather", "digital"]
Constants = tuple[float | tuple[float, ...], ...]


@dataclass(frozen=True)
class Entry:
    """One corruption with its constants at each scale.

    Args:
        corruption: Its class.
        family: Kind of corruption, as the paper groups them.
        imagenet: Its fields at severities 1 to 5, for images of 224 pixels.
        cifar: The same for 32 pixels.
        tiny: The same for 64 pixels.
        benchmark: Whether it is one of the 15 of ImageNet-C. The other four are for choosing
            settings.
    """

    corruption: type[Corruption]
    family: Family
    imagenet: Constants
    cifar: Constants
    tiny: Constants
    benchmark: bool = True


# The script's 244 is a slip of 224, which it says itself; these are the pixels that it used.
_ELASTIC = 244

ENTRIES = (
    Entry(
        noise.GaussianNoise,
        "noise",
        imagenet=(0.08, 0.12, 0.18, 0.26, 0.38),
        cifar=(0.04, 0.06, 0.08, 0.09, 0.1),
        tiny=(0.04, 0.08, 0.12, 0.15, 0.18),
    ),
    Entry(
        noise.ShotNoise,
        "noise",
        imagenet=(60, 25, 12, 5, 3),
        cifar=(500, 250, 100, 75, 50),
        tiny=(250, 100, 50, 30, 15),
    ),
    Entry(
        noise.ImpulseNoise,
        "noise",
        imagenet=(0.03, 0.06, 0.09, 0.17, 0.27),
        cifar=(0.01, 0.02, 0.03, 0.05, 0.07),
        tiny=(0.01, 0.02, 0.05, 0.08, 0.14),
    ),
    Entry(
        blur.DefocusBlur,
        "blur",
        imagenet=((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5)),
        cifar=((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1)),
        tiny=((0.5, 0.6), (1, 0.1), (1.5, 0.1), (2.5, 0.01), (3, 0.1)),
    ),
    Entry(
        blur.GlassBlur,
        "blur",
        imagenet=((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2)),
        cifar=((0.05, 1, 1), (0.25, 1, 1), (0.4, 1, 1), (0.25, 1, 2), (0.4, 1, 2)),
        tiny=((0.1, 1, 1), (0.5, 1, 1), (0.6, 1, 2), (0.7, 2, 1), (0.9, 2, 2)),
    ),
    Entry(
        blur.MotionBlur,
        "blur",
        imagenet=((10, 3), (15, 5), (15, 8), (15, 12), (20, 15)),
        cifar=((6, 1), (6, 1.5), (6, 2), (8, 2), (9, 2.5)),
        tiny=((10, 1), (10, 1.5), (10, 2), (10, 2.5), (12, 3)),
    ),
    Entry(
        blur.ZoomBlur,
        "blur",
        imagenet=((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03)),
        cifar=((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
        tiny=((1.06, 0.01), (1.11, 0.01), (1.16, 0.01), (1.21, 0.01), (1.26, 0.01)),
    ),
    Entry(
        weather.Snow,
        "weather",
        imagenet=(
            (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
            (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
            (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
            (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
            (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
        ),
        cifar=(
            (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
        ),
        tiny=(
            (0.1, 0.2, 1, 0.6, 8, 3, 0.8),
            (0.1, 0.2, 1, 0.5, 10, 4, 0.8),
            (0.15, 0.3, 1.75, 0.55, 10, 4, 0.7),
            (0.25, 0.3, 2.25, 0.6, 12, 6, 0.65),
            (0.3, 0.3, 1.25, 0.65, 14, 12, 0.6),
        ),
    ),
    Entry(
        weather.Frost,
        "weather",
        imagenet=((1, 0.4, 1), (0.8, 0.6, 1), (0.7, 0.7, 1), (0.65, 0.7, 1), (0.6, 0.75, 1)),
        cifar=((1, 0.2, 0.2), (1, 0.3, 0.2), (0.9, 0.4, 0.2), (0.85, 0.4, 0.2), (0.75, 0.45, 0.2)),
        tiny=((1, 0.3, 0.3), (0.9, 0.4, 0.3), (0.8, 0.45, 0.3), (0.75, 0.5, 0.3), (0.7, 0.55, 0.3)),
    ),
    Entry(
        weather.Fog,
        "weather",
        imagenet=((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4)),
        cifar=((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75)),
        tiny=((0.4, 3), (0.7, 3), (1, 2.5), (1.5, 2), (2, 1.75)),
    ),
    Entry(
        weather.Brightness,
        "weather",
        imagenet=(0.1, 0.2, 0.3, 0.4, 0.5),
        cifar=(0.05, 0.1, 0.15, 0.2, 0.3),
        tiny=(0.1, 0.2, 0.3, 0.4, 0.5),
    ),
    Entry(
        digital.Contrast,
        "digital",
        imagenet=(0.4, 0.3, 0.2, 0.1, 0.05),
        cifar=(0.75, 0.5, 0.4, 0.3, 0.15),
        tiny=(0.4, 0.3, 0.2, 0.1, 0.05),
    ),
    Entry(
        digital.ElasticTransform,
        "digital",
        imagenet=(
            (_ELASTIC * 2, _ELASTIC * 0.7, _ELASTIC * 0.1),
            (_ELASTIC * 2, _ELASTIC * 0.08, _ELASTIC * 0.2),
            (_ELASTIC * 0.05, _ELASTIC * 0.01, _ELASTIC * 0.02),
            (_ELASTIC * 0.07, _ELASTIC * 0.01, _ELASTIC * 0.02),
            (_ELASTIC * 0.12, _ELASTIC * 0.01, _ELASTIC * 0.02),
        ),
        cifar=(
            (0, 0, 32 * 0.08),
            (32 * 0.05, 32 * 0.2, 32 * 0.07),
            (32 * 0.08, 32 * 0.06, 32 * 0.06),
            (32 * 0.1, 32 * 0.04, 32 * 0.05),
            (32 * 0.1, 32 * 0.03, 32 * 0.03),
        ),
        tiny=(
            (0, 0, 64 * 0.08),
            (64 * 0.05, 64 * 0.3, 64 * 0.06),
            (64 * 0.1, 64 * 0.08, 64 * 0.06),
            (64 * 0.1, 64 * 0.03, 64 * 0.03),
            (64 * 0.16, 64 * 0.03, 64 * 0.02),
        ),
    ),
    Entry(
        digital.Pixelate,
        "digital",
        imagenet=(0.6, 0.5, 0.4, 0.3, 0.25),
        cifar=(0.95, 0.9, 0.85, 0.75, 0.65),
        tiny=(0.9, 0.8, 0.7, 0.6, 0.5),
    ),
    Entry(
        digital.JpegCompression,
        "digital",
        imagenet=(25, 18, 15, 10, 7),
        cifar=(80, 65, 58, 50, 40),
        tiny=(65, 58, 50, 40, 25),
    ),
    Entry(
        noise.SpeckleNoise,
        "noise",
        imagenet=(0.15, 0.2, 0.35, 0.45, 0.6),
        cifar=(0.06, 0.1, 0.12, 0.16, 0.2),
        tiny=(0.15, 0.2, 0.25, 0.3, 0.35),
        benchmark=False,
    ),
    Entry(
        blur.GaussianBlur,
        "blur",
        imagenet=(1, 2, 3, 4, 6),
        cifar=(0.4, 0.6, 0.7, 0.8, 1),
        tiny=(0.5, 0.75, 1, 1.25, 1.5),
        benchmark=False,
    ),
    Entry(
        spatter.Spatter,
        "weather",
        imagenet=(
            (0.65, 0.3, 4, 0.69, 0.6, False),
            (0.65, 0.3, 3, 0.68, 0.6, False),
            (0.65, 0.3, 2, 0.68, 0.5, False),
            (0.65, 0.3, 1, 0.65, 1.5, True),
            (0.67, 0.4, 1, 0.65, 1.5, True),
        ),
        cifar=(
            (0.62, 0.1, 0.7, 0.7, 0.5, False),
            (0.65, 0.1, 0.8, 0.7, 0.5, False),
            (0.65, 0.3, 1, 0.69, 0.5, False),
            (0.65, 0.1, 0.7, 0.69, 0.6, True),
            (0.65, 0.1, 0.5, 0.68, 0.6, True),
        ),
        tiny=(
            (0.62, 0.1, 0.7, 0.7, 0.6, False),
            (0.65, 0.1, 0.8, 0.7, 0.6, False),
            (0.65, 0.3, 1, 0.69, 0.6, False),
            (0.65, 0.1, 0.7, 0.68, 0.6, True),
            (0.65, 0.1, 0.5, 0.67, 0.6, True),
        ),
        benchmark=False,
    ),
    Entry(
        digital.Saturate,
        "digital",
        imagenet=((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2)),
        cifar=((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2)),
        tiny=((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (30, 0.2)),
        benchmark=False,
    ),
)

REGISTRY: dict[str, Entry] = {entry.corruption.name: entry for entry in ENTRIES}


def _names(family: Family | None = None, *, benchmark: bool = True) -> tuple[str, ...]:
    return tuple(
        name
        for name, entry in REGISTRY.items()
        if entry.benchmark == benchmark and family in (None, entry.family)
    )


# Groups of corruptions by name; all but `extra` hold the benchmark's only.
GROUPS: dict[str, tuple[str, ...]] = {
    **{family: _names(family) for family in get_args(Family)},
    "extra": _names(benchmark=False),
    "corruptions": _names(),
}


def make(
    name: str, severity: int, scale: Scale, frost_images: str | Path | None = None
) -> Corruption:
    """Return a corruption at one of the five severities.

    Args:
        name: A name of `REGISTRY`, such as gaussian_noise.
        severity: One of `SEVERITIES`, 1 is the mildest.
        scale: Table of constants, see `scale_of`.
        frost_images: Folder of the photographs that frost needs.

    Raises:
        ValueError: an unknown name, severity or scale, or frost without its photographs.
    """
    if name not in REGISTRY:
        near = get_close_matches(name, REGISTRY)
        hint = f" (did you mean {' or '.join(near)}?)" if near else ""
        raise ValueError(f"name {name}: must be one of {', '.join(REGISTRY)}{hint}")
    if severity not in SEVERITIES:
        raise ValueError(f"severity {severity}: must be one of {', '.join(map(str, SEVERITIES))}")
    if scale not in SCALES:
        raise ValueError(f"scale {scale}: must be one of {', '.join(SCALES)}")
    entry = REGISTRY[name]
    constants = getattr(entry, scale)[int(severity) - 1]
    arguments: tuple[Any, ...] = constants if isinstance(constants, tuple) else (constants,)
    if entry.corruption is weather.Frost:
        if frost_images is None:
            raise ValueError(
                "frost_images: frost needs the folder with "
                f"{', '.join(weather.FROST_IMAGES)} of hendrycks/robustness, ImageNet-C/create_c"
            )
        arguments = (*arguments, str(frost_images))
    return entry.corruption(*arguments)


def scale_of(size: int) -> Scale:
    """Return the scale whose constants fit images of that side in pixels.

    The constants were made for 32 pixels (cifar, used up to 48), 64 (tiny, up to 128) and 224
    (imagenet).
    """
    if size <= 48:
        return "cifar"
    return "tiny" if size <= 128 else "imagenet"
