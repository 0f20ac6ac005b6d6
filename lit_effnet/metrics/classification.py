"""Classification metrics, shared by training and evaluation."""

from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.classification import (
    MulticlassAccuracy,
    MulticlassCalibrationError,
    MulticlassStatScores,
)


class ClassMeanAccuracy(MulticlassStatScores):
    """Mean accuracy of the classes that have images; scikit-learn's `balanced_accuracy_score`.

    torchmetrics' macro average counts a class without images as 0 % if an image is predicted as it.
    """

    is_differentiable = False
    higher_is_better = True

    def __init__(self, num_classes: int) -> None:
        super().__init__(num_classes, average=None)

    def compute(self) -> Tensor:
        """Return the mean; NaN without images."""
        counts = super().compute()
        correct, images = counts[:, 0], counts[:, 4]
        present = images > 0
        return (correct[present] / images[present]).mean()


def classification_metrics(num_classes: int, prefix: str = "") -> MetricCollection:
    """Return top-1, top-5, class-mean top-1 and expected calibration error (15 bins)."""
    return MetricCollection(
        {
            "top1": MulticlassAccuracy(num_classes, average="micro"),
            "top5": MulticlassAccuracy(num_classes, average="micro", top_k=min(5, num_classes)),
            "top1_macro": ClassMeanAccuracy(num_classes),
            "calibration_error": MulticlassCalibrationError(num_classes, n_bins=15),
        },
        prefix=prefix,
        compute_groups=False,  # top-1 and macro count differently; sharing would save nothing
    )
