"""The network that a command looks at: of a run, or released, with images in the view it gets."""

import re
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from torch import nn

from lit_effnet.data.images import USUAL_IMAGE_SIZE, ImageData
from lit_effnet.data.preprocessing import Preprocessing
from lit_effnet.evaluation.evaluator import View
from lit_effnet.locations import Location, locate
from lit_effnet.network.complexity import complexity
from lit_effnet.network.efficientnet import IMAGENET_CLASSES
from lit_effnet.network.properties import conventions
from lit_effnet.network.released import find
from lit_effnet.network.released_networks import architecture, filled
from lit_effnet.network.trained import network_of_run
from lit_effnet.network.weights import Weights
from lit_effnet.training.provenance import versions
from lit_effnet.training.record import FINISHED, RunFolder

RELEASED = "released"  # status of a folder that no training made
NAMING = ("name", "path", "subset", "image_column", "label_column")
KEEPING = ("on_bad_image", "keep_decoded")


@dataclass(frozen=True)
class Changes:
    """What is to be another than in the run, or than the owner of released weights says.

    Args:
        data: Flags of `--data` that name other images; empty for those of the run.
        image_size: Side of the network's input in pixels; null for its own.
        crop_fraction: Part of the resized short side that is kept; null for its own.
        interpolation: Filter of the resize; null for its own.
        batch_size: Images in a batch.
        num_workers: Processes that decode and corrupt; null chooses by the number of cores.
        network: Name of a released network whose weights do not tell it.
    """

    data: Mapping[str, Any]
    image_size: int | None = None
    crop_fraction: float | None = None
    interpolation: str | None = None
    batch_size: int = 32
    num_workers: int | None = None
    network: str | None = None


def changes_of(config: Any) -> Changes:
    """The changes that a command's flags ask for, as far as it has such flags."""
    given = vars(config)
    data = {key: value for key, value in vars(config.data).items() if value is not None}
    names = (field.name for field in fields(Changes) if field.name != "data")
    return Changes(data, **{name: given[name] for name in names if name in given})


@dataclass(frozen=True)
class Subject:
    """A network with its weights, its images, and where its rows are written.

    Args:
        name: The run folder or the name of the released weights.
        arm: What is compared.
        folder: The run folder; of released weights, one of their own.
        record: What `run.json` tells, or would.
        network: In evaluation mode, on the CPU.
        weights: What it was filled with.
        own: The view that it was trained or released for.
        preprocessing: How an image is prepared for it now; `image_size` is that of its input.
        reference: The data set's own view, in which images are corrupted for all alike.
        images: Images in the view that it gets now; null where none are named.
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
            ValueError: none are named.
        """
        if self.images is None:
            raise ValueError(f"data.name null: must name the images to show to {self.name}")
        return self.images

    @property
    def note(self) -> str:
        """What a person should know of the weights; empty where there is nothing."""
        status = self.record["status"]
        if status in (FINISHED, RELEASED):
            return "; ".join(self.weights.notes)
        return f"The run is {status}: these are the weights of its last whole epoch."

    def make_folder(self) -> None:
        """Make the folder of rows on released weights, with what is known of their network.

        Raises:
            OSError: it cannot be written.
        """
        if self.record["status"] == RELEASED:
            self.folder.path.mkdir(parents=True, exist_ok=True)
            self.folder.write(dict(self.record))

    def class_names(self) -> list[str]:
        """Names of its classes; their numbers where no name is known."""
        count = self.weights.num_classes
        if self.images is not None:
            with suppress(ValueError):
                return list(self.images.images.classes)
        if count == IMAGENET_CLASSES and self.weights.seen_imagenet:
            from timm.data import ImageNetInfo

            known = ImageNetInfo()
            return [known.index_to_description(i).split(",")[0] for i in range(count)]
        return [str(number) for number in range(count)]


def run_folders(names: list[str], *, one_of_each_arm: bool = False) -> list[str]:
    """The names, and for a group's folder the runs in it that have weights.

    Args:
        names: Run folders, groups' folders, and released weights.
        one_of_each_arm: Of a group only the repeat with the lowest seed.

    Raises:
        ValueError: a folder without run folders in it.
    """
    found = []
    for name in names:
        path = locate(name)
        if not path.is_dir() or any(
            (path / file).exists() for file in ("run.json", "model.safetensors")
        ):
            found.append(name)
            continue
        files: Iterable[Location] = path.glob("*/run.json")
        runs = sorted((file.parent for file in files), key=str)
        trained = [run for run in runs if RunFolder(run).last_checkpoint.exists()]
        for run in runs:
            if run not in trained:
                warnings.warn(f"{run}: left out, it has no checkpoint", stacklevel=2)
        if not trained:
            raise ValueError(f"{name}: neither a run folder nor a folder of trained runs")
        if one_of_each_arm:
            records = {run: RunFolder(run).read() for run in trained}
            trained.sort(key=lambda run: records[run].get("seed") or 0)
            trained = list({records[run].get("arm"): run for run in reversed(trained)}.values())
            trained.sort(key=lambda run: records[run]["complexity"]["macs"])
        found += [str(run) for run in trained]
    return list(dict.fromkeys(found))


def subject(name: str, changes: Changes, root: str = "runs") -> Subject:
    """A run's network, or a released one.

    Args:
        name: A run folder, a checkpoint in one, or weights as `--weights.name` takes them.
        changes: What is to be another.
        root: Folder of the folders in which rows on released weights go.

    Raises:
        ValueError: there is none such, or it does not fit the images.
    """
    path = locate(name)
    if not path.exists() and len(path.parts) > 1 and Path(path.parts[0]).is_dir():
        beside = path.parent.glob("*") if path.parent.is_dir() else ()
        near = get_close_matches(path.name, [other.name for other in beside], n=3, cutoff=0.6)
        nearest = f"; nearest: {', '.join(str(path.with_name(other)) for other in near)}"
        raise ValueError(f"{name}: no such file or folder{nearest if near else ''}")
    checkpoint = path.parent.name == "checkpoints" and (path.parents[1] / "run.json").exists()
    if checkpoint:
        found = _of_run(path.parents[1], path, changes)
    elif (path / "run.json").exists() and RunFolder(path).read().get("status") != RELEASED:
        found = _of_run(path, path, changes)
    else:
        found = _released(name, changes, root)
    classes = found.weights.num_classes
    if found.images is not None and found.images.num_classes != classes:
        raise ValueError(
            f"{found.data.name}: has {found.data.num_classes:,} classes, and {name} tells "
            f"{classes:,} apart"
        )
    if found.images is not None and "name" in changes.data:
        _check_names(found.images, found.record["data"].get("class_names"))
    return found


def _of_run(path: Location, checkpoint: Location, changes: Changes) -> Subject:
    folder = RunFolder(path)
    record = folder.read()
    network, weights = network_of_run(checkpoint)
    told = record["data"]
    own = View(told["image_size"], round(weights.crop_fraction, 6), weights.interpolation)
    flags = _flags_of_run(folder)
    size = flags.pop("image_size", None)
    if "name" in changes.data:
        # What is said of images holds for those of the run; other images have their own.
        flags = {key: value for key, value in flags.items() if key not in NAMING}
        size = None
    prepared = _prepared(own, weights, changes)
    data = _images({**flags, **changes.data}, prepared, changes)
    data.recorded = None if "name" in changes.data else told.get("fingerprint")
    name, arm = str(checkpoint), str(record.get("arm", path.name))
    reference = replace(data.reference, image_size=_usual_size(data) if size is None else size)
    return Subject(name, arm, folder, record, network, weights, own, prepared, reference, data)


def _flags_of_run(folder: RunFolder) -> dict[str, Any]:
    """The flags of `--data` that name the run's images."""
    try:
        config = yaml.safe_load(folder.config.read_text(encoding="utf-8"))
        flags = dict(config["data"])
    except FileNotFoundError:
        raise ValueError(f"{folder.config}: is missing, so the run's data are not known") from None
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise ValueError(f"{folder.config}: does not tell the run's data ({error})") from error
    wanted = (*NAMING, *KEEPING, "image_size")
    return {key: flags[key] for key in wanted if flags.get(key) is not None}


def _check_names(data: ImageData, names: list[str] | None) -> None:
    """Warn where classes are called otherwise than those that the network was trained on."""
    found = list(data.images.classes)
    if names is not None and len(found) == len(names) and found != names:
        index = next(i for i, (a, b) in enumerate(zip(found, names, strict=True)) if a != b)
        warnings.warn(
            f"{data.name}: its classes are taken by their number; number {index} is "
            f"{found[index]!r} there and {names[index]!r} in the run's images",
            stacklevel=2,
        )


def _usual_size(data: ImageData | None) -> int:
    return data.entry.image_size if data is not None and data.entry else USUAL_IMAGE_SIZE


def _released(name: str, changes: Changes, root: str) -> Subject:
    folder = RunFolder(locate(root, "root") / RELEASED / re.sub(r"[^\w.=-]+", "_", name))
    if (locate(name) / "run.json").exists():  # a folder that an earlier evaluation made
        folder = RunFolder(locate(name))
        name = str(folder.read()["weights"]["name"])
    try:
        weights = find(name)
    except ValueError as error:
        raise ValueError(f"{name}: {str(error).removeprefix(f'{name}: ')}") from error
    network_name, scaling = architecture(name, weights, changes.network)
    network = filled(network_name, scaling, weights)
    size = weights.image_size or USUAL_IMAGE_SIZE
    own = View(size, round(weights.crop_fraction, 6), weights.interpolation)
    prepared = _prepared(own, weights, changes)
    data = _images(changes.data, prepared, changes) if changes.data else None
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
    reference = replace(
        data.reference if data is not None else prepared, image_size=_usual_size(data)
    )
    return Subject(name, name, folder, record, network, weights, own, prepared, reference, data)


def _prepared(own: View, weights: Weights, changes: Changes) -> Preprocessing:
    """How images are prepared for the network, as far as asked in another way than its own."""
    return Preprocessing(
        own.image_size if changes.image_size is None else changes.image_size,
        weights.crop_fraction if changes.crop_fraction is None else changes.crop_fraction,
        changes.interpolation or weights.interpolation,  # type: ignore[arg-type] # checked there
        weights.mean,
        weights.std,
    )


def _images(flags: Mapping[str, Any], prepared: Preprocessing, changes: Changes) -> ImageData:
    return ImageData(
        **flags,
        image_size=changes.image_size,
        preprocessing=prepared,
        batch_size=changes.batch_size,
        num_workers=changes.num_workers,
    )


def device_of(name: str) -> str:
    """The device by its name.

    Raises:
        ValueError: it is not there.
    """
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ValueError(
            f"device {name}: is not on this machine; auto takes what there is"
        ) from error
    return name
