"""The metrics of a classification, which training and evaluation share."""

from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassCalibrationError


def classification_metrics(num_classes: int, prefix: str = "") -> MetricCollection:
    """Top-1, top-5, accuracy averaged over classes, and expected calibration error (15 bins)."""
    return MetricCollection(
        {
            "top1": MulticlassAccuracy(num_classes, average="micro"),
            "top5": MulticlassAccuracy(num_classes, average="micro", top_k=min(5, num_classes)),
            "top1_macro": MulticlassAccuracy(num_classes, average="macro"),
            "calibration_error": MulticlassCalibrationError(num_classes, n_bins=15),
        },
        prefix=prefix,
        compute_groups=False,  # top-1 and macro count differently; sharing would save nothing
    )
