"""Images as people have them to right RGB, whatever mode and orientation, or why not."""

import io
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

# Pillow warns of metadata that cannot be read; the pixels can. Not by catch_warnings around each
# image: that changes the filters of the whole process, and threads would leave them changed.
warnings.filterwarnings("ignore", module=r"PIL\.")

LARGEST_IMAGE = 2**27  # pixels, 400 MB decoded; beyond it a file is taken for a bomb

END_OF_IMAGE = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82"}
MAGIC = {b"\xff\xd8": "JPEG", b"\x89PNG": "PNG", b"GIF8": "GIF", b"RIFF": "WebP", b"BM": "BMP"}
TRAILER = 64  # bytes at the end of a file among which a complete image has its end
ORIENTATION = 0x0112  # EXIF tag
TELLING = ("exif", "xmp", "Raw profile type exif")  # where Pillow finds an orientation
MANY = 2**16  # grey levels of 16 bits
BEHIND = (255, 255, 255)  # what shows through a transparent image: the page it was made for


class BadImageError(ValueError):
    """An image that cannot be decoded, with the reason.

    A loader's worker process cannot hand over the error itself: torch raises it again with the
    worker's traceback for a message, of which the last line is kept.
    """

    def __init__(self, message: str) -> None:
        lines = message.strip().splitlines() or [""]
        if lines[0].startswith("Caught "):
            lines = [lines[-1].split(f"{type(self).__name__}: ", 1)[-1]]
        super().__init__(" ".join(lines))


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Keep what libtiff, libjpeg and libpng print on standard error off it; the error says enough.

    They write to its file descriptor; what Python prints goes on to where that led.
    """
    python, kept = sys.stderr, os.dup(2)
    with os.fdopen(kept, "w", buffering=1) as screen, Path(os.devnull).open("w") as nowhere:
        try:
            if python.fileno() == 2:
                python.flush()
                sys.stderr = screen
        except (AttributeError, OSError, ValueError):  # none, or a test's own
            pass
        os.dup2(nowhere.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            sys.stderr = python


def decode(encoded: bytes) -> "NDArray[np.uint8]":
    """RGB pixels `uint8 [H, W, 3]` of an encoded image.

    Grayscale is repeated, 16 bits are scaled to 8, palettes are looked up, transparent parts show
    white, CMYK is converted, the orientation that EXIF tells is applied, and of an animation the
    first frame is taken.

    Raises:
        BadImageError: bytes that are no whole image, or one beyond 2^27 pixels.
    """
    image = open_image(encoded)
    try:
        if _is_plain(image, encoded):
            return _decode_plain(image, encoded)
        return _decode_any(image)
    except (BadImageError, MemoryError):
        raise
    # A decoder meets broken data in many ways, SyntaxError and struct.error among them.
    except Exception as error:
        raise BadImageError(_reason(error)) from error


def open_image(encoded: bytes) -> Image.Image:
    """The image with its header read and its pixels not.

    Raises:
        BadImageError: no header of an image, or one beyond 2^27 pixels.
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


def _is_plain(image: Image.Image, encoded: bytes) -> bool:
    """Whether OpenCV, which is quicker, decodes it to the same pixels as Pillow.

    OpenCV says nothing of a file that breaks off, so the end has to be there.
    """
    end = END_OF_IMAGE.get(image.format or "")
    return (
        end is not None
        and image.mode in ("RGB", "L")
        and "transparency" not in image.info
        and not getattr(image, "is_animated", False)
        and end in encoded[-TRAILER:]
        and not (image.format == "PNG" and b"eXIf" in encoded)  # perhaps after the pixels
    )


def _decode_plain(image: Image.Image, encoded: bytes) -> "NDArray[np.uint8]":
    flags = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.frombuffer(encoded, np.uint8), flags)
    if pixels is None:
        return _decode_any(image)  # Pillow says why
    if any(key in image.info for key in TELLING):
        return turned(pixels, _orientation(image))
    return np.asarray(pixels, np.uint8)


def _decode_any(image: Image.Image) -> "NDArray[np.uint8]":
    image.load()
    orientation = _orientation(image)
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


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # EXIF comes broken in many ways; then nobody knows of a turn
        return 1


def turned(pixels: "NDArray[Any]", orientation: int) -> "NDArray[np.uint8]":
    """Pixels `[H, W, 3]` turned from how they are stored to how EXIF says they are looked at."""
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
