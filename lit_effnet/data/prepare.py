"""Prepare a photograph for a network: decoded by Pillow, resized, cropped, normalised.

`prepare(FILE, PREPARED)` needs NumPy and Pillow 10.1 or newer, and nothing of lit_effnet: a copy of
this file lies beside each exported network. Training and evaluation see images in the same way.
"""

import io
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, UnidentifiedImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Pillow warns of metadata that cannot be read; the pixels can. Not by catch_warnings around each
# image: that changes the filters of the whole process, and threads would leave them changed.
warnings.filterwarnings("ignore", module=r"PIL\.")

LARGEST_IMAGE = 2**27  # pixels, 400 MB decoded; larger files are refused as bombs
MAGIC = {b"\xff\xd8": "JPEG", b"\x89PNG": "PNG", b"GIF8": "GIF", b"RIFF": "WebP", b"BM": "BMP"}
ORIENTATION = 0x0112  # EXIF tag
MANY = 2**16  # grey levels of 16 bits
BEHIND = (255, 255, 255)  # background of transparent images


class BadImageError(ValueError):
    """An image that cannot be decoded, with the reason.

    torch raises a worker's error again with the traceback as its message; only the last line is
    kept.
    """

    def __init__(self, message: str) -> None:
        lines = message.strip().splitlines() or [""]
        if lines[0].startswith("Caught "):
            lines = [lines[-1].split(f"{type(self).__name__}: ", 1)[-1]]
        super().__init__(" ".join(lines))


def prepare(file: str | Path, prepared: Mapping[str, Any]) -> "NDArray[np.float32]":
    """Return the input `float32 [1, 3, H, W]` of a network for an image file.

    Args:
        file: An image in any format that Pillow reads.
        prepared: image_size, crop_fraction, interpolation, mean and std; an exported network has
            them in its JSON under `preprocessing`.

    Raises:
        BadImageError: it cannot be decoded.
        OSError: it cannot be read.
    """
    size = int(prepared["image_size"])
    short = short_side(size, prepared["crop_fraction"])
    filter_ = Image.Resampling[prepared["interpolation"].upper()]
    pixels = central_view(decode(Path(file).read_bytes()), size, short, filter_)
    std = np.asarray(prepared["std"])
    scale, shift = 1 / (255 * std), -np.asarray(prepared["mean"]) / std
    images = pixels.astype(np.float32) * scale.astype(np.float32) + shift.astype(np.float32)
    return np.ascontiguousarray(images.transpose(2, 0, 1)[None])


def decode(encoded: bytes) -> "NDArray[np.uint8]":
    """Return the RGB pixels `uint8 [H, W, 3]` of an encoded image.

    Grayscale is repeated, 16 bits are scaled to 8, palettes are looked up, transparent parts are
    white, CMYK is converted, EXIF orientation is applied, and the first frame of an animation is
    used.

    Raises:
        BadImageError: an incomplete or unknown image, or more than 2^27 pixels.
    """
    image = open_image(encoded)
    with one_reason():
        return pixels_of(image)


def central_view(
    image: "NDArray[np.uint8]", size: int, short: int, filter_: Image.Resampling
) -> "NDArray[np.uint8]":
    """Return the central `size` x `size` pixels of an image resized to a short side.

    Sizes and corners are rounded as timm and torchvision round them.

    Args:
        image: Pixels `uint8 [H, W, 3]`.
        size: Side of the crop in pixels.
        short: Short side in pixels after the resize.
        filter_: Pillow's filter, which does not alias when it reduces.
    """
    height, width = image.shape[:2]
    if (before := min(height, width)) != short:
        height, width = (int(short * side / before) for side in (height, width))
        image = np.asarray(Image.fromarray(image).resize((width, height), filter_))
    top, left = (round((side - size) / 2) for side in (height, width))
    return image[top : top + size, left : left + size]


def short_side(size: int, crop_fraction: float) -> int:
    """Return the pixels of the short side before the central crop; timm rounds them down."""
    # Floating point may give a little less than 332 for 300 / (300 / 332).
    return int(size / crop_fraction + 1e-6)


def open_image(encoded: bytes) -> Image.Image:
    """Return the image with its header read, but not its pixels.

    Raises:
        BadImageError: an unknown header, or more than 2^27 pixels.
    """
    if not encoded:
        raise BadImageError("the file is empty")
    try:
        image = Image.open(io.BytesIO(encoded))
    except UnidentifiedImageError:
        raise BadImageError(_what_else(encoded)) from None
    except Image.DecompressionBombError as error:
        raise BadImageError(f"a decompression bomb ({error})") from error
    except Exception as error:  # as in decode
        raise BadImageError(_reason(error)) from error
    width, height = image.size
    if width * height > LARGEST_IMAGE:
        raise BadImageError(
            f"a decompression bomb: {width} x {height} pixels, more than {LARGEST_IMAGE:,}"
        )
    return image


@contextmanager
def one_reason() -> Iterator[None]:
    """Turn any error of a decoder into a BadImageError.

    Decoders raise many kinds of errors for broken data, such as SyntaxError and struct.error.
    """
    try:
        yield
    except (BadImageError, MemoryError):
        raise
    except Exception as error:
        raise BadImageError(_reason(error)) from error


def pixels_of(image: Image.Image) -> "NDArray[np.uint8]":
    """Return the RGB pixels `uint8 [H, W, 3]` of an open image in any mode."""
    image.load()
    orientation = orientation_of(image)
    if image.mode in ("I;16", "I;16B", "I;16L", "I"):
        grey = np.asarray(image).astype(np.int64)
        if grey.min() < 0 or grey.max() >= MANY:
            raise BadImageError(f"mode {image.mode} with values beyond 16 bits")
        pixels = np.repeat((grey * 255 + MANY // 2) // (MANY - 1), 3).reshape(*grey.shape, 3)
        return turned(pixels.astype(np.uint8), orientation)
    if image.mode == "F":
        raise BadImageError("mode F: floating-point pixels have no agreed range")
    if image.has_transparency_data:
        layers = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", layers.size, (*BEHIND, 255)), layers)
    return turned(np.array(image.convert("RGB")), orientation)


def orientation_of(image: Image.Image) -> int:
    """Return the orientation in EXIF; 1 if there is none."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # broken EXIF raises many kinds of errors
        return 1


def turned(pixels: "NDArray[Any]", orientation: int) -> "NDArray[np.uint8]":
    """Return the pixels rotated and flipped according to the EXIF orientation."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels, np.uint8)


def _what_else(encoded: bytes) -> str:
    start = encoded[:256].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")):
        return "an HTML or XML page, not an image"
    for magic, kind in MAGIC.items():
        if encoded.startswith(magic):
            return f"a {kind} file with a broken header"
    return "not an image in a format that Pillow reads"


def _reason(error: Exception) -> str:
    message = " ".join(str(error).split()) or type(error).__name__
    return message if "truncated" in message.lower() else f"cannot be decoded ({message})"
