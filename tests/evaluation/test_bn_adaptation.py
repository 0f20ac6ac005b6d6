"""Batch norm gets the statistics of the images, and nothing else changes."""

import pytest
import torch
from torch import nn

from lit_effnet.evaluation.bn_adaptation import adapted
from lit_effnet.network.registry import build
from lit_effnet.scaling.compound import Scaling


def test_the_first_norm_has_the_mean_statistics_of_the_batches() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).eval()
    sizes = (8, 8, 2)  # the last one is smaller, and counts less
    batches = [(torch.randn(n, 3, 5, 5) * 3 + n, torch.zeros(n)) for n in sizes]
    with torch.no_grad():
        outputs = [network[0](pixels).transpose(0, 1).flatten(1) for pixels, _ in batches]
    found = adapted(network, batches)[1]
    means = sum(n * o.mean(1) for n, o in zip(sizes, outputs, strict=True)) / 18
    variances = sum(n * o.var(1) for n, o in zip(sizes, outputs, strict=True)) / 18
    assert torch.allclose(found.running_mean, means, atol=1e-5)
    assert torch.allclose(found.running_var, variances, atol=1e-4)
    assert torch.equal(network[1].running_mean, torch.zeros(4))


@pytest.mark.parametrize("name", ["efficientnet", "resnet50"])
def test_weights_modes_and_momenta_stay(name: str) -> None:
    scaling = Scaling(0.3, 0.25) if name == "efficientnet" else None
    network = build(name, scaling, 5, dropout=0.5, drop_path_rate=0.5).eval()
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    images = [(torch.randn(6, 3, 64, 64), torch.zeros(6))]
    found = adapted(network, images)
    assert all(torch.equal(before[key], tensor) for key, tensor in network.state_dict().items())
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    for key, tensor in found.state_dict().items():
        assert key.endswith(statistics) or torch.equal(tensor, before[key]), key
    momenta = {m.momentum for m in found.modules() if isinstance(m, nn.BatchNorm2d)}
    assert None not in momenta
    assert not any(module.training for module in found.modules())
    once, twice = adapted(network, images), adapted(network, images)
    assert torch.equal(once(images[0][0]), twice(images[0][0]))  # no dropout in it


def test_what_cannot_be_adapted_is_refused() -> None:
    images = [(torch.randn(1, 3, 5, 5), torch.zeros(1))]
    with pytest.raises(ValueError, match="adapt_batch_norm: the network has no batch norm"):
        adapted(nn.Conv2d(3, 4, 1), images)
    with pytest.raises(ValueError, match="adapt_batch_norm: needs at least two images"):
        adapted(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)), images)
