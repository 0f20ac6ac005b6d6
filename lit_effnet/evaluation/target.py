"""The network that a command looks at: of a run, or released, with images in the view it gets."""

import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, fields, replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from lit_effnet.data.class_matching import KnownClasses, Matched, match
from lit_effnet.data.images import USUAL_IMAGE_SIZE, ImageData
from lit_effnet.data.preprocessing import Preprocessing
from lit_effnet.data.schema import Use
from lit_effnet.evaluation.evaluator import View
from lit_effnet.network import imagenet
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

RELEASED = "released"  # status of a folder that no training made
NAMING = ("name", "path", "subset", "image_column", "label_column", "labels")
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
        whole: Whether other images that are in no splits are taken whole, and nothing is cut.
    """

    data: Mapping[str, Any]
    image_size: int | None = None
    crop_fraction: float | None = None
    interpolation: str | None = None
    batch_size: int = 32
    num_workers: int | None = None
    network: str | None = None
    whole: bool = False


def changes_of(config: Any, *, whole: bool = False) -> Changes:
    """The changes that a command's flags ask for, as far as it has such flags."""
    given = vars(config)
    data = {key: value for key, value in vars(config.data).items() if value is not None}
    names = (field.name for field in fields(Changes) if field.name != "data")
    return Changes(data, **{n: given[n] for n in names if n in given}, whole=whole)


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
        if self.record["status"] != RELEASED and (known := self.record["data"].get("class_names")):
            return list(known)
        if self.images is not None:
            with suppress(ValueError):
                return list(self.images.images.classes)
        released = known_classes(self.name, self.weights, {})
        if released is not None:
            return list(released.names)
        return [str(number) for number in range(self.weights.num_classes)]


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
    data, classes = found.images, found.weights.num_classes
    # Before they are fetched, where the catalog tells.
    if data is not None and data.entry is not None and data.entry.num_classes > classes:
        count = data.entry.num_classes
        raise ValueError(f"{data.name}: has {count:,} classes, and {name} tells {classes:,} apart")
    return found


def known_classes(
    name: str, weights: Weights, record_data: Mapping[str, Any]
) -> KnownClasses | None:
    """The classes that a network tells apart; None where only their number is known.

    Args:
        name: Whose they are, for messages.
        weights: The network's weights, which may know their classes.
        record_data: What a run's record tells of its data; empty for released weights.
    """
    names = record_data.get("class_names") or weights.class_names
    if len(names) == weights.num_classes:
        return KnownClasses(name, tuple(names))
    if not record_data and weights.num_classes == imagenet.NUM_CLASSES and weights.seen_imagenet:
        all_names = imagenet.class_names()
        return KnownClasses(name, tuple(first for first, *_ in all_names), all_names)
    return None


def _matching(data: str, known: KnownClasses, of_run: bool, found: Sequence[str]) -> Matched:
    """Match classes by name, with a warning where that is no matter of course."""
    matched = match(found, known)
    if of_run and set(found) == set(known.names):
        warnings.warn(
            f"{data}: counts as images that {known.owner} was not trained on, since they are not "
            "those of its record; check that none of those are among them",
            stacklevel=2,
        )
    if matched.note:
        warnings.warn(f"{data}: {matched.note}", stacklevel=2)
    return matched


def _same_number(name: str, count: int, found: Sequence[str]) -> Matched:
    """Classes taken by their number, since the network's names are not known.

    Raises:
        ValueError: there are more or fewer.
    """
    if len(found) != count:
        raise ValueError(f"has {len(found):,} classes, and {name} tells {count:,} apart")
    warnings.warn(
        f"{name}: does not tell the names of its classes: those of the images are taken by their "
        f"number, 0 for {found[0]!r} and {count - 1} for {found[-1]!r}",
        stacklevel=2,
    )
    return Matched(tuple(found), tuple(range(count)))


def _use_of_others(
    name: str, weights: Weights, record_data: Mapping[str, Any], changes: Changes
) -> Use:
    """The use of images that the network was not trained on."""
    known, data = known_classes(name, weights, record_data), str(changes.data.get("name"))
    if known is None:
        return Use(whole=changes.whole, match=partial(_same_number, name, weights.num_classes))
    return Use(whole=changes.whole, match=partial(_matching, data, known, bool(record_data)))


def _of_run(path: Location, checkpoint: Location, changes: Changes) -> Subject:
    folder = RunFolder(path)
    record = folder.read()
    network, weights = network_of_run(checkpoint)
    told = record["data"]
    own = View(told["image_size"], round(weights.crop_fraction, 6), weights.interpolation)
    flags = _flags_of_run(folder)
    size, named = flags.pop("image_size", None), flags
    if "name" in changes.data:
        # What is said of images holds for those of the run; other images have their own.
        flags = {key: value for key, value in flags.items() if key not in NAMING}
        size = None
    prepared = _prepared(own, weights, changes)
    data = _images({**flags, **changes.data}, prepared, changes)
    use = Use.of_run(told)
    if "name" in changes.data and not (_same_place(changes.data, named) or _is_own(data, use)):
        use = _use_of_others(str(path), weights, told, changes)
    data.used_as(use).recorded = use.fingerprint
    name, arm = str(checkpoint), str(record.get("arm", path.name))
    reference = replace(data.reference, image_size=_usual_size(data) if size is None else size)
    return Subject(name, arm, folder, record, network, weights, own, prepared, reference, data)


def _flags_of_run(folder: RunFolder) -> dict[str, Any]:
    """The flags of `--data` that name the run's images."""
    try:
        config = read_yaml(folder.config)
        flags = dict(config["data"])
    except FileNotFoundError:
        raise ValueError(f"{folder.config}: is missing, so the run's data are not known") from None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder.config}: does not tell its data ({reason(error)})") from error
    wanted = (*NAMING, *KEEPING, "image_size")
    return {key: flags[key] for key in wanted if flags.get(key) is not None}


def _same_place(given: Mapping[str, Any], named: Mapping[str, Any]) -> bool:
    """Whether flags of `--data` name what the run's flags name, in whatever words."""

    def place(flags: Mapping[str, Any]) -> str:
        name = str(flags.get("path") or flags.get("name", "photos"))
        path = Path(name).expanduser()
        return str(path.resolve()) if path.exists() else name

    return place(given) == place(named) and given.get("labels") == named.get("labels")


def _is_own(data: ImageData, use: Use) -> bool:
    """Whether a folder holds what a run was trained on, at another place."""
    if data.entry is not None:
        return False
    with warnings.catch_warnings(), suppress(ValueError):
        warnings.simplefilter("ignore")  # of what may be other images
        images = data.used_as(replace(use, fingerprint=None)).images
        return images.fingerprint_as(use.fingerprint) == use.fingerprint
    return False


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
    network = load_network(network_name, scaling, weights)
    size = weights.image_size or USUAL_IMAGE_SIZE
    own = View(size, round(weights.crop_fraction, 6), weights.interpolation)
    prepared = _prepared(own, weights, changes)
    data = _images(changes.data, prepared, changes) if changes.data else None
    if data is not None:
        data.used_as(_use_of_others(name, weights, {}, changes))
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
