"""One network on one split under any condition: one row each, that tells all it depends on."""

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from torch import nn

from lit_effnet.data.images import ImageData
from lit_effnet.data.preprocessing import Preprocessing
from lit_effnet.evaluation.bn_adaptation import recalibrated
from lit_effnet.evaluation.conditions import CLEAN, Condition
from lit_effnet.evaluation.predictions import Predictions
from lit_effnet.evaluation.scoring import score

TRAINED = "trained"  # batch norm's statistics are those of the training


@dataclass(frozen=True)
class View:
    """How a network sees an image: side of its input in pixels, crop and filter."""

    image_size: int
    crop_fraction: float
    interpolation: str

    @classmethod
    def of(cls, data: ImageData) -> "View":
        """The view that the data give."""
        prepared = data.preprocessing
        return cls(data.image_size, round(prepared.crop_fraction, 6), prepared.interpolation)

    def differences(self, own: "View") -> list[str]:
        """What is another than in the network's own view."""
        return [
            f"{name} {value} instead of {getattr(own, name)}"
            for name, value in asdict(self).items()
            if value != getattr(own, name)
        ]


@dataclass(frozen=True)
class Evaluator:
    """Evaluates a network under conditions.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits `[N, K]`, on the device to use.
        data: The images, in the view that the network gets.
        split: Which of them.
        weights: Fingerprint of the network's weights.
        own: The view that the network was trained or released for.
        reference: The view that is corrupted for all networks alike; the data's if null.
        recalibrate: Batch norm gets the statistics of each condition's images first.
    """

    network: nn.Module
    data: ImageData
    split: str
    weights: str
    own: View
    reference: Preprocessing | None = None
    recalibrate: bool = False

    @property
    def images(self) -> int:
        """Number of images under each condition."""
        return self.data.prepare(self.split)

    def with_clean(self, conditions: Iterable[Condition]) -> list[Condition]:
        """The conditions, and before them the clean ones that they compare with."""
        wanted = list(conditions)
        return list(dict.fromkeys([*map(self.compared_with, wanted), *wanted]))

    def compared_with(self, condition: Condition) -> Condition:
        """Clean images on the way that the condition's took to the network's size."""
        if condition.made_at == "reference" and not self._at_own_size:
            return Condition(made_at="reference")
        return Condition()

    def identity(self, condition: Condition) -> dict[str, Any]:
        """All that a row of the condition depends on."""
        view = View.of(self.data)
        numbers = self.data.images.numbers
        matched = {} if numbers is None else {"class_numbers": list(numbers)}
        return {
            **matched,
            "condition": condition.name,
            "parameters": condition.parameters,
            "severity": condition.severity,
            "severities": condition.severities,
            "made_at": condition.made_at,
            "made_at_px": self._made_at_px(condition),
            "split": self.split,
            "data": self.data.name,
            "data_fingerprint": self.data.fingerprint,
            "weights": self.weights,
            **asdict(view),
            "not_own": view.differences(self.own),
            "batch_norm": self._batch_norm,
        }

    def id(self, condition: Condition) -> str:
        """Twelve hexadecimal digits that follow from the identity."""
        text = json.dumps(self.identity(condition), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def row(
        self,
        condition: Condition,
        seen: Callable[[int], object] = lambda images: None,
        predictions: Predictions | None = None,
    ) -> dict[str, Any]:
        """Evaluate, and tell what came out of it.

        Args:
            condition: What happens to the images.
            seen: Is told the number of images of each batch.
            predictions: Gets what is predicted for each image, in the split's order.

        Raises:
            ValueError: the split or its images cannot be had.
        """
        self.data.prepare(self.split)
        view = self._view(condition)
        network = self.network
        if self.recalibrate:
            batches = self.data.evaluation_loader(
                self.split, condition.corruption, view, shuffled=True
            )
            network = recalibrated(network, batches)
        batches = self.data.evaluation_loader(self.split, condition.corruption, view)
        scores = score(network, batches, self.data.num_classes, seen, predictions)
        compared = self.compared_with(condition)
        return {
            "id": self.id(condition),
            **self.identity(condition),
            "clean": None if condition.name == CLEAN else self.id(compared),
            **scores,
            "evaluated": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        }

    @property
    def _batch_norm(self) -> str:
        if not self.recalibrate:
            return TRAINED
        return f"recalibrated on batches of {self.data.batch_size}"

    @property
    def _reference(self) -> Preprocessing:
        return self.reference or self.data.reference

    @property
    def _at_own_size(self) -> bool:
        """Whether the reference view is the network's, so that nothing is resized after it."""
        view, reference = View.of(self.data), self._reference
        return (
            view.image_size == reference.image_size
            and view.crop_fraction == round(reference.crop_fraction, 6)
            and view.interpolation == reference.interpolation
        )

    def _view(self, condition: Condition) -> Preprocessing | None:
        return self._reference if condition.made_at == "reference" else None

    def _made_at_px(self, condition: Condition) -> int | None:
        if condition.made_at == "reference":
            return round(self._reference.image_size or 0)
        return self.data.image_size if condition.made_at == "input" else None
