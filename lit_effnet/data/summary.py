"""Summarise a data set: class counts, image sizes and modes, and a contact sheet."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from lit_effnet.data.decoding import BadImageError, decode, open_image
from lit_effnet.data.rows import encoded, labels_of, spread
from lit_effnet.data.sources import ImageSet

MOST_HEADERS = 20_000  # headers read in each split
CELL = 112  # side of an image on the contact sheet, pixels
CAPTION = 18  # height of the line below it, pixels
COLUMNS, ROWS = 10, 6
PAPER, INK, FAINT = (255, 255, 255), (30, 30, 30), (140, 140, 140)


@dataclass(frozen=True)
class Headers:
    """Headers of a split's images.

    Args:
        read: Number of headers read, spread evenly over the split.
        modes: Number of images by Pillow's mode and the file format.
        widths: Minimum, median and maximum in pixels.
        heights: Minimum, median and maximum in pixels.
        bad: Place and reason of each unreadable header.
    """

    read: int
    modes: Mapping[str, int]
    widths: tuple[int, int, int]
    heights: tuple[int, int, int]
    bad: tuple[str, ...]


def headers(images: ImageSet, split: str) -> Headers:
    """Read sizes, modes and formats of a split's images, without decoding them."""
    rows = images.splits[split]
    modes: Counter[str] = Counter()
    sizes: list[tuple[int, int]] = []
    bad: list[str] = []
    indices = spread(len(rows), MOST_HEADERS)
    for index in indices:
        try:
            image = open_image(encoded(rows, index))
        except (BadImageError, OSError) as error:
            bad.append(f"{images.where(split, index)}: {error}")
            continue
        modes[f"{image.mode} {image.format}"] += 1
        sizes.append(image.size)
    widths, heights = np.asarray(sizes or [(0, 0)]).T
    return Headers(
        len(indices), dict(modes.most_common()), _range(widths), _range(heights), tuple(bad)
    )


def _range(values: NDArray[np.int64]) -> tuple[int, int, int]:
    return int(values.min()), int(np.median(values)), int(values.max())


def class_counts(images: ImageSet) -> NDArray[np.int64]:
    """Return the number of images `int64 [splits, classes]`, in the order of the data set."""
    return np.stack(
        [
            np.bincount(labels_of(rows), minlength=len(images.classes))
            for rows in images.splits.values()
        ]
    )


def contact_sheet(images: ImageSet, file: Path) -> None:
    """Write a sheet of 60 images of the first split, with class names below.

    Each class, as far as they fit, has the same number of images. An image that cannot be decoded
    is a crossed square.

    Raises:
        OSError: the file cannot be written.
    """
    split, rows = next(iter(images.splits.items()))
    shown = _spread(labels_of(rows), COLUMNS * ROWS)
    columns = min(COLUMNS, len(shown))
    lines = -(-len(shown) // columns)
    margin, title = 10, 30
    sheet = Image.new(
        "RGB",
        (
            columns * (CELL + margin) + margin,
            title + lines * (CELL + CAPTION + margin) + margin,
        ),
        PAPER,
    )
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=11)
    heading = f"{split}: {len(shown)} of {len(rows):,} images, {len(images.classes):,} classes"
    draw.text((margin, 9), heading, INK, ImageFont.load_default(size=14))
    labels = labels_of(rows)
    for place, index in enumerate(shown):
        left = margin + (place % columns) * (CELL + margin)
        top = title + (place // columns) * (CELL + CAPTION + margin)
        try:
            picture = Image.fromarray(decode(encoded(rows, index)))
        except (BadImageError, OSError):
            draw.rectangle((left, top, left + CELL, top + CELL), outline=FAINT)
            draw.line((left, top, left + CELL, top + CELL), FAINT)
            draw.line((left, top + CELL, left + CELL, top), FAINT)
        else:
            picture = _fitted(picture)
            corner = (left + (CELL - picture.width) // 2, top + (CELL - picture.height) // 2)
            sheet.paste(picture, corner)
        name = _shortened(images.classes[labels[index]], font)
        draw.text((left, top + CELL + 3), name, INK, font)
    sheet.save(file)


def _fitted(picture: Image.Image) -> Image.Image:
    factor = CELL / max(picture.size)
    width, height = (max(1, round(side * factor)) for side in picture.size)
    filter_ = Image.Resampling.NEAREST if factor > 2 else Image.Resampling.BICUBIC
    return picture.resize((width, height), filter_)


def _spread(labels: NDArray[np.int64], count: int) -> Sequence[int]:
    """Return about `count` indices: equally many of each class, or one of some classes."""
    classes = np.unique(labels)
    if len(classes) > count:
        classes = classes[spread(len(classes), count)]
    each = max(1, count // len(classes))
    indices: list[int] = []
    for label in classes:
        members = np.flatnonzero(labels == label)
        indices += [int(index) for index in members[spread(len(members), each)]]
    return indices


def _shortened(name: str, font: Any) -> str:
    if font.getlength(name) <= CELL:
        return name
    while name and font.getlength(name + "...") > CELL:
        name = name[:-1]
    return name + "..."
