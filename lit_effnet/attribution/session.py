"""Images shown to networks: what each predicts, its maps, and their numbers."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lit_effnet.attribution import faithfulness as quality
from lit_effnet.attribution.cam import Maps, explaining
from lit_effnet.attribution.figures import Column
from lit_effnet.data.batches import normalised_batch
from lit_effnet.data.decoding import BadImageError, decode
from lit_effnet.data.image_files import EXTENSIONS, ImageFiles
from lit_effnet.data.images import ImageData
from lit_effnet.data.pixels import Rgb
from lit_effnet.data.rows import spread
from lit_effnet.data.transforms import Evaluation
from lit_effnet.evaluation.target import EvaluationTarget
from lit_effnet.runs.paths import read_file

SCORES = ("insertion", "deletion", "road", "randomisation")


@dataclass(frozen=True)
class Picture:
    """An image to look at.

    Args:
        name: Its file or place.
        title: What stands beside it.
        pixels: `uint8 [H, W, 3]`.
        label: Number of its class; null where it is not known.
    """

    name: str
    title: str
    pixels: Rgb
    label: int | None = None


def from_files(names: Sequence[str], most: int) -> tuple[list[Picture], list[str]]:
    """The images of files and folders, and what is wrong with those that are none.

    Args:
        names: Files, and folders of which all images below are taken.
        most: How many of a folder.

    Raises:
        ValueError: there is none such, or none that can be decoded, or a count below 1.
    """
    _check_count(most)
    pictures, problems = [], []
    for file in _files(names, most):
        try:
            pixels = decode(read_file(str(file)))
        except (BadImageError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            problems.append(f"{file}: {reason}")
        else:
            pictures.append(Picture(str(file), file.name, pixels))
    if not pictures:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise ValueError(f"images {problems[0]}{more}")
    return pictures, problems


def _check_count(count: int) -> None:
    if count < 1:
        raise ValueError(f"count {count}: must be at least 1")


def _files(names: Sequence[str], most: int) -> list[Path]:
    found: list[Path] = []
    for name in names:
        path = Path(name).expanduser()
        if not path.exists():
            raise ValueError(f"images {name}: no such file or folder")
        if path.is_dir():
            inside = sorted(map(Path, ImageFiles([path]).below(path)))
            if not inside:
                raise ValueError(
                    f"images {name}: has no images; accepted are {' '.join(EXTENSIONS[:6])} ..."
                )
            found += [inside[index] for index in spread(len(inside), most)]
        else:
            found.append(path)
    return found


def of_split(data: ImageData, split: str, count: int) -> list[Picture]:
    """Images spread evenly over the classes of a split, with their labels.

    Raises:
        ValueError: there is no such split, or a count below 1.
    """
    _check_count(count)
    classes = data.images.classes
    return [
        Picture(place, classes[label], pixels, label)
        for place, pixels, label in data.originals(split, count)
    ]


class CamSession:
    """A network that looks at pictures, in the view that it wants.

    Args:
        subject: The network.
        device: Where it runs.
        batch_size: Images in a batch.
    """

    def __init__(self, subject: EvaluationTarget, device: str, batch_size: int) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size {batch_size}: must be at least 1")
        self.subject, self.batch_size = subject, batch_size
        self.network = subject.network.to(device)
        self.device = device
        self.classes = subject.class_names()
        self.image_size = round(subject.preprocessing.image_size or 0)

    def own_numbers(self, targets: Sequence[int], first: "CamSession") -> list[int]:
        """Numbers of classes by its own order, of those by another network's."""
        if self.classes == first.classes:
            return list(targets)
        return [self.classes.index(first.classes[target]) for target in targets]

    @property
    def title(self) -> str:
        """Arm, image size and MACs."""
        macs = self.subject.record["complexity"]["macs"] / 1e6
        return f"{self.subject.arm}\n{self.image_size} px, {macs:,.1f} M MACs"

    def told(self, picture: Picture, target: int, method: str) -> dict[str, Any]:
        """What a row of numbers is of."""
        return {
            "network": self.subject.name,
            "arm": self.subject.arm,
            "weights": self.subject.weights.fingerprint,
            "image_size": self.image_size,
            "method": method,
            "image": picture.name,
            "target": self.classes[target],
        }

    def views(self, pictures: Sequence[Picture], size: int) -> list[Rgb]:
        """What the network sees of each picture, `uint8 [size, size, 3]`."""
        view = Evaluation(size, self.subject.preprocessing)
        return [view(picture.pixels, ()) for picture in pictures]

    def part_seen(self, picture: Picture) -> float:
        """Which part of a picture the central crop leaves."""
        short, long = sorted(picture.pixels.shape[:2])
        side = short * self.subject.preprocessing.crop_fraction
        return float(side * side / (short * long))

    def batch(self, pictures: Sequence[Picture]) -> Tensor:
        """Images `float32 [N, 3, H, W]` on the network's device."""
        prepared = self.subject.preprocessing
        normalised = partial(normalised_batch, mean=prepared.mean, std=prepared.std)
        images, _ = normalised([(view, 0) for view in self.views(pictures, self.image_size)])
        return images.to(self.device)

    def probabilities(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """Probability of each class, `[N, K]`."""
        with torch.inference_mode():
            found = [
                self.network(self.batch(some)).float().softmax(1) for some in self.batches(pictures)
            ]
        return torch.cat(found).cpu().numpy()

    def maps(
        self,
        pictures: Sequence[Picture],
        targets: Sequence[int],
        method: str,
        size: int,
    ) -> Maps:
        """Maps `float32 [N, size, size]` of what speaks for each picture's target."""
        with explaining(self.network, method, size=size) as explainer:
            found = [
                explainer(self.batch(some), targets[first : first + self.batch_size])
                for first, some in zip(
                    range(0, len(pictures), self.batch_size), self.batches(pictures), strict=True
                )
            ]
        return np.concatenate(found)

    def scores(
        self,
        pictures: Sequence[Picture],
        targets: Sequence[int],
        method: str,
        wanted: Sequence[str],
    ) -> list[dict[str, Any]]:
        """The numbers of each picture's map, for up to a batch of pictures."""
        images = self.batch(pictures)
        with explaining(self.network, method) as explainer:
            maps = explainer(images, targets)
        found: list[dict[str, Any]] = [{} for _ in pictures]
        for name in wanted:
            if name == "randomisation":
                parts = quality.randomisation(self.network, images, targets, method)
                for index, row in enumerate(found):
                    row[name] = {part: _number(values[index]) for part, values in parts.items()}
            else:
                values = getattr(quality, name)(self.network, images, maps, targets)
                for row, value in zip(found, values, strict=True):
                    row[name] = _number(value)
        return found

    def batches(self, pictures: Sequence[Picture]) -> list[Sequence[Picture]]:
        """The pictures, some at a time."""
        return [
            pictures[first : first + self.batch_size]
            for first in range(0, len(pictures), self.batch_size)
        ]


def targets_of(pictures: Sequence[Picture], wanted: str | None, first: CamSession) -> list[int]:
    """The class that is explained in each picture, the same for all networks.

    Args:
        pictures: The pictures.
        wanted: A class by name or number, `label` or `predicted`; null is the label where there
            is one, else what the first network predicts.
        first: The first network.

    Raises:
        ValueError: no such class, or a picture without a label.
    """
    predicted = [int(best) for best in first.probabilities(pictures).argmax(1)]
    if wanted == "predicted":
        return predicted
    if wanted in (None, "label"):
        if wanted == "label" and any(picture.label is None for picture in pictures):
            raise ValueError("target label: files have none; it takes predicted or a class")
        return [
            best if picture.label is None else picture.label
            for picture, best in zip(pictures, predicted, strict=True)
        ]
    if wanted in first.classes:
        return [first.classes.index(wanted)] * len(pictures)
    if wanted.isdecimal() and int(wanted) < len(first.classes):
        return [int(wanted)] * len(pictures)
    near = get_close_matches(wanted, first.classes, n=3)
    nearest = f"; nearest: {', '.join(near)}" if near else f", such as {first.classes[0]}"
    raise ValueError(
        f"target {wanted}: must be label, predicted, a number below {len(first.classes)} or the "
        f"name of a class{nearest}"
    )


def column(
    looker: CamSession,
    pictures: Sequence[Picture],
    targets: Sequence[int],
    method: str,
    *,
    probabilities: NDArray[np.float32],
    size: int,
    title: str,
) -> Column:
    """A network's column in the grid of maps, with what it predicts under each cell."""
    maps = looker.maps(pictures, targets, method, size)
    captions = [
        _caption(row, target, looker.classes) + ("" if map_.any() else "\n(nothing speaks for it)")
        for row, target, map_ in zip(probabilities, targets, maps, strict=True)
    ]
    return Column(title, looker.views(pictures, size), maps, captions)


def _caption(probabilities: NDArray[np.float32], target: int, classes: Sequence[str]) -> str:
    best = int(probabilities.argmax())
    told = f"{_short(classes[best])} {100 * probabilities[best]:.0f} %"
    if best != target:
        told += f"\n({_short(classes[target])} {100 * probabilities[target]:.0f} %)"
    return told


def _short(name: str, most: int = 16) -> str:
    name = name.replace("_", " ")
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _number(value: float) -> float | None:
    """Six digits after the point; null for what is no number."""
    return round(float(value), 6) if np.isfinite(value) else None
