"""The corruptions by name, family and severity."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lit_effnet.data.corruptions import blur, digital, noise, spatter, weather
from lit_effnet.data.corruptions.corruption import Corruption
from lit_effnet.data.corruptions.severities import SCALES, SEVERITIES, TABLES, Scale

CLASSES: dict[str, type[Corruption]] = {
    corruption.name: corruption
    for corruption in (
        noise.GaussianNoise,
        noise.ShotNoise,
        noise.ImpulseNoise,
        blur.DefocusBlur,
        blur.GlassBlur,
        blur.MotionBlur,
        blur.ZoomBlur,
        weather.Snow,
        weather.Frost,
        weather.Fog,
        weather.Brightness,
        digital.Contrast,
        digital.ElasticTransform,
        digital.Pixelate,
        digital.JpegCompression,
        noise.SpeckleNoise,
        blur.GaussianBlur,
        spatter.Spatter,
        digital.Saturate,
    )
}

CORRUPTIONS = tuple(CLASSES)[:15]  # the benchmark's; the other four are for choosing settings

FAMILIES: dict[str, tuple[str, ...]] = {
    "noise": ("gaussian_noise", "shot_noise", "impulse_noise"),
    "blur": ("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    "weather": ("snow", "frost", "fog", "brightness"),
    "digital": ("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
    "extra": ("speckle_noise", "gaussian_blur", "spatter", "saturate"),
}


def make(
    name: str, severity: int, scale: Scale, frost_images: str | Path | None = None
) -> Corruption:
    """The corruption of that name at one of the benchmark's severities.

    Args:
        name: One of `CLASSES`, such as gaussian_noise.
        severity: One of `SEVERITIES`, 1 the mildest.
        scale: Whose constants, see `scale_of`.
        frost_images: Folder of the photographs that frost needs.

    Raises:
        ValueError: what is not one of these, and frost without its photographs.
    """
    if name not in CLASSES:
        near = get_close_matches(name, CLASSES)
        hint = f" (did you mean {' or '.join(near)}?)" if near else ""
        raise ValueError(f"name {name}: must be one of {', '.join(CLASSES)}{hint}")
    if severity not in SEVERITIES:
        raise ValueError(f"severity {severity}: must be one of {', '.join(map(str, SEVERITIES))}")
    if scale not in SCALES:
        raise ValueError(f"scale {scale}: must be one of {', '.join(SCALES)}")
    arguments: tuple[Any, ...] = TABLES[scale][name][int(severity) - 1]
    if name == weather.Frost.name:
        if frost_images is None:
            raise ValueError(
                "frost_images: frost needs the folder with "
                f"{', '.join(weather.FROST_IMAGES)} of hendrycks/robustness, ImageNet-C/create_c"
            )
        arguments = (*arguments, str(frost_images))
    return CLASSES[name](*arguments)


def scale_of(size: int) -> Scale:
    """Whose constants fit images of that side in pixels.

    They were made for 32 (cifar, taken up to 48), 64 (tiny, up to 128) and 224 (imagenet).
    """
    if size <= 48:
        return "cifar"
    return "tiny" if size <= 128 else "imagenet"
