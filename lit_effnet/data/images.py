"""The LightningDataModule `ImageData`: any data set of images as seeded batches."""

import shlex
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from lightning.pytorch import LightningDataModule
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from lit_effnet.data import sources
from lit_effnet.data.augment import Augment
from lit_effnet.data.batches import (
    DecodedImages,
    EpochSampler,
    Rgb,
    Transform,
    normalised_batch,
)
from lit_effnet.data.catalog import CATALOG
from lit_effnet.data.corruptions.corruption import Corruption
from lit_effnet.data.preprocessing import Preprocessing
from lit_effnet.data.readable import OnBadImage, ReadableRows
from lit_effnet.data.rows import labels_of, places, spread
from lit_effnet.data.schema import WHOLE, Use
from lit_effnet.data.sources import ImageSet
from lit_effnet.data.stratified import stratified_order
from lit_effnet.runs.machine import available_cores

LEAST_IMAGE_SIZE = 32  # five halvings leave one pixel
LARGEST_IMAGE_SIZE = 2**15  # a side of 32,768 pixels has 2^30, beyond any machine's memory
USUAL_IMAGE_SIZE, USUAL_CROP_FRACTION = 224, 0.875  # of a data set outside the catalog

# The multiplier of the image size, or a function of the size at 1 and the number of classes.
Resolution = float | Callable[[int, int], float]


class ImageData(LightningDataModule):
    """Images by name or folder; batches `float32 [N, 3, H, W]` normalised, labels `int64 [N]`.

    Args:
        name: photos, cifar10, cifar100, stanford_dogs, flowers102, imagenette, tiny_imagenet,
            imagenet; or a hub id (owner/name); or a folder of class folders or parquet files, by
            path or URL (s3://BUCKET/FOLDER).
        path: Folder of a copy of the named data set, by path or URL.
        subset: Configuration of a data set on the hub that has several.
        image_column: Column of images; found by its type if null.
        label_column: Column of labels; found by its type if null.
        labels: Labels of a folder of images: a file with a line for each (image,label, and split
            if there are several; CSV or a list), or a folder with a list for each split.
        image_size: Side of the square input in pixels at resolution 1; null uses that of the
            weights, otherwise the data set's usual one.
        batch_size: Images in a batch on each device.
        num_workers: Processes that decode and augment; null chooses by the number of cores.
        on_bad_image: Handling of a file that cannot be decoded: error, or skip up to one in a
            hundred.
        keep_decoded: Decode a data set that fits into half of memory and free disk once for all
            runs; `python -m lit_effnet.data --remove_decoded` removes the copy.
        keep_short_side: Pixels to which larger images are reduced before they are kept; null
            keeps all.
        resolution: Multiplier of the image size, or a function of that size and the number of
            classes; set by `--scaling`.
        preprocessing: Size, crop and normalisation; set by `--weights`.
        augment: Augmentation of training images; set by `--recipe`.
        seed: Seed of order and augmentation; set by `--seed_everything`.

    Raises:
        ValueError: an unknown name, an input below 32 pixels, no image in a batch.
    """

    def __init__(
        self,
        name: str = "photos",
        *,
        path: str | None = None,
        subset: str | None = None,
        image_column: str | None = None,
        label_column: str | None = None,
        labels: str | None = None,
        image_size: int | None = None,
        batch_size: int = 16,
        num_workers: int | None = None,
        on_bad_image: OnBadImage = "error",
        keep_decoded: bool = True,
        keep_short_side: int | None = None,
        resolution: Resolution = 1.0,
        preprocessing: Preprocessing | None = None,
        augment: Augment | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.name = name
        self.path = path
        self.columns = (subset, image_column, label_column)
        self.labels = labels
        self.use = Use()
        self.entry = CATALOG.get(name)
        if path is not None and (self.entry is None or self.entry.make is not None):
            raise ValueError(
                f"path {path}: is for a copy of a named data set, and name is {name!r}; give that "
                "name, or the folder as name"
            )
        self._usual = (
            (self.entry.image_size, self.entry.crop_fraction)
            if self.entry
            else (USUAL_IMAGE_SIZE, USUAL_CROP_FRACTION)
        )
        usual = self._usual[0]
        self.preprocessing = preprocessing or Preprocessing(*self._usual)
        self.reference_size = usual if image_size is None else image_size
        base = self.preprocessing.image_size or usual if image_size is None else image_size
        if not isinstance(resolution, int | float):
            resolution = resolution(round(base), self.num_classes)
        self.base_image_size = round(base)
        self.image_size = round(base * resolution)
        if self.image_size < LEAST_IMAGE_SIZE:
            scaled = f" times resolution {resolution:g}" if resolution != 1 else ""
            raise ValueError(
                f"image_size {base:g}{scaled}: must give at least {LEAST_IMAGE_SIZE} pixels"
            )
        if self.image_size > LARGEST_IMAGE_SIZE:
            raise ValueError(f"image_size {base:g}: must be at most {LARGEST_IMAGE_SIZE:,} pixels")
        if batch_size < 1:
            raise ValueError(f"batch_size {batch_size}: must be at least 1")
        if num_workers is not None and num_workers < 0:
            raise ValueError(f"num_workers {num_workers}: must not be negative")
        needed = self.preprocessing.short_side(self.image_size)
        if keep_short_side is not None and keep_short_side < needed:
            raise ValueError(
                f"keep_short_side {keep_short_side}: must be at least {needed} pixels, which "
                "evaluation resizes to"
            )
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.on_bad_image = on_bad_image
        self.keep_decoded, self.keep_short_side = keep_decoded, keep_short_side
        self.augment = augment
        self.seed = seed
        self.recorded: str | None = None  # fingerprint in the record of a run on these images
        self.step = 1  # images of an optimiser step, of which an epoch has whole ones only
        self.left_out: dict[str, int] = {}
        self._prepared: dict[str, tuple[Callable[[int], Rgb], NDArray[np.int64]]] = {}

    @property
    def num_classes(self) -> int:
        """Number of classes; the network's if the classes are matched with it."""
        if self.entry and self.use.match is None:
            return self.entry.num_classes
        return len(self.images.classes)

    def used_as(self, use: Use) -> "ImageData":
        """Set the use of the data, before or after they are loaded, and return self."""
        self.use = use
        for name in ("images", "_readable"):
            self.__dict__.pop(name, None)
        self._prepared.clear()
        return self

    @cached_property
    def images(self) -> ImageSet:
        """The splits, classes and notes; loaded on first use.

        Raises:
            ValueError: they cannot be loaded, or differ from those that a run was trained on in
                a way that mixes its splits.
        """
        try:
            images = sources.find(
                str(self.name), self.path, *self.columns, labels=self.labels, use=self.use
            )
        except ValueError as error:
            raise ValueError(self._naming(error)) from error
        if len(images.classes) < 2:
            raise ValueError(
                f"name {self.name!r}: has only the class {', '.join(images.classes)}; there must "
                "be two at least"
            )
        own = self.use.match is None
        if self.entry and own and len(images.classes) != self.entry.num_classes:
            raise ValueError(
                f"name {self.name!r}: has {len(images.classes)} classes here instead of "
                f"{self.entry.num_classes}; give the folder as name to take it as it is"
            )
        self._compare_with_run(images)
        return images

    def _compare_with_run(self, images: ImageSet) -> None:
        """Warn, or raise ValueError, if the data have changed since a run was trained on them."""
        shuffled = bool(images.cut) and images.rule == "shuffle" and self.entry is None
        then = self.use.fingerprint
        now = None if then is None else images.fingerprint_as(then)
        changed = now != then
        splits = " and ".join(name for name in images.splits if name in images.cut)
        if changed and shuffled:
            raise ValueError(
                f"name {self.name!r}: is not as when the run was trained on it, and its {splits} "
                "would be cut anew, with images that it was trained on: restore the files, or "
                "name other images with --data.name"
            )
        if changed:
            moved = f"added files move no training image into its {splits}, except in tiny classes"
            cut = f"; {moved}; renamed or removed files can" if images.cut else ""
            warnings.warn(
                f"{self.name} has changed since the run was trained on it (fingerprint {now}, "
                f"then {then}){cut}",
                stacklevel=2,
            )
        elif shuffled:
            warnings.warn(
                f"{self.name}: its {splits} is cut by the rule of earlier versions, as in the "
                "run's training; files that are added would move images between the splits",
                stacklevel=2,
            )

    def _naming(self, error: ValueError) -> str:
        message = str(error)
        if message.startswith(("image_column", "label_column", "labels ")):
            return message
        if self.path:
            return f"path {message}"
        return f"name {self.name!r}: {message.removeprefix(f'{self.name}: ')}"

    @property
    def splits(self) -> Mapping[str, Any]:
        """The Hugging Face data sets by split."""
        return self.images.splits

    @property
    def fingerprint(self) -> str:
        """Fingerprint of images and labels, by the formula of `recorded` if a run has set it."""
        return self.images.fingerprint_as(self.recorded)

    def split_for(self, asked: str) -> str:
        """Return the split of that name, or `all` for images without splits."""
        return WHOLE if WHOLE in self.splits else asked

    def sizes(self) -> dict[str, int]:
        """Return the number of images in each split, without those that were skipped."""
        return {name: len(rows) - self.left_out.get(name, 0) for name, rows in self.splits.items()}

    def setup(self, stage: str) -> None:
        """Load the splits, and decode them into the cache; Lightning calls it in every process.

        Raises:
            ValueError: they cannot be loaded, or are smaller than a batch.
            BadImageError: an image cannot be decoded, or too many cannot.
        """
        names = ("test",) if stage == "test" else ("train", "validation")
        for split in names:
            self.prepare(split)
        count = self.sizes().get("train", 0)
        if stage != "test" and self.batch_size > count:
            raise ValueError(f"batch_size {self.batch_size}: there are {count:,} training images")

    def train_dataloader(self) -> DataLoader[Any]:
        """Return shuffled, augmented batches; an incomplete last batch is dropped."""
        from lit_effnet.data.transforms import training

        images = self._images("train", training(self.image_size, self.augment or Augment()))
        world, rank = self._processes
        sampler = EpochSampler(images, world, rank, seed=self.seed, step=self.step)
        if self.trainer:  # Lightning sets the epoch after it has started the loader's processes
            done = self.trainer.fit_loop.epoch_progress.current
            sampler.set_epoch(done.processed)  # type: ignore[attr-defined] # of a tracker of epochs
        return self._loader(images, sampler=sampler, drop_last=True)

    def val_dataloader(self) -> DataLoader[Any]:
        """Return the validation split; each image is in one process."""
        return self._whole_or_part("validation", "limit_val_batches")

    def test_dataloader(self) -> DataLoader[Any]:
        """Return the test split; each image is in one process."""
        return self._whole_or_part("test", "limit_test_batches")

    def _whole_or_part(self, split: str, limit: str) -> DataLoader[Any]:
        """Return a split in order; if the trainer limits its batches, a stratified part.

        The trainer turns `fast_dev_run` and `overfit_batches` into such limits too.
        """
        batches = getattr(self.trainer, limit) if self.trainer is not None else 1.0
        part = isinstance(batches, int) or batches != 1.0  # 1 is a batch, and 1.0 all of them
        return self.evaluation_loader(split, processes=self._processes, stratified=part)

    @property
    def _processes(self) -> tuple[int, int]:
        """World size and rank."""
        return (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)

    @property
    def reference(self) -> Preprocessing:
        """The data set's own view, in which images are corrupted, independent of the weights.

        Its size is `image_size` at resolution 1, otherwise the data set's usual one.
        """
        return Preprocessing(self.reference_size, self._usual[1])

    def prepare(self, split: str) -> int:
        """Load a split and return its number of images.

        Raises:
            ValueError: there is no such split.
            BadImageError: an image cannot be decoded, or too many cannot.
        """
        if split not in self.splits:
            raise ValueError(
                f"name {self.name!r}: has no split {split}, only {', '.join(self.splits)}"
            )
        self._prepare(split)
        return self.sizes()[split]

    def places(self, split: str) -> list[str]:
        """Return the file of each image of a split, or its row, in the order of its loader."""
        _, used = self._prepare(split)
        files = places(self.splits[split])
        return [files[row] for row in used]

    def originals(self, split: str, count: int) -> list[tuple[str, Rgb, int]]:
        """Return place, pixels `uint8 [H, W, 3]` and label of images spread over the classes.

        Raises:
            ValueError: there is no such split.
            BadImageError: an image cannot be decoded.
        """
        self.prepare(split)
        pixels, used = self._prepare(split)
        labels = labels_of(self.splits[split])
        by_class = used[np.argsort(labels[used], kind="stable")]  # rows may take turns by class
        rows = [int(by_class[index]) for index in spread(len(used), count)]
        return [(self.images.where(split, row), pixels(row), int(labels[row])) for row in rows]

    def evaluation_loader(
        self,
        split: str,
        corruption: Corruption | None = None,
        reference: Preprocessing | None = None,
        *,
        shuffled: bool = False,
        stratified: bool = False,
        processes: tuple[int, int] = (1, 0),
    ) -> DataLoader[Any]:
        """Return a split in evaluation's view, optionally corrupted.

        Args:
            split: Name of the split.
            corruption: Applied to each image.
            reference: View in which images are corrupted, before the network's; None for the
                network's own.
            shuffled: Whether to shuffle, always in the same order.
            stratified: Whether to use the order of `stratified_order`, so that the first images
                are a stratified part.
            processes: World size and rank of the processes that share the images. No image is
                repeated, so one process may have a batch more than another.
        """
        from lit_effnet.data.corrupted_view import CorruptedEvaluation
        from lit_effnet.data.transforms import Evaluation

        own = replace(self.preprocessing, image_size=self.image_size)
        view: Transform = Evaluation(self.image_size, own)
        if corruption is not None or reference is not None:
            view = CorruptedEvaluation(self.image_size, own, reference or own, corruption)
        images = self._images(split, view, stratified=stratified)
        world, rank = processes
        if world > 1:
            from lightning.pytorch.overrides.distributed import UnrepeatedDistributedSampler

            mine = UnrepeatedDistributedSampler(images, world, rank, shuffle=False)
            return self._loader(images, sampler=mine)
        if not shuffled:
            return self._loader(images)
        order = np.random.default_rng(0).permutation(len(images))
        return self._loader(images, sampler=order.tolist())

    def _images(
        self, split: str, transform: Transform, *, stratified: bool = False
    ) -> DecodedImages:
        pixels, used = self._prepare(split)
        labels = labels_of(self.splits[split])[used]
        if stratified:
            order = stratified_order(labels)
            used, labels = used[order], labels[order]
        return DecodedImages(pixels, used, labels, transform, self.seed)

    def _prepare(self, split: str) -> tuple[Callable[[int], Rgb], NDArray[np.int64]]:
        """Return the reader of a split's pixels, and the rows that can be decoded."""
        if split not in self._prepared:
            _, used = self._prepared[split] = self._readable.prepare(split)
            if skipped := len(self.splits[split]) - len(used):
                self.left_out[split] = skipped
        return self._prepared[split]

    @cached_property
    def _readable(self) -> ReadableRows:
        return ReadableRows(
            images=self.images,
            name=str(self.name),
            check_command=self._check_command,
            on_bad_image=self.on_bad_image,
            keep_decoded=self.keep_decoded,
            keep_short_side=self.keep_short_side,
        )

    @property
    def _check_command(self) -> str:
        """The command that lists all bad images."""
        names = ("path", "subset", "image_column", "label_column", "labels")
        values = zip(names, (self.path, *self.columns, self.labels), strict=True)
        flags = [f"--{name}={value}" for name, value in values if value is not None]
        words = ["python", "-m", "lit_effnet.data", str(self.name), *flags, "--check"]
        return f"`{shlex.join(words)}`"

    def _loader(self, images: DecodedImages, **options: Any) -> DataLoader[Any]:
        workers = default_workers() if self.num_workers is None else self.num_workers
        return DataLoader(
            images,
            batch_size=self.batch_size,
            num_workers=workers,
            persistent_workers=workers > 0,
            pin_memory=torch.cuda.is_available(),
            collate_fn=partial(
                normalised_batch, mean=self.preprocessing.mean, std=self.preprocessing.std
            ),
            **options,
        )


def default_workers() -> int:
    """Return a number of workers that leaves a core for the training; 0 on up to two cores."""
    cores = len(available_cores())
    return min(cores - 1, 8) if cores > 2 else 0
