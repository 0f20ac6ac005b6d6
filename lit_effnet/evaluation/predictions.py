"""Predictions of a network for each image, and scores of each class."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor


@dataclass
class Predictions:
    """Predictions of a network on the images of a split, in the order of its loader.

    Args:
        parts: Label, predicted class and the probabilities of the prediction and of the label;
            `float64 [N, 4]` for each batch.
    """

    parts: list[NDArray[np.float64]] = field(default_factory=list)

    def add(self, probabilities: Tensor, labels: Tensor) -> None:
        """Add a batch: probabilities `float32 [N, K]` and labels `int64 [N]`."""
        highest, predicted = probabilities.max(1)
        of_label = probabilities.gather(1, labels[:, None])[:, 0]
        columns = (labels, predicted, highest, of_label)
        self.parts.append(np.stack([one.double().cpu().numpy() for one in columns], axis=1))

    @property
    def labels(self) -> NDArray[np.int64]:
        """Label of each image."""
        return self._column(0).astype(np.int64)

    @property
    def predicted(self) -> NDArray[np.int64]:
        """Predicted class of each image."""
        return self._column(1).astype(np.int64)

    def frame(self, images: Sequence[str], classes: Sequence[str]) -> pd.DataFrame:
        """Return a row for each image: label, prediction and probabilities.

        Args:
            images: File or place of each image.
            classes: Names of the classes.
        """
        names = np.asarray(classes, object)
        return pd.DataFrame(
            {
                "image": list(images),
                "label": self.labels,
                "predicted": self.predicted,
                "correct": self.labels == self.predicted,
                "probability": self._column(2).round(6),
                "label_probability": self._column(3).round(6),
                "label_name": names[self.labels],
                "predicted_name": names[self.predicted],
            }
        )

    def confusion(self, num_classes: int) -> NDArray[np.int64]:
        """Return the confusion matrix `int64 [K, K]`: class in rows, prediction in columns."""
        places = self.labels * num_classes + self.predicted
        counts = np.bincount(places, minlength=num_classes**2)
        return counts.reshape(num_classes, num_classes)

    def _column(self, index: int) -> NDArray[np.float64]:
        return np.concatenate(self.parts)[:, index] if self.parts else np.empty(0)


def per_class(confusion: NDArray[np.int64], classes: Sequence[str]) -> pd.DataFrame:
    """Return a row for each class: images, correct predictions, accuracy, most frequent error.

    A class without images has no accuracy; `predicted` counts all predictions of the class.

    Args:
        confusion: Confusion matrix `[K, K]`.
        classes: Names of the classes.
    """
    images, correct = confusion.sum(1), np.diag(confusion)
    mistakes = confusion - np.diag(correct)
    most = mistakes.argmax(1)
    with np.errstate(invalid="ignore"):
        accuracy = correct / images
    return pd.DataFrame(
        {
            "label": np.arange(len(classes)),
            "name": list(classes),
            "images": images,
            "correct": correct,
            "accuracy": accuracy.round(6),
            "predicted": confusion.sum(0),
            "mistaken_for": [
                classes[other] if mistakes[own, other] else None for own, other in enumerate(most)
            ],
            "mistakes": mistakes.max(1),
        }
    )
