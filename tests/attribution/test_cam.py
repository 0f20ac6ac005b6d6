"""Class activation maps are grad-cam's, leave the network as it was, and hold no memory."""

import gc
import resource
from pathlib import Path

import numpy as np
import pytest
import pytorch_grad_cam
import torch
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import nn

from lit_effnet.attribution.cam import METHODS, LayerOutput, class_activation_maps, explaining
from lit_effnet.network.feature_layers import last_map
from lit_effnet.network.registry import build
from lit_effnet.scaling.compound import Scaling

IMAGES = torch.randn(3, 3, 64, 64, generator=torch.Generator().manual_seed(0))
CLASSES = [0, 3, 4]


def network_named(name: str = "efficientnet") -> nn.Module:
    torch.manual_seed(0)
    network = build(name, Scaling(0.5, 0.25) if name == "efficientnet" else None, 5)
    for module in network.modules():  # as after some training
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.5)
        if isinstance(module, nn.Linear):
            module.weight.data.abs_()  # no map is empty
    return network.eval()


def plain(network: nn.Module, method: str) -> np.ndarray:
    """As grad-cam's README does it."""
    with getattr(pytorch_grad_cam, METHODS[method])(network, [last_map(network)]) as cam:
        return cam(IMAGES, [ClassifierOutputTarget(label) for label in CLASSES])


@pytest.mark.parametrize(
    "name", ["efficientnet", "resnet50", "densenet201", "mobilenetv2", "mobilenetv3_large"]
)
def test_maps_equal_grad_cams_own(name: str) -> None:
    network = network_named(name)
    found = class_activation_maps(network, IMAGES, CLASSES)
    assert found.shape == (3, 64, 64)
    assert np.allclose(found, plain(network, "gradcam"), atol=1e-5)
    assert np.ptp(found) > 0.5


@pytest.mark.parametrize("method", [m for m in METHODS if m not in ("scorecam", "ablationcam")])
def test_every_method_gives_grad_cams_map(method: str) -> None:
    network = network_named()
    found = class_activation_maps(network, IMAGES, CLASSES, method)
    assert np.allclose(found, plain(network, method), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["scorecam", "ablationcam"])
def test_the_methods_of_many_passes_give_grad_cams_map(method: str) -> None:
    network = network_named()
    found = class_activation_maps(network, IMAGES, CLASSES, method)
    assert np.allclose(found, plain(network, method), atol=1e-5)


def test_a_grad_cam_behind_global_pooling_is_the_papers_class_activation_map() -> None:
    """Zhou et al. 2016: the classifier's weights over the last map."""
    network = network_named()
    with torch.no_grad():
        maps = network.head(network.stages(network.stem(IMAGES)))
        weighted = torch.einsum("nchw,nc->nhw", maps, network.classifier.weight[CLASSES]).relu()
    low, high = (f(weighted.flatten(1), dim=1)[:, None, None] for f in (torch.amin, torch.amax))
    expected = (weighted - low) / (high - low)
    assert expected.isfinite().all()
    assert np.allclose(
        class_activation_maps(network, IMAGES, CLASSES, size=2), expected.numpy(), atol=1e-4
    )


def test_maps_come_in_one_size_whatever_the_networks() -> None:
    network = network_named()
    assert class_activation_maps(network, IMAGES, CLASSES, size=96).shape == (3, 96, 96)
    assert class_activation_maps(network, IMAGES[..., :48, :48], CLASSES, size=96).shape[1:] == (
        96,
        96,
    )


@pytest.mark.parametrize("fails", [False, True])
def test_the_network_is_left_as_it_was(fails: bool) -> None:
    network = network_named().train()
    network.stem.eval()
    for parameter in network.head.parameters():
        parameter.requires_grad_(False)
    modes = [module.training for module in network.modules()]
    trained = [parameter.requires_grad for parameter in network.parameters()]
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    try:
        with explaining(network) as explainer:
            explainer(IMAGES, CLASSES)
            if fails:
                raise IndexError
    except IndexError:
        assert fails  # grad-cam would have kept it to itself
    assert [module.training for module in network.modules()] == modes
    assert [parameter.requires_grad for parameter in network.parameters()] == trained
    assert not any(module._forward_hooks for module in network.modules())
    assert all(torch.equal(before[key], tensor) for key, tensor in network.state_dict().items())
    assert torch.is_grad_enabled()


@pytest.mark.parametrize(("method", "passes"), [("gradcam", 1), ("ablationcam", 2)])
def test_a_method_that_breaks_off_leaves_the_network_whole(method: str, passes: int) -> None:
    network = network_named()
    head, gradient = network.head, torch.ones_like(network.classifier.bias)
    network.classifier.bias.grad = gradient
    calls: list[int] = []

    def fail_in_time(*_: object) -> None:
        calls.append(1)
        if len(calls) == passes:
            raise ZeroDivisionError

    failing = network.classifier.register_forward_hook(fail_in_time)
    with pytest.raises(ZeroDivisionError):
        class_activation_maps(network, IMAGES, CLASSES, method)
    failing.remove()
    assert network.head is head
    assert network.classifier.bias.grad is gradient
    assert not any(module._forward_hooks for module in network.modules())


def test_frozen_weights_give_the_same_maps() -> None:
    network = network_named()
    free = class_activation_maps(network, IMAGES, CLASSES)
    assert np.array_equal(
        class_activation_maps(network.requires_grad_(False), IMAGES, CLASSES), free
    )
    with torch.no_grad():
        assert np.array_equal(class_activation_maps(network, IMAGES, CLASSES), free)


class Overwriting(nn.Module):
    """Works in place on what its layer gave, as torchvision's residual blocks do."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3)
        self.classifier = nn.Linear(4, 5)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.layer(images)
        maps.mul_(0).add_(1)
        return self.classifier(maps.mean((2, 3)))


def test_the_kept_map_is_that_of_a_clean_forward_whatever_comes_after() -> None:
    network = Overwriting().eval().requires_grad_(False)
    kept = LayerOutput(network, network.layer)
    kept(IMAGES)
    with torch.no_grad():
        assert torch.equal(kept.activations[0], network.layer(IMAGES))
    kept.release()


def test_our_own_in_place_layers_do_not_change_what_was_kept() -> None:
    network = network_named().requires_grad_(False)
    block = network.stages[1][0]
    for layer in (network.stem, block.expand, block.depthwise, network.stages[1], network.head):
        kept = LayerOutput(network, layer)
        logits = kept(IMAGES)
        kept.release()
        clean: list[torch.Tensor] = []
        handle = layer.register_forward_hook(lambda m, i, output, c=clean: c.append(output + 0))
        expected = network(IMAGES)  # with gradients enabled nothing works in place
        handle.remove()
        assert torch.allclose(logits, expected, atol=1e-5)
        again = LayerOutput(network, layer)
        again(IMAGES)
        assert torch.allclose(again.activations[0], clean[0], atol=1e-5)
        again.release()


def resident() -> int:
    """Bytes of memory that the process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


@pytest.mark.parametrize("method", ["gradcam", pytest.param("layercam", marks=pytest.mark.slow)])
def test_many_images_leave_no_memory_behind(method: str) -> None:
    network = network_named()
    image = torch.randn(1, 3, 32, 32)

    def tensors() -> int:
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    with explaining(network, method) as explainer:
        for _ in range(50):  # until the allocators have what they want
            explainer(image, [0])
        before, bytes_before = tensors(), resident()
        for index in range(300):
            explainer(image, [index % 5])
        assert tensors() <= before
        # A kept graph or map of each image would be some 30 kB.
        assert resident() - bytes_before < 300 * 10_000
    for _ in range(20):
        class_activation_maps(network, image, [0])
    assert tensors() <= before


def test_an_unknown_method_is_told_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"method 'grad': must be one of gradcam, gradcam\+\+"):
        class_activation_maps(network_named(), IMAGES, CLASSES, "grad")
