"""`ImageData`: any data set of images as seeded training and evaluation batches."""

import shlex
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, Literal

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
    FromFiles,
    Rgb,
    Transform,
    normalised_batch,
)
from lit_effnet.data.catalog import CATALOG
from lit_effnet.data.corruptions.corruption import Corruption
from lit_effnet.data.decoded_cache import Store, bad_rows, decoded_bytes, open_store, place, room
from lit_effnet.data.decoding import BadImageError
from lit_effnet.data.preprocessing import Preprocessing
from lit_effnet.data.rows import labels_of, places, spread
from lit_effnet.data.schema import WHOLE, Use
from lit_effnet.data.sources import ImageSet
from lit_effnet.data.stratified import stratified_order
from lit_effnet.runs.machine import available_cores

LEAST_IMAGE_SIZE = 32  # five halvings leave one pixel
LARGEST_IMAGE_SIZE = 2**15  # a side of 32,768 pixels has 2^30, beyond any machine's memory
USUAL_IMAGE_SIZE, USUAL_CROP_FRACTION = 224, 0.875  # of a data set that the catalog does not know
LEAVING_OUT = "--data.on_bad_image skip"
MOST_BAD = 0.01  # part of a split that may be left out

OnBadImage = Literal["error", "skip"]

# The multiplier of the image size, or what gives it from the size at 1 and the number of classes.
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
        image_size: Side of the square input in pixels at resolution 1; that of the weights if
            null, else the data set's usual one.
        batch_size: Images in a batch on each device.
        num_workers: Processes that decode and augment; null chooses by the number of cores.
        on_bad_image: What to do with a file that is no whole image: error, or skip it, up to one
            in a hundred.
        keep_decoded: Decode a data set that fits into half of memory and free disk once for all
            runs; `python -m lit_effnet.data --remove_decoded` removes what is kept.
        keep_short_side: Pixels to which larger images are reduced before they are kept; null
            keeps all.
        resolution: Multiplier of the image size, or what gives it from that size and the number
            of classes; set by `--scaling`.
        preprocessing: Size, crop and normalisation; set by `--weights`.
        augment: What happens to training images; set by `--recipe`.
        seed: Decides about order and augmentation; set by `--seed_everything`.

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
        """Number of classes; a network's, where they are matched with those."""
        if self.entry and self.use.match is None:
            return self.entry.num_classes
        return len(self.images.classes)

    def used_as(self, use: Use) -> "ImageData":
        """Set what the data are used for, before or after they are loaded; returns itself."""
        self.use = use
        for name in ("images", "_fits"):
            self.__dict__.pop(name, None)
        self._prepared.clear()
        return self

    @cached_property
    def images(self) -> ImageSet:
        """The splits, the classes and what should be known; loaded when first asked for.

        Raises:
            ValueError: they cannot be had, or are not those that a run was trained on where it
                matters.
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
        """Warn, or raise ValueError, where a trained run's data are not what they were."""
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
        """Identifies the images and labels, by the formula of `recorded` where a run set that."""
        return self.images.fingerprint_as(self.recorded)

    def split_for(self, asked: str) -> str:
        """The split that is asked for, or `all` where the images are in no splits."""
        return WHOLE if WHOLE in self.splits else asked

    def sizes(self) -> dict[str, int]:
        """Number of images in each split, without those that were left out."""
        return {name: len(rows) - self.left_out.get(name, 0) for name, rows in self.splits.items()}

    def setup(self, stage: str) -> None:
        """Load the splits, and decode them where they are kept; Lightning calls it everywhere.

        Raises:
            ValueError: they cannot be had, or are smaller than a batch.
            BadImageError: an image cannot be decoded, or too many cannot.
        """
        names = ("test",) if stage == "test" else ("train", "validation")
        for split in names:
            self.prepare(split)
        count = self.sizes().get("train", 0)
        if stage != "test" and self.batch_size > count:
            raise ValueError(f"batch_size {self.batch_size}: there are {count:,} training images")

    def train_dataloader(self) -> DataLoader[Any]:
        """Shuffled, augmented batches; an incomplete last batch is left out."""
        from lit_effnet.data.transforms import training

        images = self._images("train", training(self.image_size, self.augment or Augment()))
        world, rank = self._processes
        sampler = EpochSampler(images, world, rank, seed=self.seed, step=self.step)
        if self.trainer:  # Lightning sets the epoch after it has started the loader's processes
            done = self.trainer.fit_loop.epoch_progress.current
            sampler.set_epoch(done.processed)  # type: ignore[attr-defined] # of a tracker of epochs
        return self._loader(images, sampler=sampler, drop_last=True)

    def val_dataloader(self) -> DataLoader[Any]:
        """The validation split, each image in one process."""
        return self._whole_or_part("validation", "limit_val_batches")

    def test_dataloader(self) -> DataLoader[Any]:
        """The test split, each image in one process."""
        return self._whole_or_part("test", "limit_test_batches")

    def _whole_or_part(self, split: str, limit: str) -> DataLoader[Any]:
        """A split in order; where the trainer takes its first batches only, a stratified part.

        `fast_dev_run` and `overfit_batches` are such limits too, by the trainer's account.
        """
        batches = getattr(self.trainer, limit) if self.trainer is not None else 1.0
        part = isinstance(batches, int) or batches != 1.0  # 1 is a batch, and 1.0 all of them
        return self.evaluation_loader(split, processes=self._processes, stratified=part)

    @property
    def _processes(self) -> tuple[int, int]:
        """How many there are, and the number of this one."""
        return (self.trainer.world_size, self.trainer.global_rank) if self.trainer else (1, 0)

    @property
    def reference(self) -> Preprocessing:
        """The data set's own view, in which images are corrupted, whatever weights want.

        Its size is the one that is asked for at resolution 1, else the data set's usual one.
        """
        return Preprocessing(self.reference_size, self._usual[1])

    def prepare(self, split: str) -> int:
        """Load a split, and give its number of images.

        Raises:
            ValueError: there is none such.
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
        found = places(self.splits[split])
        return [found[row] for row in used]

    def originals(self, split: str, count: int) -> list[tuple[str, Rgb, int]]:
        """Place, pixels `uint8 [H, W, 3]` and label of images spread evenly over the classes.

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
        """A split in evaluation's view, corrupted where that is asked for.

        Args:
            split: Name of the split.
            corruption: What happens to its images.
            reference: The view that is corrupted, or seen at least before the network's; null
                for the network's own.
            shuffled: In an order that is always the same, instead of the split's.
            stratified: In the order of `stratified_order`, for who takes the first images only.
            processes: How many share the images, and the number of this one; none is repeated to
                give all the same number, so one may have a batch more than another.
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
        """What gives the pixels of a split's rows, and which rows can be used."""
        if split not in self._prepared:
            rows = self.splits[split]
            name = f"{self.name} {split}"
            store = self._store(rows, name) if self.keep_decoded else None
            if store is not None:
                bad = store.bad
            else:  # without a look beforehand they are met on the way
                bad = bad_rows(rows, name) if self.on_bad_image == "skip" else {}
            self._judge(split, bad)
            used = np.setdiff1d(np.arange(len(rows)), np.fromiter(bad, np.int64))
            hint = f"{LEAVING_OUT} leaves out up to one in a hundred; {self._check} lists them"
            files = FromFiles(self.images, split, str(self.name), hint)
            self._prepared[split] = (store or files, used)
        return self._prepared[split]

    def _store(self, rows: Any, name: str) -> Store | None:
        try:
            if not (self._fits or place(rows, self.keep_short_side).exists()):
                return None
            return open_store(rows, self.keep_short_side, warnings.warn, name)
        except OSError as error:
            warnings.warn(
                f"{name}: the decoded images cannot be kept ({error.strerror}): they are decoded "
                "in every epoch; LIT_EFFNET_CACHE names another place",
                stacklevel=2,
            )
            return None

    @cached_property
    def _fits(self) -> bool:
        """Whether there is room for all splits, whichever of them a run will use."""
        needed = sum(decoded_bytes(rows, self.keep_short_side) for rows in self.splits.values())
        return needed <= room()

    def _judge(self, split: str, bad: Mapping[int, str]) -> None:
        """Raise BadImageError for images that may not be left out; count those that may."""
        if not bad:
            return
        count = len(self.splits[split])
        first, reason = next(iter(bad.items()))
        example = f"{self.images.where(split, first)}: {reason}"
        if self.on_bad_image == "error":
            more = f" (and {len(bad) - 1:,} more)" if len(bad) > 1 else ""
            skip = len(bad) <= MOST_BAD * count
            help_ = f"{LEAVING_OUT} leaves them out" if skip else f"{self._check} lists them"
            raise BadImageError(f"name {self.name!r}: {example}{more}; {help_}")
        if len(bad) > MOST_BAD * count:
            raise BadImageError(
                f"name {self.name!r}: {len(bad):,} of {count:,} images of {split} cannot be "
                f"decoded, more than 1 %; the first is {example}; "
                f"{self._check} lists them"
            )
        self.left_out[split] = len(bad)
        warnings.warn(
            f"{self.name}: {len(bad):,} of {count:,} images of {split} left out; the first is "
            f"{example}",
            stacklevel=2,
        )

    @property
    def _check(self) -> str:
        """The command that lists all bad images."""
        names = ("path", "subset", "image_column", "label_column", "labels")
        given = zip(names, (self.path, *self.columns, self.labels), strict=True)
        flags = [f"--{name}={value}" for name, value in given if value is not None]
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
    """Worker processes that leave a core for the training itself; none on up to two cores."""
    cores = len(available_cores())
    return min(cores - 1, 8) if cores > 2 else 0
