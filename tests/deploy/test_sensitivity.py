"""One layer at a time in simulated INT8."""

import pytest
import torch
from torch import nn

from lit_effnet.deploy.layers import blocks, layers, se_gates
from lit_effnet.deploy.sensitivity import (
    quantized,
    quantized_values,
    quantized_weights,
    sensitivities,
    worst_layers,
)
from lit_effnet.deploy.sensitivity_figure import sensitivity_figure
from lit_effnet.results.figures.files import rendered
from tests.deploy.conftest import Trained


def test_weights_have_255_steps_in_each_channel() -> None:
    torch.manual_seed(0)
    weights = torch.randn(4, 3, 9, 9) * torch.tensor([1.0, 100.0, 1e-3, 0.0]).view(4, 1, 1, 1)
    rounded = quantized_weights(weights)
    steps = weights.abs().amax((1, 2, 3)) / 127
    error = (rounded - weights).abs().amax((1, 2, 3))
    assert (error <= steps / 2 + 1e-7).all()
    assert (error[:3] > 0).all()
    assert torch.equal(rounded[3], weights[3])


@pytest.mark.parametrize("extent", [(-0.28, 6.0), (0.5, 2.0), (-3.0, -1.0), (0.0, 0.0)])
def test_values_have_256_steps_of_a_range_that_holds_zero(extent: tuple[float, float]) -> None:
    values = torch.linspace(*extent, 1001)
    rounded = quantized_values(values, extent)
    low, high = min(extent[0], 0), max(extent[1], 0)
    step = (high - low) / 255
    assert len(rounded.unique()) <= 256
    assert (rounded - values).abs().max() <= step * 1.001
    assert quantized_values(torch.zeros(1), extent).item() == 0
    if high > low:  # what lies outside is cut off
        assert quantized_values(torch.tensor([high + 9]), extent).item() <= high + step


def test_the_network_is_as_it_was_afterwards(photographs: Trained) -> None:
    network, images = photographs.network, photographs.images[:8]
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    with torch.inference_mode():
        logits = network(images)
        with quantized(network, {"stem.0": (-3.0, 3.0)}):
            assert not torch.equal(network(images), logits)
        assert torch.equal(network(images), logits)
    assert all(torch.equal(before[k], tensor) for k, tensor in network.state_dict().items())


def test_a_layer_with_one_outlier_in_its_input_is_the_most_sensitive() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 8, 1), nn.Conv2d(8, 8, 1), nn.Flatten(), nn.Linear(32, 5))
    with torch.no_grad():
        network[0].bias[0] = 3e3  # after which the other seven channels have few steps
        network[1].weight[:, 0] = 0
        network[1].bias.zero_()
    network.eval()
    images = [torch.randn(6, 3, 2, 2), torch.randn(2, 3, 2, 2)]
    done = []
    found = sensitivities(network, images, {name: [name] for name in layers(network)}, done.append)
    assert found[0].name == "1"
    assert [part.snr_db for part in found] == sorted(part.snr_db for part in found)
    assert done == [1, 1, 1]
    assert worst_layers(found, 2, excluded=["1"]) == [part.name for part in found[1:]]


def test_a_block_suffers_more_than_the_layer_in_it_that_suffers_least(photographs: Trained) -> None:
    network, batches = photographs.network, photographs.calibration[:1]
    part = blocks(network)["stages.1.0"]
    alone = sensitivities(network, batches, {name: [name] for name in part})
    (whole,) = sensitivities(network, batches, {"stages.1.0": part})
    assert whole.layers == tuple(part)
    assert whole.snr_db < alone[-1].snr_db
    assert whole.agreement > 0.9


def test_the_figure_has_a_bar_for_each_part_in_the_networks_order(photographs: Trained) -> None:
    network = photographs.network
    names = layers(network)[:7]
    found = sensitivities(network, photographs.calibration[:1], {name: [name] for name in names})
    figure = sensitivity_figure("a $ b $ c", found, names, se_gates(network))
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == names
    lengths = {part.name: part.snr_db for part in found}
    assert [bar.get_width() for bar in axes.patches] == [lengths[name] for name in names]
    colours = {name: bar.get_facecolor() for name, bar in zip(names, axes.patches, strict=True)}
    assert colours["stem.0"] != colours["stages.0.0.se.reduce"]
    assert set(rendered(figure)) == {"png", "svg"}
