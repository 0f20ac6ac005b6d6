"""From a catalog name, a hub id or a folder to splits of one schema: `image` and `label`."""

import hashlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from glob import has_magic
from pathlib import Path
from typing import Any

from lit_effnet.data.catalog import CATALOG, Entry
from lit_effnet.data.class_folders import OTHER_NAMES, load_class_folders
from lit_effnet.data.fetching import fetched
from lit_effnet.data.image_files import is_clutter
from lit_effnet.data.rows import files_digest, images_fingerprint, labels_of, where
from lit_effnet.data.schema import SPLITS, labelled
from lit_effnet.locations import Location, as_os_error, is_url, locate

HUB_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class ImageSet:
    """A data set as it is found: its splits have the columns `image` (encoded) and `label`.

    Args:
        splits: Hugging Face data sets by name: train, validation, test.
        classes: Names of the classes, in the order of the labels.
        notes: What a person should know before training on it.
        cut: Which splits were cut from train.
    """

    splits: Mapping[str, Any]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    cut: frozenset[str] = frozenset()

    def where(self, split: str, index: int) -> str:
        """How a person finds the image of a row: split, the owner's row, its file if it has one."""
        place = where(self.splits[split], index)
        if split in self.cut:
            return f"{split}, cut from train, {place}"
        return f"{split} {place}" + (" before the cut" if self.cut and split == "train" else "")

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that follow from labels, class names and image files.

        The same on every machine. From all bytes of images in tables of up to 4 GB, and in local
        files of up to 1 GB, which then are marked by "2-"; of others the bytes of 64 images of each
        split are looked at, of the rest their number of bytes.
        """
        parts = [files_digest(rows) for rows in self.splits.values()]
        if not any(parts):
            return self.first_fingerprint
        digest = hashlib.sha256(self.first_fingerprint.encode() + b"".join(parts))
        return f"2-{digest.hexdigest()[:16]}"

    @cached_property
    def first_fingerprint(self) -> str:
        """The same without all bytes of images in files, as run records had it before "2-"."""
        digest = hashlib.sha256("\n".join(self.classes).encode())
        for name, rows in self.splits.items():
            digest.update(f"{name} {images_fingerprint(rows)}".encode())
            digest.update(labels_of(rows).tobytes())
        return digest.hexdigest()[:16]

    def fingerprint_as(self, recorded: str | None) -> str:
        """The fingerprint by the formula of a recorded one; by today's for None."""
        first = recorded is not None and not recorded.startswith("2-")
        return self.first_fingerprint if first else self.fingerprint


def find(
    name: str,
    path: str | None = None,
    subset: str | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
) -> ImageSet:
    """The splits of a data set, those that do not exist cut from train.

    Args:
        name: A name of the catalog, a hub id (owner/name), or a folder, also by URL.
        path: Folder of a copy of the named data set, also by URL.
        subset: Configuration of a set on the hub, or of its copy, that has several.
        image_column: Column of images; found by its type if null.
        label_column: Column of labels; found by its type if null.

    Raises:
        ValueError: it cannot be had, or is not a labelled set of images.
    """
    entry = CATALOG.get(name)
    folder = path if path is not None else name if entry is None and is_folder(name) else None
    place = None if folder is None else locate(folder).expanduser()
    if place is not None and not _has_tables(place):
        for argument, column in (("image_column", image_column), ("label_column", label_column)):
            if column is not None:
                raise ValueError(
                    f"{argument} {column!r}: {folder} has folders of classes, no table"
                )
        loaded, notes = load_class_folders(place)
        return ImageSet(*labelled(loaded, entry, None, None, notes))
    loaded = _load(name, place, subset, entry)
    names = {ours: _their_name(ours, loaded) for ours in SPLITS}
    if entry is not None:
        image_column = image_column or entry.image_column
        label_column = label_column or entry.label_column
        names = {ours: theirs for ours, theirs in names.items() if ours in entry.splits}
        named = {ours: split.name for ours, split in entry.splits.items() if split.name in loaded}
        names |= named
    rows = {ours: loaded[theirs] for ours, theirs in names.items() if theirs in loaded}
    if not rows and entry is None and len(loaded) == 1:  # whatever its owner calls all there is
        rows = {"train": next(iter(loaded.values()))}
    if not rows:
        wanted = ", ".join(names.values())
        raise ValueError(f"has none of the splits {wanted}, only {', '.join(loaded) or 'none'}")
    return ImageSet(*labelled(rows, entry, image_column, label_column))


def is_folder(name: str) -> bool:
    """Whether a name that is not of the catalog means a folder and not a place on the hub."""
    return is_url(name) or name.startswith((".", "~", os.sep)) or Path(name).expanduser().is_dir()


def _load(
    name: str, folder: Location | None, subset: str | None, entry: Entry | None
) -> Mapping[str, Any]:
    if folder is not None:
        return load_tables(folder, subset, entry.data_dir if entry else None)
    if entry is not None:
        if entry.make is not None:
            return dict(entry.make())
        return load_from_hub(str(entry.hub_id), subset, entry.data_dir, entry.revision)
    if name.count("/") == 1:
        return load_from_hub(name, subset)
    near = get_close_matches(name, CATALOG, n=3, cutoff=0.5)
    nearest = f"; nearest: {', '.join(near)}" if near else ""
    raise ValueError(
        f"must be one of {', '.join(CATALOG)}, a hub id (owner/name) or a folder{nearest}"
    )


def _has_tables(folder: Location) -> bool:
    """Whether a folder holds parquet files or what `datasets` saved, and not images.

    Raises:
        ValueError: no such folder.
    """
    try:
        with as_os_error(str(folder)):
            there, exists = folder.is_dir(), folder.exists()
    except OSError as error:
        raise ValueError(f"{folder}: cannot be reached ({_first_line(error)})") from error
    if not there:
        raise ValueError(f"{folder}: {'is a file, not a folder' if exists else 'no such folder'}")
    saved = any((folder / name).exists() for name in ("dataset_dict.json", "dataset_info.json"))
    depth = len(folder.parts)
    tables = (path.parts[depth:] for path in folder.rglob("*.parquet"))
    return saved or any(not any(map(is_clutter, parts)) for parts in tables)


def load_tables(
    folder: Location, subset: str | None = None, data_dir: str | None = None
) -> Mapping[str, Any]:
    """The splits of a folder of parquet files, or of what `datasets` saved.

    Raises:
        ValueError: it cannot be read.
    """
    import datasets

    try:
        here = folder if isinstance(folder, Path) else fetched(folder)
        if (here / "dataset_dict.json").exists():
            return dict(datasets.load_from_disk(here))
        if (here / "dataset_info.json").exists() and any(here.glob("*.arrow")):
            return {"train": datasets.load_from_disk(here)}
        if has_magic(str(here.resolve())):
            raise ValueError("datasets takes *, ? and [ in a path for patterns; rename it")
        there = data_dir if data_dir and (here / data_dir).is_dir() else None
        return _load_dataset(str(here.resolve()), subset, data_dir=there)
    except (datasets.exceptions.DatasetsError, OSError, ValueError) as error:
        raise ValueError(f"{folder}: cannot be read ({_first_line(error)})") from error


def load_from_hub(
    hub_id: str,
    subset: str | None = None,
    data_dir: str | None = None,
    revision: str | None = None,
) -> Mapping[str, Any]:
    """A data set from the Hugging Face hub; with HF_HUB_OFFLINE=1 from the local cache only.

    Raises:
        ValueError: the hub or the data set cannot be reached, said at once and not after retries.
    """
    import datasets
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError

    branch = f" --revision {revision}" if revision else ""
    known = any(entry.hub_id == hub_id for entry in CATALOG.values())
    local = (
        f"{'--data.path' if known else '--data.name'} FOLDER reads a local copy "
        f"(`hf download --repo-type dataset {hub_id}{branch} --local-dir FOLDER` makes one)"
    )
    if not constants.HF_HUB_OFFLINE:
        try:
            HfApi().dataset_info(hub_id, revision=revision, timeout=HUB_TIMEOUT_S)
        except HfHubHTTPError as error:
            raise ValueError(
                f"the hub refuses {hub_id} ({_first_line(error)}); where its terms have to be "
                "accepted, do so on the hub and log in with `hf auth login`"
            ) from error
        except Exception as error:  # the hub's HTTP client, and what it raises, changes
            raise ValueError(
                f"the hub cannot be reached for {hub_id} ({_first_line(error)}); {local}; "
                "photos needs no download"
            ) from error
    try:
        return _load_dataset(hub_id, subset, data_dir=data_dir, revision=revision)
    except (datasets.exceptions.DatasetsError, OSError, ValueError, RuntimeError) as error:
        raise ValueError(f"{hub_id} cannot be loaded ({_first_line(error)}); {local}") from error


def _load_dataset(path: str, subset: str | None, **options: Any) -> Mapping[str, Any]:
    import datasets

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    return dict(datasets.load_dataset(path, subset, **options))


def _their_name(ours: str, loaded: Mapping[str, Any]) -> str:
    return next((name for name in OTHER_NAMES[ours] if name in loaded), ours)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
