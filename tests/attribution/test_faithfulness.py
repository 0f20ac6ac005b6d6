"""Numbers for maps follow their papers' definitions."""

import numpy as np
import pytest
import torch
from pytorch_grad_cam.metrics.road import ROADCombined
from pytorch_grad_cam.utils.model_targets import ClassifierOutputSoftmaxTarget
from scipy.stats import spearmanr
from torch import nn
from torchvision.transforms.functional import gaussian_blur

from lit_effnet.attribution.cam import class_activation_maps
from lit_effnet.attribution.faithfulness import deletion, insertion, randomisation, road
from lit_effnet.network.efficientnet import initialise
from lit_effnet.network.registry import build
from tests.attribution.test_cam import CLASSES, IMAGES, network_named


class Quadrant(nn.Module):
    """Class k has the mean of quadrant k's first channel for a logit."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        half = images.shape[-1] // 2
        red = images[:, 0]
        parts = (red[:, :half, :half], red[:, :half, half:], red[:, half:, :half])
        return 5 * torch.stack([part.mean((1, 2)) for part in parts], dim=1)


def literal(network: nn.Module, image: torch.Tensor, saliency: np.ndarray, label: int, mode: str):
    """RISE's evaluation, step by step: a row of pixels at a time."""
    side = image.shape[-1]
    start, finish = image.clone(), torch.zeros_like(image)
    if mode == "insertion":
        sigma = 5 * side / 224  # RISE's 5 pixels at 224
        start, finish = gaussian_blur(image, [3, 3], [sigma, sigma]), image.clone()
    order = np.argsort(-saliency.reshape(-1), kind="stable")
    scores = []
    for step in range(side + 1):
        with torch.no_grad():
            scores.append(torch.softmax(network(start[None]), 1)[0, label].item())
        coordinates = order[side * step : side * (step + 1)]
        flat, source = start.reshape(3, -1), finish.reshape(3, -1)
        flat[:, coordinates] = source[:, coordinates]
        start = flat.reshape(image.shape)
    values = np.array(scores)
    return (values.sum() - values[0] / 2 - values[-1] / 2) / side


@pytest.mark.parametrize(("mode", "measure"), [("deletion", deletion), ("insertion", insertion)])
def test_the_areas_are_those_of_the_literal_procedure(mode: str, measure) -> None:
    network, maps = network_named(), np.random.default_rng(0).random((3, 64, 64), np.float32)
    found = measure(network, IMAGES, maps, CLASSES, steps=64)
    expected = [
        literal(network, IMAGES[i], maps[i], label, mode) for i, label in enumerate(CLASSES)
    ]
    assert found == pytest.approx(expected, abs=1e-5)


def test_a_map_that_points_at_the_evidence_is_better_than_one_that_points_away() -> None:
    images = torch.zeros(1, 3, 32, 32)
    images[:, 0, :16, :16] = 1
    right = np.zeros((1, 32, 32), np.float32)
    right[:, :16, :16] = 1
    network = Quadrant()
    assert deletion(network, images, right, [0]) < deletion(network, images, 1 - right, [0]) - 0.1
    assert insertion(network, images, right, [0]) >= insertion(network, images, 1 - right, [0])


def test_road_is_grad_cams_and_repeats() -> None:
    network = network_named()
    maps = class_activation_maps(network, IMAGES, CLASSES)
    torch.manual_seed(3)
    targets = [ClassifierOutputSoftmaxTarget(label) for label in CLASSES]
    expected = ROADCombined(percentiles=[20, 80])(IMAGES, maps, targets, network)
    state = torch.random.get_rng_state()
    found = road(network, IMAGES, maps, CLASSES, percentiles=(20, 80), seed=3)
    assert found == pytest.approx(expected, abs=1e-6)
    assert torch.equal(torch.random.get_rng_state(), state)


@pytest.mark.parametrize("name", ["efficientnet", "mobilenetv2"])
def test_randomisation_goes_from_the_classifier_to_the_stem_and_leaves_the_network(
    name: str,
) -> None:
    network = network_named(name)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    found = randomisation(network, IMAGES, CLASSES)
    assert next(iter(found)) == "classifier"
    assert list(found)[-1] in ("stem", "conv_stem")
    assert all(np.nanmax(np.abs(values)) <= 1 for values in found.values())
    assert all(torch.equal(before[key], tensor) for key, tensor in network.state_dict().items())
    again = randomisation(network, IMAGES, CLASSES)
    assert all(np.array_equal(found[part], again[part], equal_nan=True) for part in found)


def test_the_correlation_of_randomisation_is_spearmans() -> None:
    network, other = network_named(), network_named()
    found = randomisation(network, IMAGES, CLASSES, seed=1)["classifier"]
    torch.manual_seed(1)
    other.classifier.reset_parameters()
    initialise(other.classifier)
    pairs = zip(
        class_activation_maps(network, IMAGES, CLASSES),
        class_activation_maps(other, IMAGES, CLASSES),
        strict=True,
    )
    expected = [
        spearmanr(a.ravel(), b.ravel()).statistic if np.ptp(b) else np.nan for a, b in pairs
    ]
    assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)
    assert np.isfinite(found).any()


def test_a_method_that_looks_at_the_image_alone_does_not_pass_the_check() -> None:
    """The map of an untrained network's edges stays; the check is there to tell."""
    images = torch.zeros(1, 3, 64, 64)
    images[:, :, 16:48, 16:48] = 2
    network = build("efficientnet", num_classes=5).eval()
    eigen = randomisation(network, images, [0], "eigencam")["classifier"]
    assert eigen == pytest.approx([1.0])  # Eigen-CAM takes no notice of the classifier
