"""One network with images: its predictions, class activation maps and their scores."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from lit_effnet.attribution import faithfulness
from lit_effnet.attribution.cam import Maps, explaining
from lit_effnet.attribution.figures import MapColumn
from lit_effnet.attribution.pictures import Picture
from lit_effnet.data.batches import normalised_batch
from lit_effnet.data.pixels import Rgb
from lit_effnet.data.transforms import Evaluation
from lit_effnet.evaluation.target import EvaluationTarget

SCORES = ("insertion", "deletion", "road", "randomisation")


class CamSession:
    """A network that explains pictures, in its own view.

    Args:
        evaluated: The network.
        device: Device to run on.
        batch_size: Images in a batch.
    """

    def __init__(self, evaluated: EvaluationTarget, device: str, batch_size: int) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size {batch_size}: must be at least 1")
        self.evaluated, self.batch_size = evaluated, batch_size
        self.network = evaluated.network.to(device)
        self.device = device
        self.classes = evaluated.class_names()
        self.image_size = round(evaluated.preprocessing.image_size or 0)

    def renumber(self, classes: Sequence[int], first: "CamSession") -> list[int]:
        """Return this network's class numbers for those of another network."""
        if self.classes == first.classes:
            return list(classes)
        return [self.classes.index(first.classes[number]) for number in classes]

    @property
    def title(self) -> str:
        """Arm, image size and MACs."""
        macs = self.evaluated.record["complexity"]["macs"] / 1e6
        return f"{self.evaluated.arm}\n{self.image_size} px, {macs:,.1f} M MACs"

    def identity(self, picture: Picture, target: int, method: str) -> dict[str, Any]:
        """Return the network, picture, class and method of a row of scores."""
        return {
            "network": self.evaluated.name,
            "arm": self.evaluated.arm,
            "weights": self.evaluated.weights.fingerprint,
            "image_size": self.image_size,
            "method": method,
            "image": picture.name,
            "target": self.classes[target],
        }

    def views(self, pictures: Sequence[Picture], size: int) -> list[Rgb]:
        """Return the network's view of each picture, `uint8 [size, size, 3]`."""
        view = Evaluation(size, self.evaluated.preprocessing)
        return [view(picture.pixels, ()) for picture in pictures]

    def visible_part(self, picture: Picture) -> float:
        """Return the part of a picture's area that the central crop keeps."""
        short, long = sorted(picture.pixels.shape[:2])
        side = short * self.evaluated.preprocessing.crop_fraction
        return float(side * side / (short * long))

    def batch(self, pictures: Sequence[Picture]) -> Tensor:
        """Return images `float32 [N, 3, H, W]` on the network's device."""
        prepared = self.evaluated.preprocessing
        normalised = partial(normalised_batch, mean=prepared.mean, std=prepared.std)
        images, _ = normalised([(view, 0) for view in self.views(pictures, self.image_size)])
        return images.to(self.device)

    def probabilities(self, pictures: Sequence[Picture]) -> NDArray[np.float32]:
        """Return the probability of each class, `[N, K]`."""
        with torch.inference_mode():
            batches = [
                self.network(self.batch(part)).float().softmax(1)
                for _, part in self.batches(pictures)
            ]
        return torch.cat(batches).cpu().numpy()

    def maps(
        self, pictures: Sequence[Picture], targets: Sequence[int], method: str, size: int
    ) -> Maps:
        """Return each picture's map for its target class, `float32 [N, size, size]`."""
        with explaining(self.network, method, size=size) as explainer:
            batches = [
                explainer(self.batch(part), targets[first : first + self.batch_size])
                for first, part in self.batches(pictures)
            ]
        return np.concatenate(batches)

    def scores(
        self,
        pictures: Sequence[Picture],
        targets: Sequence[int],
        method: str,
        names: Sequence[str],
    ) -> list[dict[str, Any]]:
        """Return the scores of each picture's map, for up to a batch of pictures.

        Args:
            pictures: The pictures.
            targets: Class to explain in each picture.
            method: One of `cam.METHODS`.
            names: Names of `SCORES`.
        """
        images = self.batch(pictures)
        with explaining(self.network, method) as explainer:
            maps = explainer(images, targets)
        rows: list[dict[str, Any]] = [{} for _ in pictures]
        for name in names:
            if name == "randomisation":
                parts = faithfulness.randomisation(self.network, images, targets, method)
                for index, row in enumerate(rows):
                    row[name] = {part: _rounded(values[index]) for part, values in parts.items()}
            else:
                values = getattr(faithfulness, name)(self.network, images, maps, targets)
                for row, value in zip(rows, values, strict=True):
                    row[name] = _rounded(value)
        return rows

    def column(
        self,
        pictures: Sequence[Picture],
        targets: Sequence[int],
        method: str,
        *,
        probabilities: NDArray[np.float32],
        size: int,
        title: str,
    ) -> MapColumn:
        """Return the network's column in the grid of maps, with its predictions as captions."""
        maps = self.maps(pictures, targets, method, size)
        captions = [
            _caption(row, target, self.classes) + ("" if map_.any() else "\n(no evidence)")
            for row, target, map_ in zip(probabilities, targets, maps, strict=True)
        ]
        return MapColumn(title, self.views(pictures, size), maps, captions)

    def batches(self, pictures: Sequence[Picture]) -> Iterator[tuple[int, Sequence[Picture]]]:
        """Yield batches of the pictures, each with the index of its first picture."""
        for first in range(0, len(pictures), self.batch_size):
            yield first, pictures[first : first + self.batch_size]


def targets_of(pictures: Sequence[Picture], wanted: str | None, first: CamSession) -> list[int]:
    """Return the class to explain in each picture, the same for all networks.

    Args:
        pictures: The pictures.
        wanted: A class by name or number, `label` or `predicted`. None is the label if there is
            one, otherwise the prediction of the first network.
        first: The first network.

    Raises:
        ValueError: an unknown class, or a picture without a label.
    """
    predicted = [int(best) for best in first.probabilities(pictures).argmax(1)]
    if wanted == "predicted":
        return predicted
    if wanted in (None, "label"):
        if wanted == "label" and any(picture.label is None for picture in pictures):
            raise ValueError("target label: files have none; use predicted or a class")
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


def _caption(probabilities: NDArray[np.float32], target: int, classes: Sequence[str]) -> str:
    best = int(probabilities.argmax())
    caption = f"{_short(classes[best])} {100 * probabilities[best]:.0f} %"
    if best != target:
        caption += f"\n({_short(classes[target])} {100 * probabilities[target]:.0f} %)"
    return caption


def _short(name: str, most: int = 16) -> str:
    name = name.replace("_", " ")
    return name if len(name) <= most else f"{name[: most - 1]}…"


def _rounded(value: float) -> float | None:
    """Return six decimals; None for NaN, which JSON lacks."""
    return round(float(value), 6) if np.isfinite(value) else None
