"""A network on a data set under a condition: one row of numbers."""

import time
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torchmetrics import MetricCollection
from torchmetrics.classification import MulticlassAccuracy, MulticlassCalibrationError


def evaluate(
    network: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], num_classes: int
) -> dict[str, Any]:
    """Top-1, top-5, calibration error (15 bins), images and seconds; in evaluation mode.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits `[N, num_classes]`, on its device.
        batches: Images and labels `int64 [N]`.
        num_classes: Number of classes.
    """
    device = next(network.parameters()).device
    metrics = MetricCollection(
        {
            "top1": MulticlassAccuracy(num_classes, average="micro"),
            "top5": MulticlassAccuracy(num_classes, average="micro", top_k=min(5, num_classes)),
            "calibration_error": MulticlassCalibrationError(num_classes, n_bins=15),
        },
        compute_groups=False,
    ).to(device)
    images, began, training = 0, time.perf_counter(), network.training
    network.eval()
    with torch.inference_mode():
        for pixels, labels in batches:
            metrics.update(network(pixels.to(device)).float(), labels.to(device))
            images += len(labels)
    network.train(training)
    seconds = round(time.perf_counter() - began, 3)
    scores = {name: float(value) for name, value in metrics.compute().items()}
    return {**scores, "images": images, "seconds": seconds, "device": str(device)}
