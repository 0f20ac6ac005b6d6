"""Evaluate one network on one split under any condition."""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

from torch import nn

from lit_effnet.data.images import ImageData
from lit_effnet.data.preprocessing import Preprocessing
from lit_effnet.evaluation.bn_adaptation import adapted
from lit_effnet.evaluation.conditions import CLEAN, Condition
from lit_effnet.evaluation.predictions import Predictions
from lit_effnet.evaluation.row import TRAINED, Identity, Row, evaluation_row, row_id
from lit_effnet.evaluation.scoring import score


@dataclass(frozen=True)
class View:
    """How images are prepared for a network.

    Args:
        image_size: Side of the network's input in pixels.
        crop_fraction: Part of the resized short side that the central crop keeps.
        interpolation: Filter of the resize.
    """

    image_size: int
    crop_fraction: float
    interpolation: str

    @classmethod
    def of(cls, data: ImageData) -> "View":
        """Return the view in which the data set's images are loaded."""
        prepared = data.preprocessing
        return cls(data.image_size, round(prepared.crop_fraction, 6), prepared.interpolation)

    def differences(self, own: "View") -> list[str]:
        """Return differences from the network's own view: `image_size 64 instead of 48`."""
        return [
            f"{name} {value} instead of {getattr(own, name)}"
            for name, value in asdict(self).items()
            if value != getattr(own, name)
        ]


@dataclass(frozen=True)
class Evaluator:
    """Evaluates a network under conditions.

    Args:
        network: Maps images `float32 [N, 3, H, W]` to logits `[N, K]`; on the device to use.
        data: The images, in the view in which the network gets them.
        split: Split of the data set.
        weights: Fingerprint of the network's weights.
        own: View that the network was trained or released for.
        reference: View in which images are corrupted, the same for all networks; the data set's
            if None.
        adapt_batch_norm: Whether batch norm gets the statistics of each condition's images first.
    """

    network: nn.Module
    data: ImageData
    split: str
    weights: str
    own: View
    reference: Preprocessing | None = None
    adapt_batch_norm: bool = False

    @property
    def images(self) -> int:
        """Number of images under each condition."""
        return self.data.prepare(self.split)

    def with_clean(self, conditions: Iterable[Condition]) -> list[Condition]:
        """Return the conditions, preceded by the clean ones that they are compared with."""
        wanted = list(conditions)
        return list(dict.fromkeys([*map(self.compared_with, wanted), *wanted]))

    def compared_with(self, condition: Condition) -> Condition:
        """Return the clean condition whose images are resized in the same way."""
        if condition.corrupt_at == "reference" and not self._at_own_size:
            return Condition(corrupt_at="reference")
        return Condition()

    def identity(self, condition: Condition) -> Identity:
        """Return everything that the scores under this condition depend on."""
        view = View.of(self.data)
        numbers = self.data.images.numbers
        identity = Identity(
            condition=condition.name,
            parameters=condition.parameters,
            severity=condition.severity,
            severities=condition.scale,
            made_at=condition.corrupt_at,
            made_at_px=self._corrupted_px(condition),
            split=self.split,
            data=str(self.data.name),
            data_fingerprint=self.data.fingerprint,
            weights=self.weights,
            image_size=view.image_size,
            crop_fraction=view.crop_fraction,
            interpolation=view.interpolation,
            not_own=view.differences(self.own),
            batch_norm=self._batch_norm,
        )
        if numbers is not None:  # only of classes that were matched with the network's
            identity["class_numbers"] = list(numbers)
        return identity

    def id(self, condition: Condition) -> str:
        """Return the id of the row under this condition."""
        return row_id(self.identity(condition))

    def row(
        self,
        condition: Condition,
        progress: Callable[[int], object] = lambda images: None,
        predictions: Predictions | None = None,
    ) -> Row:
        """Evaluate under a condition and return the row.

        Args:
            condition: Clean images or a corruption of them.
            progress: Called with the number of images of each batch.
            predictions: Collects the prediction for each image, in the order of the split.

        Raises:
            ValueError: the split or its images cannot be loaded.
        """
        self.data.prepare(self.split)
        reference = self._reference if condition.corrupt_at == "reference" else None
        network = self.network
        if self.adapt_batch_norm:
            batches = self.data.evaluation_loader(
                self.split, condition.corruption, reference, shuffled=True
            )
            network = adapted(network, batches)
        batches = self.data.evaluation_loader(self.split, condition.corruption, reference)
        scores = score(network, batches, self.data.num_classes, progress, predictions)
        clean = None if condition.name == CLEAN else self.id(self.compared_with(condition))
        return evaluation_row(self.identity(condition), scores, clean)

    @property
    def _batch_norm(self) -> str:
        if not self.adapt_batch_norm:
            return TRAINED
        return f"recalibrated on batches of {self.data.batch_size}"

    @property
    def _reference(self) -> Preprocessing:
        return self.reference or self.data.reference

    @property
    def _at_own_size(self) -> bool:
        """Whether the reference view equals the network's, so that images are resized only once."""
        view, reference = View.of(self.data), self._reference
        return (
            view.image_size == reference.image_size
            and view.crop_fraction == round(reference.crop_fraction, 6)
            and view.interpolation == reference.interpolation
        )

    def _corrupted_px(self, condition: Condition) -> int | None:
        if condition.corrupt_at == "reference":
            return round(self._reference.image_size or 0)
        return self.data.image_size if condition.corrupt_at == "input" else None
