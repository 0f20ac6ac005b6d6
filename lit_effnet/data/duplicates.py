"""Find duplicate images: the same pixels, or nearly, such as resized and recompressed copies.

Two images are nearly the same if their difference hashes differ in few of 64 bits, and their
reduced grey images differ little. The hash (dHash) holds the signs of differences between
neighbours in the reduced image. All pairs are compared.
"""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from lit_effnet.data.pixels import Rgb

# 65 of CIFAR-10's test images have such a partner in train; all 65 pairs look the same.
MOST_BITS = 8  # of 64 that differ
MOST_GREY = 8.0  # mean difference of the reduced images, of 255
LEAST_CONTRAST = 12.0  # standard deviation of a reduced image; skies and walls are all alike
SHAPE = (9, 8)  # width and height of those, pixels
BLOCK = 2**22  # pairs compared at once


@dataclass
class Signatures:
    """Signatures of a split's images, for comparison.

    Args:
        rows: Row of each image in the split.
        exact: Height, width, CRC-32 and dHash; equal for equal pixels.
        small: Reduced grey image, `uint8 [72]`.
    """

    rows: list[int] = field(default_factory=list)
    exact: list[tuple[int, int, int, int]] = field(default_factory=list)
    small: list[NDArray[np.uint8]] = field(default_factory=list)

    def add(self, row: int, pixels: Rgb) -> None:
        """Add an image `uint8 [H, W, 3]`."""
        grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
        small = np.asarray(cv2.resize(grey, SHAPE, interpolation=cv2.INTER_AREA), np.uint8)
        bits = np.packbits(small[:, 1:] > small[:, :-1])
        self.rows.append(row)
        height, width = grey.shape
        self.exact.append((height, width, zlib.crc32(pixels.data), int(bits.view(np.uint64)[0])))
        self.small.append(small.ravel())


def same(first: Signatures, second: Signatures) -> Iterator[tuple[int, int]]:
    """Yield (row of the first, row of the second) for images with the same pixels.

    If both are the same split, each image is compared with earlier rows.
    """
    places: dict[tuple[int, int, int, int], int] = {}
    for row, exact in zip(first.rows, first.exact, strict=True):
        places.setdefault(exact, row)
    for row, exact in zip(second.rows, second.exact, strict=True):
        place = places.get(exact)
        if place is not None and (first is not second or place < row):
            yield place, row


def similar(first: Signatures, second: Signatures) -> Iterator[tuple[int, int]]:
    """Yield (row of the first, row of the second) for images that are nearly the same."""
    ours, theirs = _hashes(first), _hashes(second)
    if not len(ours) or not len(theirs):
        return
    small = np.stack(first.small).astype(np.int16)
    there = set(first.exact)
    step = max(1, BLOCK // len(ours))
    for begin in range(0, len(theirs), step):
        bits = np.bitwise_count(theirs[begin : begin + step, None] ^ ours[None])
        for offset, place in _nearest(np.argwhere(bits <= MOST_BITS)):
            index = begin + offset
            grey = np.abs(small[place] - second.small[index]).mean(1)
            best = int(grey.argmin())
            telling = second.small[index].std() >= LEAST_CONTRAST
            if telling and grey[best] <= MOST_GREY and second.exact[index] not in there:
                yield first.rows[place[best]], second.rows[index]


def _nearest(pairs: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield each image with its candidates, from pairs sorted by image."""
    images, begins = np.unique(pairs[:, 0], return_index=True)
    for image, candidates in zip(images, np.split(pairs[:, 1], begins[1:]), strict=False):
        yield int(image), candidates


def _hashes(signatures: Signatures) -> NDArray[np.uint64]:
    return np.asarray([exact[-1] for exact in signatures.exact], np.uint64)
