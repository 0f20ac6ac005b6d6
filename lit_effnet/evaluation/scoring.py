"""Score a network on batches of images."""

import time
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from lit_effnet.evaluation.predictions import Predictions
from lit_effnet.evaluation.row import Scores
from lit_effnet.metrics.classification import classification_metrics


def score(
    network: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    num_classes: int,
    progress: Callable[[int], object] = lambda images: None,
    predictions: Predictions | None = None,
) -> Scores:
    """Return top-1, top-5, class-mean top-1 and calibration error (15 bins).

    The network runs in evaluation mode; its own mode is restored afterwards.

    Args:
        network: Maps images `float32 [N, 3, H, W]` to logits `[N, num_classes]`, on its device.
        batches: Images and labels `int64 [N]`.
        num_classes: Number of classes.
        progress: Called with the number of images of each batch.
        predictions: Collects the prediction for each image.

    Raises:
        ValueError: logits are not finite.
    """
    # A network that another program runs has no parameters of torch's.
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
                # torchmetrics would take logits that lie between 0 and 1 for probabilities.
                probabilities, true = logits.softmax(1), labels.to(device)
                metrics.update(probabilities, true)
                if predictions is not None:
                    predictions.add(probabilities, true)
                images += len(labels)
                progress(len(labels))
    finally:
        network.train(training)
    seconds = round(time.perf_counter() - began, 3)
    computed = metrics.compute()
    return Scores(
        top1=float(computed["top1"]),
        top5=float(computed["top5"]),
        top1_macro=float(computed["top1_macro"]),
        calibration_error=float(computed["calibration_error"]),
        images=images,
        seconds=seconds,
        device=str(device),
    )
