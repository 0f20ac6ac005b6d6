"""Find a data set by catalog name, hub id or folder, with columns `image` and `label`."""

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

import numpy as np

from lit_effnet.data.archives import load_archive
from lit_effnet.data.caches import tables_cache
from lit_effnet.data.catalog import CATALOG, Entry
from lit_effnet.data.class_folders import OTHER_NAMES, load_class_folders
from lit_effnet.data.image_files import is_clutter
from lit_effnet.data.label_files import load_label_files
from lit_effnet.data.remote_cache import fetched
from lit_effnet.data.rows import files_digest, images_fingerprint, labels_of, where
from lit_effnet.data.schema import SPLITS, Use, labelled
from lit_effnet.data.splits import CutRule
from lit_effnet.runs.files import moved
from lit_effnet.runs.paths import Location, as_os_error, is_url, locate

HUB_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class ImageSet:
    """A data set whose splits have the columns `image` (encoded) and `label`.

    Args:
        splits: Hugging Face data sets by name: train, validation, test.
        classes: Names of the classes, in the order of the labels.
        notes: Remarks for the user.
        cut: Names of the splits that were cut from train.
        rule: Rule of the cut.
        numbers: Number in the network of each of its own classes, if they were matched with a
            network's; None if `classes` are its own.
    """

    splits: Mapping[str, Any]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    cut: frozenset[str] = frozenset()
    rule: CutRule = "hash"
    numbers: tuple[int, ...] | None = None

    def where(self, split: str, index: int) -> str:
        """Return where to find an image: split, row in the original table, and file."""
        place = where(self.splits[split], index)
        if split in self.cut:
            return f"{split}, cut from train, {place}"
        return f"{split} {place}" + (" before the cut" if self.cut and split == "train" else "")

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that follow from labels, class names and image files.

        The same on every machine, and for every network. All bytes are hashed for tables of up to
        4 GB and for local files of up to 1 GB; the latter is marked by "2-". Otherwise the bytes of
        64 images of each split are hashed, and the size of all.
        """
        parts = [files_digest(rows) for rows in self.splits.values()]
        if not any(parts):
            return self.first_fingerprint
        digest = hashlib.sha256(self.first_fingerprint.encode() + b"".join(parts))
        return f"2-{digest.hexdigest()[:16]}"

    @cached_property
    def first_fingerprint(self) -> str:
        """The formula of earlier run records, which does not hash all bytes of image files."""
        numbers = range(len(self.classes)) if self.numbers is None else self.numbers
        own = np.full(len(self.classes) + 1, -1)
        own[[*numbers]] = np.arange(len(numbers))
        digest = hashlib.sha256("\n".join(self.classes[n] for n in numbers).encode())
        for name, rows in self.splits.items():
            digest.update(f"{name} {images_fingerprint(rows)}".encode())
            digest.update(own[labels_of(rows)].tobytes())
        return digest.hexdigest()[:16]

    def fingerprint_as(self, recorded: str | None) -> str:
        """Return the fingerprint by the formula of a recorded one; None means the current one."""
        first = recorded is not None and not recorded.startswith("2-")
        return self.first_fingerprint if first else self.fingerprint


def find(
    name: str,
    path: str | None = None,
    subset: str | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
    *,
    labels: str | None = None,
    use: Use | None = None,
) -> ImageSet:
    """Return the splits of a data set; missing ones are cut from train.

    Args:
        name: A name of the catalog, a hub id (owner/name), or a folder by path or URL.
        path: Folder of a copy of the named data set, by path or URL.
        subset: Configuration, for a data set with several.
        image_column: Column of images; found by its type if None.
        label_column: Column of labels; found by its type if None.
        labels: File of the labels of a folder of images, or folder of a list for each split.
        use: Use of the data set; training if None.

    Raises:
        ValueError: it cannot be loaded, or is not a labelled set of images.
    """
    entry = CATALOG.get(name)
    folder = path if path is not None else name if entry is None and is_folder(name) else None
    place = None if folder is None else locate(folder)
    root = "" if place is None else str(place)
    columns = (image_column, label_column)
    notes: tuple[str, ...] = ()
    if place is None:
        if labels is not None:
            raise ValueError(f"labels {labels}: is for a folder of images, given as name")
        rows, columns = _of_tables(_load(name, subset, entry), entry, columns)
    elif _check_folder(place) and labels is not None:
        rows, notes = load_label_files(place, labels, image_column, label_column)
        columns = ("image", "label")
    elif (archive := load_archive(place)) is not None:
        rows, columns = archive.rows, (image_column, label_column or archive.label_column)
    elif _has_tables(place):
        loaded = load_tables(place, subset, entry.data_dir if entry else None)
        rows, columns = _of_tables(loaded, entry, columns)
    else:
        for argument, column in (("image_column", image_column), ("label_column", label_column)):
            if column is not None:
                raise ValueError(
                    f"{argument} {column!r}: {folder} has folders of classes, no table"
                )
        rows, notes = load_class_folders(place)
    return ImageSet(*labelled(rows, entry, columns, use or Use(), root=root, found=notes))


def _of_tables(
    loaded: Mapping[str, Any], entry: Entry | None, columns: tuple[str | None, str | None]
) -> tuple[Mapping[str, Any], tuple[str | None, str | None]]:
    """Return tables by the usual names of their splits, and the names of their columns."""
    names = {ours: _their_name(ours, loaded) for ours in SPLITS}
    if entry is not None:
        columns = (columns[0] or entry.image_column, columns[1] or entry.label_column)
        names = {ours: theirs for ours, theirs in names.items() if ours in entry.splits}
        names |= {o: split.name for o, split in entry.splits.items() if split.name in loaded}
    rows = {ours: loaded[theirs] for ours, theirs in names.items() if theirs in loaded}
    if not rows and entry is None and len(loaded) == 1:  # a single split of any name
        rows = {"train": next(iter(loaded.values()))}
    if not rows:
        wanted = ", ".join(names.values())
        raise ValueError(f"has none of the splits {wanted}, only {', '.join(loaded) or 'none'}")
    return rows, columns


def is_folder(name: str) -> bool:
    """Return whether a name outside the catalog is a folder, and not a hub id."""
    return is_url(name) or name.startswith((".", "~", os.sep)) or Path(name).expanduser().is_dir()


def _load(name: str, subset: str | None, entry: Entry | None) -> Mapping[str, Any]:
    """Load the tables of a data set without a local folder."""
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


def _check_folder(folder: Location) -> bool:
    """Return True, or raise ValueError if there is no such folder."""
    try:
        with as_os_error(str(folder)):
            there, exists = folder.is_dir(), folder.exists()
    except OSError as error:
        raise ValueError(f"{folder}: cannot be reached ({_first_line(error)})") from error
    if not there:
        packed = folder.name.endswith((".tar", ".tar.gz", ".tgz", ".zip"))
        wrong = f"is a {'packed ' if packed else ''}file, not a folder" if exists else ""
        remedy = "; unpack it, and name the folder" if exists and packed else ""
        raise ValueError(f"{folder}: {wrong or 'no such folder'}{remedy}")
    return True


def _has_tables(folder: Location) -> bool:
    """Return whether a folder holds parquet files or a data set saved by `datasets`."""
    saved = any((folder / name).exists() for name in ("dataset_dict.json", "dataset_info.json"))
    inside = len(folder.parts)
    tables = (path.parts[inside:] for path in folder.rglob("*.parquet"))
    return saved or any(not any(map(is_clutter, parts)) for parts in tables)


def load_tables(
    folder: Location, subset: str | None = None, data_dir: str | None = None
) -> Mapping[str, Any]:
    """Load the splits of a folder of parquet files, or of a data set saved by `datasets`.

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
    """Load a data set from the Hugging Face hub; with HF_HUB_OFFLINE=1, from the local cache only.

    Raises:
        ValueError: the hub or the data set cannot be reached; raised without retries.
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
        raise ValueError(
            f"{hub_id} cannot be loaded ({_first_line(error)}{moved('HF_HOME', error)}); {local}"
        ) from error


def _load_dataset(path: str, subset: str | None, **options: Any) -> Mapping[str, Any]:
    import datasets

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    return dict(datasets.load_dataset(path, subset, cache_dir=tables_cache(), **options))


def _their_name(ours: str, loaded: Mapping[str, Any]) -> str:
    return next((name for name in OTHER_NAMES[ours] if name in loaded), ours)


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
