"""Images with extreme activations do not calibrate."""

import torch

from lit_effnet.deploy.outliers import relative_activations, without_outliers
from tests.deploy.conftest import EfficientNet, Trained


def with_one_loud(network_images: torch.Tensor, index: int, times: float) -> list[torch.Tensor]:
    images = network_images.clone()
    images[index] *= times
    return [*images.split(8)]


def test_the_loud_image_stands_out_and_is_left_out(lite: EfficientNet) -> None:
    quiet = torch.rand(20, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    batches = with_one_loud(quiet, 13, 50)
    scores = relative_activations(lite, batches)
    assert int(scores.argmax()) == 13
    assert scores[13] > 10 * scores.median()
    kept = without_outliers(lite, batches, 0.05)
    assert [len(batch) for batch in kept] == [8, 8, 3]
    others = [index for index in range(20) if index != 13]
    assert torch.equal(torch.cat(kept), quiet[others])


def test_nothing_is_left_out_unless_a_whole_image_is(lite: EfficientNet) -> None:
    batches = [torch.rand(8, 3, 32, 32)]
    for part in (0, 0.1):
        (kept,) = without_outliers(lite, batches, part)
        assert torch.equal(kept, batches[0])


def test_the_network_is_left_as_it_was(photographs: Trained) -> None:
    network, batches = photographs.network, photographs.calibration
    before = [batch.clone() for batch in batches]
    without_outliers(network, batches, 0.25)
    assert not any(module._forward_pre_hooks for module in network.modules())
    assert all(torch.equal(a, b) for a, b in zip(before, batches, strict=True))
