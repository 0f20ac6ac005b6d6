"""The depthwise convolution against `nn.Conv2d`: same values, same gradients, same module."""

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from lit_effnet.network.depthwise import DepthwiseConv2d, FastGradients

CHANNELS = 16
EPSILON = torch.finfo(torch.bfloat16).eps

shapes = pytest.mark.parametrize(
    ("kernel", "stride", "padding", "height", "width"),
    [
        (kernel, stride, padding, 15, width)
        for kernel in (3, 5)
        for stride in (1, 2)
        for padding in (kernel // 2, 0)
        for width in (15, 12)
    ]
    + [(7, 3, 3, 17, 13), (1, 2, 0, 9, 8), (4, 2, 1, 9, 8)],
)


def layers(
    kernel: int, stride: int = 1, padding: int = 0, bias: bool = False
) -> tuple[nn.Conv2d, nn.Conv2d]:
    """The ordinary layer and ours with its weights, which bfloat16 holds exactly."""
    torch.manual_seed(0)
    arguments = (CHANNELS, CHANNELS, kernel, stride, padding, 1, CHANNELS, bias)
    ordinary, ours = nn.Conv2d(*arguments), DepthwiseConv2d(*arguments)
    ordinary.load_state_dict({k: v.bfloat16().float() for k, v in ordinary.state_dict().items()})
    ours.load_state_dict(ordinary.state_dict())
    return ordinary, ours


def image(height: int = 15, width: int = 12, dtype: torch.dtype = torch.float32) -> Tensor:
    torch.manual_seed(1)
    x = torch.randn(3, CHANNELS, height, width).bfloat16().to(dtype)
    return x.to(memory_format=torch.channels_last)


def run(layer: nn.Module, x: Tensor, autocast: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Output and gradients of input and weight, for one fixed gradient of the output."""
    x = x.clone().requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        y = layer(x)
    torch.manual_seed(2)
    seed = torch.randn(y.shape).bfloat16().to(y.dtype)
    return y.detach(), *torch.autograd.grad(y, (x, layer.weight), seed)


def assert_rounded(actual: Tensor, exact: Tensor) -> None:
    """Equal within two roundings to bfloat16 of the largest value."""
    assert actual.shape == exact.shape
    assert (actual.double() - exact.double()).abs().max() <= EPSILON * exact.abs().max()


@shapes
def test_bfloat16_output_and_gradients(kernel, stride, padding, height, width):
    ordinary, ours = layers(kernel, stride, padding)
    x = image(height, width)
    exact = run(ordinary, x, autocast=False)
    results = run(ours, x, autocast=True)
    assert results[0].dtype == torch.bfloat16
    assert torch.equal(results[0], run(ordinary, x, autocast=True)[0])
    for actual, expected in zip(results, exact, strict=True):
        assert_rounded(actual, expected)


@shapes
def test_the_formulas_are_exact_in_float64(kernel, stride, padding, height, width):
    x = image(height, width, torch.float64).requires_grad_()
    weight = layers(kernel)[0].weight.detach().double().requires_grad_()
    ordinary = nn.functional.conv2d(x, weight, None, stride, padding, groups=CHANNELS)
    ours = FastGradients.apply(x, weight, (stride, stride), (padding, padding))
    seed = torch.randn_like(ordinary)
    for actual, expected in zip(
        torch.autograd.grad(ours, (x, weight), seed),
        torch.autograd.grad(ordinary, (x, weight), seed),
        strict=True,
    ):
        torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)


def test_the_layout_of_the_input_changes_nothing():
    _, ours = layers(5, 2, 2)
    x = image()
    for actual, expected in zip(
        run(ours, x.contiguous(), autocast=True), run(ours, x, autocast=True), strict=True
    ):
        assert torch.equal(actual, expected)


@pytest.mark.parametrize("stride", [1, 2])
def test_second_order_gradients(stride):
    x = torch.randn(1, 2, 5, 6, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(2, 1, 5, 5, dtype=torch.float64, requires_grad=True)
    arguments = (x, weight, (stride, stride), (2, 2))
    assert torch.autograd.gradcheck(FastGradients.apply, arguments)
    assert torch.autograd.gradgradcheck(FastGradients.apply, arguments)


@pytest.mark.parametrize(
    ("dtype", "autocast"),
    [(torch.float32, False), (torch.float64, False), (torch.float64, True)],
)
def test_other_precisions_are_the_ordinary_layer(dtype, autocast):
    ordinary, ours = (layer.to(dtype) for layer in layers(5, 2, 2))
    x = image(dtype=dtype)
    for actual, expected in zip(run(ours, x, autocast), run(ordinary, x, autocast), strict=True):
        assert actual.dtype == dtype
        assert torch.equal(actual, expected)


def test_a_bias_is_the_ordinary_layer():
    ordinary, ours = layers(3, 1, 1, bias=True)
    for actual, expected in zip(
        run(ours, image(), autocast=True), run(ordinary, image(), autocast=True), strict=True
    ):
        assert torch.equal(actual, expected)


def test_per_sample_gradients():
    _, ours = layers(5, 2, 2)
    x = image()

    def loss(parameters: dict[str, Tensor], sample: Tensor) -> Tensor:
        return functional_call(ours, parameters, sample[None]).float().square().sum()

    parameters = {"weight": ours.weight.detach()}
    with torch.autocast("cpu", torch.bfloat16):
        per_sample = vmap(torch.func.grad(loss), (None, 0))(parameters, x)["weight"]
        whole = torch.func.grad(lambda p: functional_call(ours, p, x).float().square().sum())(
            parameters
        )["weight"]
    assert_rounded(per_sample.sum(0), whole)


def test_only_the_weight_needs_a_gradient():
    _, ours = layers(5, 2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        ours(image()).float().sum().backward()
    assert ours.weight.grad is not None
    assert ours.weight.grad.dtype == torch.float32


def test_it_is_found_copied_and_exported():
    _, ours = layers(5, 2, 2)
    assert isinstance(ours, nn.Conv2d)
    assert list(ours.state_dict()) == ["weight"]
    x = image()
    assert torch.equal(copy.deepcopy(ours)(x), ours(x))
    exported = torch.export.export(ours.eval(), (x,))
    assert torch.equal(exported.module()(x), ours(x))
    assert "torch.ops.aten.conv2d.default" in exported.graph_module.code
