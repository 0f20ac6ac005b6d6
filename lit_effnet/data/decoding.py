"""Decode images to RGB, by OpenCV if it gives the same pixels faster, otherwise by Pillow."""

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
TRAILER = 64  # last bytes of a file, which contain the end marker of a complete image
WITH_ORIENTATION = ("exif", "xmp", "Raw profile type exif")  # metadata that Pillow reads


@contextmanager
def quiet_decoders() -> Iterator[None]:
    """Hide messages of libtiff, libjpeg and libpng, which repeat the error.

    They write to the file descriptor of standard error. Python's own output is still shown.
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
    """Return the same pixels `uint8 [H, W, 3]` as `prepare.decode`, which documents them.

    Raises:
        BadImageError: an incomplete or unknown image, or more than 2^27 pixels.
    """
    image = open_image(encoded)
    with one_reason():
        return _decode_plain(image, encoded) if _is_plain(image, encoded) else pixels_of(image)


def _is_plain(image: Image.Image, encoded: bytes) -> bool:
    """Return whether OpenCV decodes the image to the same pixels as Pillow.

    OpenCV does not report a truncated file, so the end marker must be present.
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
        return pixels_of(image)  # Pillow names the reason
    if any(key in image.info for key in WITH_ORIENTATION):
        return turned(pixels, orientation_of(image))
    return np.asarray(pixels, np.uint8)
