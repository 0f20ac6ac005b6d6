"""Load batches: images by index, their order, and normalised tensors."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset, DistributedSampler

from lit_effnet.data.decoding import BadImageError, decode
from lit_effnet.data.pixels import Rgb
from lit_effnet.data.rows import encoded
from lit_effnet.data.sources import ImageSet

# Threads help with large photographs, but not with small images beside the training.
cv2.setNumThreads(1)


class Transform(Protocol):
    """Maps pixels `uint8 [H, W, 3]` to pixels of the network's size."""

    def __call__(self, image: Rgb, key: tuple[int, ...]) -> Rgb:
        """Return the transformed image; its random numbers follow from the key."""


class DecodedImages(Dataset[tuple[Rgb, int]]):
    """Images of a split as (transformed `uint8 [size, size, 3]`, label).

    A key is the image's number plus the number of images for each epoch passed, so that the
    augmentation of an epoch reaches workers that were started in an earlier one.

    Args:
        pixels: Returns the pixels of a row of the split.
        rows: Rows to use, `int64 [N]`.
        labels: Their labels, `int64 [N]`.
        transform: Applied to the pixels.
        seed: Seed of the transform, with epoch and row.
    """

    def __init__(
        self,
        pixels: Callable[[int], Rgb],
        rows: NDArray[np.int64],
        labels: NDArray[np.int64],
        transform: Transform,
        seed: int,
    ) -> None:
        self.pixels, self.rows, self.labels = pixels, rows, labels
        self.transform, self.seed = transform, seed

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: int) -> tuple[Rgb, int]:
        epoch, index = divmod(key, len(self.rows))
        row = int(self.rows[index])
        return self.transform(self.pixels(row), (self.seed, epoch, row)), int(self.labels[index])


class FromFiles:
    """Decode pixels at each call; an error names the data set, the row and the file."""

    def __init__(self, images: ImageSet, split: str, name: str, hint: str) -> None:
        self.images, self.split, self.name, self.hint = images, split, name, hint

    def __call__(self, row: int) -> Rgb:
        """Return the pixels `uint8 [H, W, 3]` of a row.

        Raises:
            BadImageError: it cannot be decoded.
        """
        try:
            return decode(encoded(self.images.splits[self.split], row))
        except (BadImageError, OSError) as error:
            place = self.images.where(self.split, row)
            raise BadImageError(f"name {self.name!r}: {place}: {error}; {self.hint}") from error


class EpochSampler(DistributedSampler[Any]):
    """Shuffle without replacement by (seed, epoch); yield keys of `DecodedImages`.

    Lightning sets the epoch, also after a resume. Process `rank` of `world` takes every `world`-th
    image, so that together they have the batches of one process with the global batch size.

    Args:
        images: The images.
        world: Number of processes.
        rank: Rank of this process.
        seed: Seed of the order, with the epoch.
        step: Images of an optimiser step. The rest of an epoch is dropped, so that any number of
            processes sees the same images.
    """

    def __init__(
        self, images: DecodedImages, world: int, rank: int, *, seed: int, step: int = 1
    ) -> None:
        # The remainder is dropped; torch's default would repeat images.
        super().__init__(images, world, rank, shuffle=True, seed=seed, drop_last=True)
        self.num_samples = len(images) // step * step // world
        self.total_size = self.num_samples * world

    def __iter__(self) -> Iterator[int]:
        shift = self.epoch * len(self.dataset)  # type: ignore[arg-type] # ours has a length
        return (shift + index for index in super().__iter__())


def normalised_batch(
    rows: Sequence[tuple[Rgb, int]], mean: Sequence[float], std: Sequence[float]
) -> tuple[Tensor, Tensor]:
    """Return images `float32 [N, 3, H, W]` in channels-last memory and labels `int64 [N]`."""
    # NumPy, since torch's threads would compete with a training on all cores. A row of pixels at a
    # time, since NumPy is slow on a last axis of three.
    height, width, channels = rows[0][0].shape
    scale = np.tile(1 / (255 * np.asarray(std)), width).astype(np.float32)
    shift = np.tile(-np.asarray(mean) / np.asarray(std), width).astype(np.float32)
    pixels = np.empty((len(rows), height, width * channels), np.float32)
    for index, (image, _) in enumerate(rows):
        pixels[index] = image.reshape(height, width * channels)
        pixels[index] *= scale
        pixels[index] += shift
    images = torch.from_numpy(pixels.reshape(len(rows), height, width, channels))
    labels = torch.tensor([label for _, label in rows], dtype=torch.int64)
    return images.permute(0, 3, 1, 2), labels
