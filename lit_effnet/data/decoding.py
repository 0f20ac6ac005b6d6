"""Images as people have them to right RGB: by OpenCV where it is quicker, else by Pillow."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from PIL import Image

from lit_effnet.data.prepare import (
    ORIENTATION,
    BadImageError,
    one_reason,
    open_image,
    orientation_of,
    pixels_of,
    turned,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["ORIENTATION", "BadImageError", "decode", "open_image", "turned"]

END_OF_IMAGE = {"JPEG": b"\xff\xd9", "PNG": b"IEND\xaeB`\x82"}
TRAILER = 64  # bytes at the end of a file among which a complete image has its end
TELLING = ("exif", "xmp", "Raw profile type exif")  # where Pillow finds an orientation


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Keep what libtiff, libjpeg and libpng print on standard error off it; the error says enough.

    They write to its file descriptor; what Python prints goes on to where that led.
    """
    python, kept = sys.stderr, os.dup(2)
    encoding, errors = (getattr(python, name, None) for name in ("encoding", "errors"))
    screen = os.fdopen(kept, "w", buffering=1, encoding=encoding, errors=errors)
    with screen, Path(os.devnull).open("w") as nowhere:
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
    """Return the same pixels `uint8 [H, W, 3]` as `prepare.decode`, which tells what they are.

    Raises:
        BadImageError: bytes that are no whole image, or one beyond 2^27 pixels.
    """
    image = open_image(encoded)
    with one_reason():
        return _decode_plain(image, encoded) if _is_plain(image, encoded) else pixels_of(image)


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
        return pixels_of(image)  # Pillow says why
    if any(key in image.info for key in TELLING):
        return turned(pixels, orientation_of(image))
    return np.asarray(pixels, np.uint8)
