"""Load the network to evaluate, of a run or released, with images in its view."""

import re
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lit_effnet.data.images import USUAL_IMAGE_SIZE, ImageData
from lit_effnet.data.preprocessing import Preprocessing
from lit_effnet.data.schema import Use
from lit_effnet.evaluation.classes import known_classes, use_of_other_images
from lit_effnet.evaluation.evaluator import View
from lit_effnet.network.complexity import complexity
from lit_effnet.network.properties import conventions
from lit_effnet.network.trained import architecture, load_network, network_of_run
from lit_effnet.network.weight_sources import find
from lit_effnet.network.weights import Weights
from lit_effnet.runs.documents import read_yaml
from lit_effnet.runs.files import reason
from lit_effnet.runs.folder import FINISHED, RunFolder
from lit_effnet.runs.paths import Location, locate
from lit_effnet.runs.provenance import versions

RELEASED = "released"  # status of a folder for rows of released weights
DATA_NAMES = ("name", "path", "subset", "image_column", "label_column", "labels")
DATA_OPTIONS = ("on_bad_image", "keep_decoded")


@dataclass(frozen=True)
class Overrides:
    """Settings that differ from those of the run or of the released weights.

    Args:
        data: Flags of `--data` that name other images; empty for those of the run.
        image_size: Side of the network's input in pixels; None for its own.
        crop_fraction: Part of the resized short side that the central crop keeps; None for its own.
        interpolation: Filter of the resize; None for its own.
        batch_size: Images in a batch.
        num_workers: Processes that decode and corrupt images; None chooses by the number of cores.
        network: Name of the network of released weights that do not name it.
        whole: Whether other images without splits are evaluated whole, with no split cut off.
    """

    data: Mapping[str, Any]
    image_size: int | None = None
    crop_fraction: float | None = None
    interpolation: str | None = None
    batch_size: int = 32
    num_workers: int | None = None
    network: str | None = None
    whole: bool = False


def overrides_of(config: Any, *, whole: bool = False) -> Overrides:
    """Return the overrides that a command's flags ask for."""
    flags = vars(config)
    data = {key: value for key, value in vars(config.data).items() if value is not None}
    names = (field.name for field in fields(Overrides) if field.name != "data")
    return Overrides(data, **{n: flags[n] for n in names if n in flags}, whole=whole)


@dataclass(frozen=True, kw_only=True)
class EvaluationTarget:
    """A network with its weights, its images, and the folder of its rows.

    Args:
        name: Run folder, or name of the released weights.
        arm: The setting under comparison.
        folder: The run folder; released weights have a folder of their own.
        record: Content of `run.json`; for released weights, in the same form.
        network: In evaluation mode, on the CPU.
        weights: The weights that it was filled with.
        own: View that it was trained or released for.
        preprocessing: Preprocessing now, with overrides; `image_size` is that of its input.
        reference: The data set's own view, in which images are corrupted for all networks.
        images: Images in the network's present view; None if no images are named.
    """

    name: str
    arm: str
    folder: RunFolder
    record: Mapping[str, Any]
    network: nn.Module
    weights: Weights
    own: View
    preprocessing: Preprocessing
    reference: Preprocessing
    images: ImageData | None

    @property
    def data(self) -> ImageData:
        """The images.

        Raises:
            ValueError: no images are named.
        """
        if self.images is None:
            raise ValueError(f"data.name null: must name the images to show to {self.name}")
        return self.images

    @property
    def note(self) -> str:
        """A remark on the weights for the user; empty if there is none."""
        status = self.record["status"]
        if status in (FINISHED, RELEASED):
            return "; ".join(self.weights.notes)
        return f"The run is {status}: these are the weights of its last whole epoch."

    def make_folder(self) -> None:
        """Make the folder for rows of released weights, with their record.

        Raises:
            OSError: it cannot be written.
        """
        if self.record["status"] == RELEASED:
            self.folder.path.mkdir(parents=True, exist_ok=True)
            self.folder.write(dict(self.record))

    def class_names(self) -> list[str]:
        """Return the names of its classes; their numbers if no names are known."""
        if self.record["status"] != RELEASED and (known := self.record["data"].get("class_names")):
            return list(known)
        if self.images is not None:
            with suppress(ValueError):
                return list(self.images.images.classes)
        released = known_classes(self.name, self.weights, {})
        if released is not None:
            return list(released.names)
        return [str(number) for number in range(self.weights.num_classes)]


def load_target(name: str, overrides: Overrides, root: str = "runs") -> EvaluationTarget:
    """Load a run's network, or a released one.

    Args:
        name: A run folder, a checkpoint in one, or weights as `--weights.name` takes them.
        overrides: Settings that differ from the network's own.
        root: Folder of the folders for rows of released weights.

    Raises:
        ValueError: no such network, or it does not fit the images.
    """
    path = locate(name)
    if not path.exists() and len(path.parts) > 1 and Path(path.parts[0]).is_dir():
        siblings = path.parent.glob("*") if path.parent.is_dir() else ()
        near = get_close_matches(path.name, [other.name for other in siblings], n=3, cutoff=0.6)
        nearest = f"; nearest: {', '.join(str(path.with_name(other)) for other in near)}"
        raise ValueError(f"{name}: no such file or folder{nearest if near else ''}")
    checkpoint = path.parent.name == "checkpoints" and (path.parents[1] / "run.json").exists()
    if checkpoint:
        target = _of_run(path.parents[1], path, overrides)
    elif (path / "run.json").exists() and RunFolder(path).read().get("status") != RELEASED:
        target = _of_run(path, path, overrides)
    else:
        target = _released(name, overrides, root)
    data, classes = target.images, target.weights.num_classes
    # Checked before anything is downloaded, if the catalog has the number.
    if data is not None and data.entry is not None and data.entry.num_classes > classes:
        count = data.entry.num_classes
        raise ValueError(f"{data.name}: has {count:,} classes, and {name} has only {classes:,}")
    return target


def _of_run(path: Location, checkpoint: Location, overrides: Overrides) -> EvaluationTarget:
    folder = RunFolder(path)
    record = folder.read()
    network, weights = network_of_run(checkpoint)
    record_data = record["data"]
    own = View(record_data["image_size"], round(weights.crop_fraction, 6), weights.interpolation)
    flags = _flags_of_run(folder)
    size, run_flags = flags.pop("image_size", None), flags
    if "name" in overrides.data:
        # The run's column names and size belong to its own images.
        flags = {key: value for key, value in flags.items() if key not in DATA_NAMES}
        size = None
    prepared = _prepared(own, weights, overrides)
    data = _images({**flags, **overrides.data}, prepared, overrides)
    use = Use.of_run(record_data)
    same_images = "name" not in overrides.data or (
        _same_place(overrides.data, run_flags) or _is_own(data, use)
    )
    if not same_images:
        name, whole = str(overrides.data.get("name")), overrides.whole
        use = use_of_other_images(str(path), weights, record_data, data=name, whole=whole)
    data.used_as(use).recorded = use.fingerprint
    return EvaluationTarget(
        name=str(checkpoint),
        arm=str(record.get("arm", path.name)),
        folder=folder,
        record=record,
        network=network,
        weights=weights,
        own=own,
        preprocessing=prepared,
        reference=replace(data.reference, image_size=_usual_size(data) if size is None else size),
        images=data,
    )


def _flags_of_run(folder: RunFolder) -> dict[str, Any]:
    """Return the flags of `--data` that name the run's images."""
    try:
        config = read_yaml(folder.config)
        flags = dict(config["data"])
    except FileNotFoundError:
        raise ValueError(f"{folder.config}: is missing, so the run's data are not known") from None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder.config}: does not name its data ({reason(error)})") from error
    wanted = (*DATA_NAMES, *DATA_OPTIONS, "image_size")
    return {key: flags[key] for key in wanted if flags.get(key) is not None}


def _same_place(flags: Mapping[str, Any], run_flags: Mapping[str, Any]) -> bool:
    """Return whether two sets of `--data` flags name the same images."""

    def place(flags: Mapping[str, Any]) -> str:
        name = str(flags.get("path") or flags.get("name", "photos"))
        path = Path(name).expanduser()
        return str(path.resolve()) if path.exists() else name

    return place(flags) == place(run_flags) and flags.get("labels") == run_flags.get("labels")


def _is_own(data: ImageData, use: Use) -> bool:
    """Return whether a folder holds the images of the training, moved to another place."""
    if data.entry is not None:
        return False
    with warnings.catch_warnings(), suppress(ValueError):
        warnings.simplefilter("ignore")  # these may be other images
        images = data.used_as(replace(use, fingerprint=None)).images
        return images.fingerprint_as(use.fingerprint) == use.fingerprint
    return False


def _usual_size(data: ImageData | None) -> int:
    return data.entry.image_size if data is not None and data.entry else USUAL_IMAGE_SIZE


def _released(name: str, overrides: Overrides, root: str) -> EvaluationTarget:
    folder = RunFolder(locate(root, "root") / RELEASED / re.sub(r"[^\w.=-]+", "_", name))
    if (locate(name) / "run.json").exists():  # a folder that an earlier evaluation made
        folder = RunFolder(locate(name))
        name = str(folder.read()["weights"]["name"])
    try:
        weights = find(name)
    except ValueError as error:
        raise ValueError(f"{name}: {str(error).removeprefix(f'{name}: ')}") from error
    network_name, scaling = architecture(name, weights, overrides.network)
    network = load_network(network_name, scaling, weights)
    size = weights.image_size or USUAL_IMAGE_SIZE
    own = View(size, round(weights.crop_fraction, 6), weights.interpolation)
    prepared = _prepared(own, weights, overrides)
    data = _images(overrides.data, prepared, overrides) if overrides.data else None
    if data is not None:
        data_name, whole = str(overrides.data.get("name")), overrides.whole
        data.used_as(use_of_other_images(name, weights, {}, data=data_name, whole=whole))
    record = {
        "status": RELEASED,
        "group": RELEASED,
        "id": folder.path.name,
        "arm": name,
        "seed": None,
        "scaling": asdict(scaling),
        "model": {"name": network_name},
        "network": conventions(network),
        "weights": {
            "name": name,
            "layout": weights.layout,
            "fingerprint": weights.fingerprint,
            "notes": list(weights.notes),
        },
        "seen_imagenet": weights.seen_imagenet,
        "data": {"classes": weights.num_classes, **asdict(own)},
        "complexity": asdict(complexity(network, size)),
        "versions": versions(),
    }
    reference = data.reference if data is not None else prepared
    return EvaluationTarget(
        name=name,
        arm=name,
        folder=folder,
        record=record,
        network=network,
        weights=weights,
        own=own,
        preprocessing=prepared,
        reference=replace(reference, image_size=_usual_size(data)),
        images=data,
    )


def _prepared(own: View, weights: Weights, overrides: Overrides) -> Preprocessing:
    """Return the network's preprocessing with the overrides."""
    return Preprocessing(
        own.image_size if overrides.image_size is None else overrides.image_size,
        weights.crop_fraction if overrides.crop_fraction is None else overrides.crop_fraction,
        overrides.interpolation or weights.interpolation,  # type: ignore[arg-type] # checked there
        weights.mean,
        weights.std,
    )


def _images(flags: Mapping[str, Any], prepared: Preprocessing, overrides: Overrides) -> ImageData:
    return ImageData(
        **flags,
        image_size=overrides.image_size,
        preprocessing=prepared,
        batch_size=overrides.batch_size,
        num_workers=overrides.num_workers,
    )


def device_of(name: str) -> str:
    """Return the device of that name; `auto` is the GPU if there is one.

    Raises:
        ValueError: the device is not available.
    """
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device {name}: is not on this machine; auto takes the one there is"
        ) from error
    return name
