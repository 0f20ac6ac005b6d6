"""`ImageData`: any catalog entry as seeded training and evaluation batches."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from lit_effnet.data.augment import Augment
from lit_effnet.data.catalog import IMAGENET_MEAN, IMAGENET_STD, entry

if TYPE_CHECKING:
    from lit_effnet.data.transforms import Seeded

# Threads pay for whole photographs, not for a loader of small images beside the training.
cv2.setNumThreads(1)

LEAST_IMAGE_SIZE = 32  # five halvings leave one pixel


class DecodedImages(Dataset[tuple["np.ndarray[Any, Any]", int]]):
    """Rows of a Hugging Face split as (transformed `uint8 [size, size, 3]`, label).

    A key is the row's number plus the number of rows for each epoch passed, so that the
    augmentation of an epoch reaches workers that were started in an earlier one.
    """

    def __init__(self, rows: Any, columns: tuple[str, str], transform: "Seeded", seed: int) -> None:
        from datasets import Image

        image, label = columns
        # Bytes, not Pillow images: OpenCV decodes them.
        self.rows = rows.select_columns([image, label]).cast_column(image, Image(decode=False))
        self.image, self.label = columns
        self.transform = transform
        self.seed = seed

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, key: int) -> tuple["np.ndarray[Any, Any]", int]:
        epoch, index = divmod(key, len(self.rows))
        row = self.rows[index]
        image = decode(row[self.image]["bytes"])
        return self.transform(image, (self.seed, epoch, index)), row[self.label]


class EpochSampler(DistributedSampler[Any]):
    """Shuffled without replacement by (seed, epoch); yields keys of `DecodedImages`.

    Lightning tells it the epoch, also after a resume.
    """

    def __iter__(self) -> Iterator[int]:
        shift = self.epoch * len(self.dataset)  # type: ignore[arg-type] # ours has a length
        return (shift + index for index in super().__iter__())


class ImageData(LightningDataModule):
    """Images by catalog name; batches `float32 [N, 3, H, W]` normalised, labels `int64 [N]`.

    Args:
        name: A data set of the catalog: photos or imagenet.
        image_size: Side of the square input in pixels at resolution 1; the data set's usual
            size if null.
        batch_size: Images in a batch on each device.
        num_workers: Processes that decode and augment; null chooses by the number of cores.
        resolution: Multiplier of the image size; set by `--scaling`.
        augment: What happens to training images; set by `--recipe`.
        seed: Decides about order and augmentation; set by `--seed_everything`.

    Raises:
        ValueError: an unknown name, an input below 32 pixels, no image in a batch.
    """

    def __init__(
        self,
        name: str = "photos",
        *,
        image_size: int | None = None,
        batch_size: int = 16,
        num_workers: int | None = None,
        resolution: float = 1.0,
        augment: Augment | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.entry = entry(name)
        self.name = name
        base = self.entry.image_size if image_size is None else image_size
        self.image_size = round(base * resolution)
        if self.image_size < LEAST_IMAGE_SIZE:
            scaled = f" times resolution {resolution:g}" if resolution != 1 else ""
            raise ValueError(
                f"image_size {base}{scaled}: must give at least {LEAST_IMAGE_SIZE} pixels"
            )
        if batch_size < 1:
            raise ValueError(f"batch_size {batch_size}: must be at least 1")
        if num_workers is not None and num_workers < 0:
            raise ValueError(f"num_workers {num_workers}: must not be negative")
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.augment = augment
        self.seed = seed

    @property
    def num_classes(self) -> int:
        """Number of classes."""
        return self.entry.num_classes

    @cached_property
    def splits(self) -> Any:
        """The Hugging Face splits, loaded when first asked for.

        Raises:
            ValueError: they cannot be had.
        """
        try:
            return self.entry.load()
        except ValueError as error:
            raise ValueError(f"name {self.name!r}: {error}") from error

    @property
    def fingerprint(self) -> str:
        """Identifies the images and labels: the fingerprints that `datasets` keeps, by split."""
        return " ".join(f"{split}:{self.splits[split]._fingerprint}" for split in self.entry.splits)

    def sizes(self) -> dict[str, int]:
        """Number of images in each split."""
        return {split: len(self.splits[split]) for split in self.entry.splits}

    def setup(self, stage: str) -> None:
        """Load the splits; Lightning calls it on every process.

        Raises:
            ValueError: they cannot be had, or are smaller than a batch.
        """
        count = len(self.splits["train"])
        if self.batch_size > count:
            raise ValueError(f"batch_size {self.batch_size}: there are {count:,} training images")

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffled, augmented batches; an incomplete last batch is left out."""
        from lit_effnet.data.transforms import training

        images = self._images("train", training(self.image_size, self.augment or Augment()))
        world, rank = (
            (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)
        )
        sampler = EpochSampler(images, world, rank, shuffle=True, seed=self.seed)
        return self._loader(images, sampler=sampler, drop_last=True)

    def val_dataloader(self) -> DataLoader[Any]:
        """The validation split in order."""
        return self._evaluation_loader("validation")

    def test_dataloader(self) -> DataLoader[Any]:
        """The test split in order."""
        return self._evaluation_loader("test")

    def _evaluation_loader(self, split: str) -> DataLoader[Any]:
        from lit_effnet.data.transforms import evaluation

        transform = evaluation(self.image_size, self.entry.crop_fraction)
        return self._loader(self._images(split, transform))

    def _images(self, split: str, transform: "Seeded") -> DecodedImages:
        columns = (self.entry.image_column, self.entry.label_column)
        return DecodedImages(self.splits[split], columns, transform, self.seed)

    def _loader(self, images: DecodedImages, **options: Any) -> DataLoader[Any]:
        workers = default_workers() if self.num_workers is None else self.num_workers
        return DataLoader(
            images,
            batch_size=self.batch_size,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
            collate_fn=normalised_batch,
            **options,
        )


def default_workers() -> int:
    """Worker processes that leave a core for the training itself; none on up to two cores."""
    cores = len(_available_cores())
    return min(cores - 1, 8) if cores > 2 else 0


def decode(encoded: bytes) -> "np.ndarray[Any, Any]":
    """RGB pixels `uint8 [H, W, 3]` of an encoded image, turned as its EXIF says.

    Raises:
        ValueError: bytes that are no image.
    """
    bgr = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        raise ValueError("image: cannot be decoded")
    return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def normalised_batch(
    rows: Sequence[tuple["np.ndarray[Any, Any]", int]],
) -> tuple[Tensor, Tensor]:
    """Batch of rows: images `float32 [N, 3, H, W]` in channels-last memory, labels `int64 [N]`."""
    # NumPy and not torch: beside a training on all cores, torch's threads wait for one another.
    pixels = np.stack([image for image, _ in rows]).astype(np.float32)
    pixels -= 255 * np.asarray(IMAGENET_MEAN, np.float32)
    pixels /= 255 * np.asarray(IMAGENET_STD, np.float32)
    labels = torch.tensor([label for _, label in rows], dtype=torch.int64)
    return torch.from_numpy(pixels).permute(0, 3, 1, 2), labels


def _available_cores() -> Sequence[int]:
    import os

    if hasattr(os, "sched_getaffinity"):  # what this process may use, not what the machine has
        return sorted(os.sched_getaffinity(0))
    return range(os.cpu_count() or 1)
