"""From a catalog name, a hub id or a folder to splits of one schema: `image` and `label`."""

import hashlib
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from glob import has_magic
from pathlib import Path
from typing import Any

from lit_effnet.data.catalog import CATALOG, Entry
from lit_effnet.data.rows import images_fingerprint, labels_of
from lit_effnet.data.schema import SPLITS, labelled

HUB_TIMEOUT_S = 5.0

OTHER_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing"),
}
EXTENSIONS = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".avif"),
    *(".tif", ".tiff", ".mpo", ".ppm", ".pgm", ".pbm", ".pnm", ".tga", ".jp2"),
)


@dataclass(frozen=True)
class ImageSet:
    """A data set as it is found: its splits have the columns `image` (encoded) and `label`.

    Args:
        splits: Hugging Face data sets by name: train, validation, test.
        classes: Names of the classes, in the order of the labels.
        notes: What a person should know before training on it.
    """

    splits: Mapping[str, Any]
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that follow from labels, class names and image files.

        The bytes of 64 images of each split are looked at, of the others their number of bytes,
        so that a large set is known in seconds; the same on every machine.
        """
        digest = hashlib.sha256("\n".join(self.classes).encode())
        for name, rows in self.splits.items():
            digest.update(f"{name} {images_fingerprint(rows)}".encode())
            digest.update(labels_of(rows).tobytes())
        return digest.hexdigest()[:16]


def find(
    name: str,
    path: str | None = None,
    image_column: str | None = None,
    label_column: str | None = None,
) -> ImageSet:
    """The splits of a data set, those that do not exist cut from train.

    Args:
        name: A name of the catalog, a hub id (owner/name), or a folder.
        path: Folder of a local copy of the named data set.
        image_column: Column of images; found by its type if null.
        label_column: Column of labels; found by its type if null.

    Raises:
        ValueError: it cannot be had, or is not a labelled set of images.
    """
    entry = CATALOG.get(name)
    loaded = _load(name, path, entry)
    if entry is None:
        names = {ours: _their_name(ours, loaded) for ours in SPLITS}
    else:
        image_column = image_column or entry.image_column
        label_column = label_column or entry.label_column
        names = {ours: split.name for ours, split in entry.splits.items()}
    rows = {ours: loaded[theirs] for ours, theirs in names.items() if theirs in loaded}
    if not rows and entry is None and len(loaded) == 1:  # whatever its owner calls all there is
        rows = {"train": next(iter(loaded.values()))}
    if not rows:
        wanted = ", ".join(names.values())
        raise ValueError(f"has none of the splits {wanted}, only {', '.join(loaded) or 'none'}")
    return ImageSet(*labelled(rows, entry, image_column, label_column))


def is_folder(name: str) -> bool:
    """Whether a name that is not of the catalog means a folder and not a place on the hub."""
    return name.startswith((".", "~", os.sep)) or Path(name).expanduser().is_dir()


def _load(name: str, path: str | None, entry: Entry | None) -> Mapping[str, Any]:
    if path is not None:
        return load_folder(Path(path).expanduser(), entry.config if entry else None)
    if entry is not None:
        if entry.make is not None:
            return dict(entry.make())
        return load_from_hub(str(entry.hub_id), entry.config, entry.revision)
    if is_folder(name):
        return load_folder(Path(name).expanduser())
    if name.count("/") == 1:
        return load_from_hub(name)
    near = get_close_matches(name, CATALOG, n=3, cutoff=0.5)
    nearest = f"; nearest: {', '.join(near)}" if near else ""
    raise ValueError(
        f"must be one of {', '.join(CATALOG)}, a hub id (owner/name) or a folder{nearest}"
    )


def load_folder(folder: Path, config: str | None = None) -> Mapping[str, Any]:
    """The splits of a folder: parquet files, what `datasets` saved, or folders of classes.

    Raises:
        ValueError: no such folder, or nothing in it that can be read.
    """
    import datasets

    if not folder.is_dir():
        kind = "is a file, not a folder" if folder.exists() else "no such folder"
        raise ValueError(f"{folder}: {kind}")
    try:
        if (folder / "dataset_dict.json").exists():
            return dict(datasets.load_from_disk(folder))
        if (folder / "dataset_info.json").exists() and any(folder.glob("*.arrow")):
            return {"train": datasets.load_from_disk(folder)}
        if next(folder.rglob("*.parquet"), None) is not None:
            if has_magic(str(folder.resolve())):
                raise ValueError("datasets takes *, ? and [ in a path for patterns; rename it")
            return _load_dataset(str(folder.resolve()), _config_there(folder, config))
    except (datasets.exceptions.DatasetsError, OSError, ValueError) as error:
        raise ValueError(f"{folder}: cannot be read ({_first_line(error)})") from error
    return load_class_folders(folder)


def load_class_folders(folder: Path) -> Mapping[str, Any]:
    """Images in folders named after their classes, below train, validation and test if there are.

    Raises:
        ValueError: no image in a folder of a class, or splits with other classes than train.
    """
    folders = {entry.name.lower(): entry for entry in _subfolders(folder)}
    by_split = {
        ours: folders[theirs]
        for ours in SPLITS
        for theirs in OTHER_NAMES[ours]
        if theirs in folders and list(_subfolders(folders[theirs]))
    }
    if "train" not in by_split:
        by_split = {"train": folder}
    classes = [entry.name for entry in _subfolders(by_split["train"])]
    splits = {}
    for split, root in by_split.items():
        unknown = {entry.name for entry in _subfolders(root)} - set(classes)
        if unknown:
            raise ValueError(
                f"{root}: has classes that {by_split['train']} has not: "
                f"{', '.join(sorted(unknown)[:5])}"
            )
        splits[split] = _class_folder_rows(root, classes)
    return splits


def _class_folder_rows(root: Path, classes: Sequence[str]) -> Any:
    from datasets import ClassLabel, Dataset, Features, Image

    files, labels, others = [], [], 0
    for label, name in enumerate(classes):
        for file in sorted((root / name).rglob("*")):
            if file.name.startswith(".") or not file.is_file():
                continue
            if file.suffix.lower() in EXTENSIONS:
                files.append({"bytes": None, "path": str(file)})
                labels.append(label)
            else:
                others += 1
    if not files:
        found = f", only {others:,} other files" if others else ""
        raise ValueError(
            f"{root}: has no images in folders of classes (FOLDER/CLASS/IMAGE{found}; accepted "
            f"are {' '.join(EXTENSIONS[:6])} ..., or a folder of parquet files)"
        )
    features = Features({"image": Image(), "label": ClassLabel(names=list(classes))})
    return Dataset.from_dict({"image": files, "label": labels}, features=features)


def load_from_hub(
    hub_id: str, config: str | None = None, revision: str | None = None
) -> Mapping[str, Any]:
    """A data set from the Hugging Face hub; with HF_HUB_OFFLINE=1 from the local cache only.

    Raises:
        ValueError: the hub or the data set cannot be reached, said at once and not after retries.
    """
    import datasets
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import HfHubHTTPError

    local = f"path FOLDER reads a local copy (`hf download --repo-type dataset {hub_id}` makes one)"
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
                f"the hub cannot be reached for {hub_id} ({_first_line(error)}); --data.{local}; "
                "photos needs no download"
            ) from error
    try:
        return _load_dataset(hub_id, config, revision=revision)
    except (datasets.exceptions.DatasetsError, OSError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"{hub_id} cannot be loaded ({_first_line(error)}); --data.{local}"
        ) from error


def _load_dataset(path: str, config: str | None, **options: Any) -> Mapping[str, Any]:
    import datasets

    if not sys.stderr.isatty():
        datasets.disable_progress_bars()
    return dict(datasets.load_dataset(path, config, **options))


def _config_there(folder: Path, config: str | None) -> str | None:
    from datasets import get_dataset_config_names

    names = get_dataset_config_names(str(folder.resolve()))
    if config in names or len(names) == 1:
        return config if config in names else names[0]
    if "default" in names or config is None:
        return None
    raise ValueError(f"has the configurations {', '.join(names)}, not {config}")


def _their_name(ours: str, loaded: Mapping[str, Any]) -> str:
    return next((name for name in OTHER_NAMES[ours] if name in loaded), ours)


def _subfolders(folder: Path) -> Iterable[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and entry.name[0] != ".")


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]
