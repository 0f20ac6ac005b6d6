"""A network on the images of a condition: its scores."""

import time
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from lit_effnet.evaluation.predictions import Predictions
from lit_effnet.metrics.classification import classification_metrics

SCORES = ("top1", "top5", "top1_macro", "calibration_error")


def score(
    network: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    num_classes: int,
    seen: Callable[[int], object] = lambda images: None,
    predictions: Predictions | None = None,
) -> dict[str, Any]:
    """Top-1, top-5, class-mean top-1, calibration error (15 bins), images, seconds and device.

    The network is in evaluation mode, and afterwards as it was.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits `[N, num_classes]`, on its device.
        batches: Images and labels `int64 [N]`.
        num_classes: Number of classes.
        seen: Is told the number of images of each batch, for a progress bar.
        predictions: Gets what is predicted for each image.

    Raises:
        ValueError: logits that are no finite numbers.
    """
    # What is run by another program has no parameters of torch's.
    device = next((parameter.device for parameter in network.parameters()), torch.device("cpu"))
    metrics = classification_metrics(num_classes).to(device)
    images, began, training = 0, time.perf_counter(), network.training
    network.eval()
    try:
        with torch.inference_mode():
            for pixels, labels in batches:
                logits = network(pixels.to(device)).float()
                if not logits.isfinite().all():
                    raise ValueError("the network's logits are not finite: it has diverged")
                # Probabilities: logits that happen to lie between 0 and 1 would be taken for some.
                probabilities, there = logits.softmax(1), labels.to(device)
                metrics.update(probabilities, there)
                if predictions is not None:
                    predictions.add(probabilities, there)
                images += len(labels)
                seen(len(labels))
    finally:
        network.train(training)
    seconds = round(time.perf_counter() - began, 3)
    computed = metrics.compute()
    scores = {name: float(computed[name]) for name in SCORES}
    return {**scores, "images": images, "seconds": seconds, "device": str(device)}
