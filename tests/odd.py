"""Odd images as people have them, each as the bytes of a file."""

import io
from collections.abc import Mapping

import cv2
import numpy as np
from PIL import Image

GENERATOR = np.random.default_rng(0)
COARSE = GENERATOR.integers(0, 256, (6, 9, 4), np.uint8)
RGBA = Image.fromarray(COARSE).resize((90, 60), Image.Resampling.BICUBIC)  # alpha of all values
RGB, GREY = RGBA.convert("RGB"), RGBA.convert("L")
DEEP = (np.asarray(RGBA).astype(int) * 256 + 100).astype(np.uint16)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def turned(orientation: int, kind: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(RGB, kind, exif=exif)


def by_opencv(pixels: np.ndarray) -> bytes:
    """A PNG of 16 bits in each channel, which Pillow cannot write."""
    return cv2.imencode(".png", pixels)[1].tobytes()


def odd_images() -> Mapping[str, bytes]:
    """Return bytes by a name with the ending of their format."""
    indexed = RGB.quantize(32)
    return {
        "alpha.png": saved(RGBA, "PNG"),
        "alpha.webp": saved(RGBA, "WEBP", lossless=True),
        "grey_alpha.png": saved(RGBA.convert("LA"), "PNG"),
        "palette.gif": saved(indexed, "GIF"),
        "palette_transparent.png": saved(indexed, "PNG", transparency=3),
        "colour_transparent.png": saved(RGB, "PNG", transparency=RGB.getpixel((3, 3))),
        "grey.jpg": saved(GREY, "JPEG"),
        "one_bit.png": saved(GREY.convert("1"), "PNG"),
        "grey_16.png": saved(Image.fromarray(DEEP[..., 0]), "PNG"),
        "grey_16.tif": saved(Image.fromarray(DEEP[..., 0]), "TIFF"),
        "grey_32.tif": saved(Image.fromarray(DEEP[..., 0].astype(np.int32)), "TIFF"),
        "colour_16.png": by_opencv(DEEP[..., :3]),
        "alpha_16.png": by_opencv(DEEP),
        "cmyk.jpg": saved(RGB.convert("CMYK"), "JPEG"),
        **{f"turned_{k}.jpg": turned(k, "JPEG") for k in range(2, 9)},
        "turned_6.png": turned(6, "PNG"),
        "narrow.png": saved(RGB.resize((7, 300)), "PNG"),
        "one_pixel.png": saved(RGB.resize((1, 1)), "PNG"),
    }
