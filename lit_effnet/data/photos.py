"""The embedded data set: square windows of nine photographs; the class is the photograph.

The photographs ship inside scikit-image and scikit-learn, so nothing is downloaded:

| class | photograph | origin and licence, as the packages state them |
|---|---|---|
| astronaut | Eileen Collins | NASA Great Images; public domain |
| chelsea | a cat | Stefan van der Walt; CC0 |
| china | a tower with curved roofs | danielbuechele on Flickr; CC BY 2.0 |
| coffee | a cup | Rachel Michetti, Pikolo Espresso Bar; CC0 |
| flower | a flower | vultilion on Flickr; CC BY 2.0 |
| hubble | eXtreme Deep Field | NASA, HubbleSite; public domain |
| immunohistochemistry | colonic glands | CMMI; no known copyright restrictions |
| retina | fundus of a left eye | Mikael Haggstrom, Wikimedia; CC0 |
| rocket | launch of DSCOVR | SpaceX; public domain |

Each photograph is cut into cells of at least 84 pixels, used like a chessboard: black cells are for
training, white ones alternate between validation and test. No pixel is in two splits, and each
split covers the whole photograph.

A window covers 80 pixels of the photograph at every image size, so a higher resolution shows more
detail up to 80 pixels; beyond, it enlarges. Windows of one cell overlap: the 540 validation images
show 78 cells, so an interval that assumes independent images is too narrow.
"""

from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from datasets import DatasetDict

Photograph = NDArray[np.uint8]  # [H, W, 3], RGB

NAMES = (
    "astronaut",
    "chelsea",
    "china",
    "coffee",
    "flower",
    "hubble",
    "immunohistochemistry",
    "retina",
    "rocket",
)
WINDOW = 80  # side of a window on the photograph, pixels
LARGEST_SHORT_SIDE = 512  # larger photographs are reduced, or a window would show nothing of them
LEAST_SPREAD = 4.0  # grey levels; below it a window is blank sky or border, and names no photograph
PER_PHOTOGRAPH = {"train": 240, "validation": 60, "test": 60}
CELL = 84  # least side of a cell, pixels; leaves a window some room
DIAGONALS = ("train", "validation", "train", "test")


def photographs() -> Iterator[tuple[str, Photograph]]:
    """Yield name and RGB pixels of each photograph, in the order of `NAMES`."""
    from skimage import data
    from sklearn.datasets import load_sample_image

    for name in NAMES:
        if name in ("china", "flower"):
            yield name, load_sample_image(f"{name}.jpg")
        else:
            yield name, getattr(data, "hubble_deep_field" if name == "hubble" else name)()


def regions(photograph: Photograph, split: str) -> list[Photograph]:
    """Return the cells of a photograph that belong to a split, as views of it."""
    rows, columns = (max(1, side // CELL) for side in photograph.shape[:2])
    return [
        cell
        for i, row in enumerate(np.array_split(photograph, rows, axis=0))
        for j, cell in enumerate(np.array_split(row, columns, axis=1))
        if DIAGONALS[(i + j) % len(DIAGONALS)] == split
    ]


def windows(photograph: Photograph, split: str, count: int, seed: int) -> Iterator[Photograph]:
    """Yield `count` random windows `[80, 80, 3]` from the cells of a split, blank ones excluded."""
    generator = np.random.default_rng(seed)
    parts = regions(photograph, split)
    while count:
        part = parts[generator.integers(len(parts))]
        top, left = (generator.integers(side - WINDOW + 1) for side in part.shape[:2])
        window = part[top : top + WINDOW, left : left + WINDOW]
        if window.std() >= LEAST_SPREAD:
            count -= 1
            yield window


@cache
def photos(patch_size: int = WINDOW) -> "DatasetDict":
    """Return the data set: `image` (PNG, `patch_size` pixels square) and `label`.

    2,160 train, 540 validation and 540 test patches; the same at every call.

    Raises:
        ValueError: a patch size below 1.
    """
    from datasets import ClassLabel, Dataset, DatasetDict, Features, Image

    if patch_size < 1:
        raise ValueError(f"patch_size {patch_size}: must be at least 1 pixel")
    features = Features({"image": Image(), "label": ClassLabel(names=list(NAMES))})
    columns: dict[str, dict[str, list[object]]] = {
        split: {"image": [], "label": []} for split in PER_PHOTOGRAPH
    }
    for label, (_, full) in enumerate(photographs()):
        photograph = _reduced(full)
        for index, (split, count) in enumerate(PER_PHOTOGRAPH.items()):
            for window in windows(photograph, split, count, seed=3 * label + index):
                png = {"bytes": _png(_resized(window, patch_size)), "path": None}
                columns[split]["image"].append(png)
                columns[split]["label"].append(label)
    return DatasetDict(
        {split: Dataset.from_dict(rows, features=features) for split, rows in columns.items()}
    )


def _reduced(photograph: Photograph) -> Photograph:
    factor = LARGEST_SHORT_SIDE / min(photograph.shape[:2])
    if factor >= 1:
        return photograph
    height, width = (round(side * factor) for side in photograph.shape[:2])
    reduced = cv2.resize(photograph, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(reduced, np.uint8)


def _resized(window: Photograph, size: int) -> Photograph:
    if size == WINDOW:
        return window
    interpolation = cv2.INTER_AREA if size < WINDOW else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(window, (size, size), interpolation=interpolation), np.uint8)


def _png(rgb: Photograph) -> bytes:
    _, encoded = cv2.imencode(".png", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
    return encoded.tobytes()
