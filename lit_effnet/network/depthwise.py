"""Depthwise convolution whose bfloat16 gradients use the CPU's fast kernels.

oneDNN has no fast bfloat16 depthwise gradient of the input for a stride above 1, nor of the weight
for a kernel wider than 3. Its fallback is far slower than the forward pass (see the bf16 training
of the other networks in `benchmarks/network_speed.py`). Here, both gradients are composed of
convolutions that have a fast kernel.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.grad import conv2d_weight

FAST_WIDTH = 3
"""Widest kernel whose weight gradient oneDNN computes fast."""

Pair = tuple[int, int]


class DepthwiseConv2d(nn.Conv2d):
    """Depthwise convolution with fast gradients under bfloat16 autocast on the CPU.

    Everywhere else, and with options that the networks here do not use, it equals `nn.Conv2d`.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Convolve `[N, C, H, W]`."""
        if not (self._is_plain() and _trains_in_bfloat16(x)):
            return super().forward(x)
        # The kernels are fast in this layout only; later layers keep it.
        x = x.bfloat16().contiguous(memory_format=torch.channels_last)
        y: Tensor = FastGradients.apply(x, self.weight.bfloat16(), self.stride, self.padding)
        return y

    def _is_plain(self) -> bool:
        return (
            self.groups == self.in_channels == self.out_channels
            and self.bias is None
            and self.dilation == (1, 1)
            and self.padding_mode == "zeros"
            and not isinstance(self.padding, str)
            and all(side < size for side, size in zip(self.padding, self.kernel_size, strict=True))
        )


class FastGradients(torch.autograd.Function):
    """Depthwise convolution of `[N, C, H, W]` with `[C, 1, k, l]`, and its two gradients."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, weight: Tensor, stride: Pair, padding: Pair) -> Tensor:
        """Convolve as `nn.Conv2d` does."""
        return F.conv2d(x, weight, None, stride, padding, groups=len(weight))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        """Save the inputs of the gradients."""
        x, weight, ctx.stride, ctx.padding = inputs
        ctx.save_for_backward(x, weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        """Return the gradients of input and weight that are needed."""
        arguments = (*ctx.saved_tensors, grad, ctx.stride, ctx.padding)
        needs_input, needs_weight, *_ = ctx.needs_input_grad
        return (
            input_gradient(*arguments) if needs_input else None,
            weight_gradient(*arguments) if needs_weight else None,
            None,
            None,
        )


def input_gradient(x: Tensor, weight: Tensor, grad: Tensor, stride: Pair, padding: Pair) -> Tensor:
    """Return the gradient of the input: `grad`, dilated by the stride, with the flipped kernel."""
    kernel = weight.shape[2:]
    if stride != (1, 1):
        rows, columns = (x.shape[i + 2] + 2 * padding[i] - kernel[i] + 1 for i in (0, 1))
        dilated = x.new_zeros(len(x), rows, columns, x.shape[1]).permute(0, 3, 1, 2)
        dilated[..., :: stride[0], :: stride[1]] = grad
        grad = dilated
    padding = kernel[0] - 1 - padding[0], kernel[1] - 1 - padding[1]
    return F.conv2d(grad, weight.flip(2, 3), None, 1, padding, groups=len(weight))


def weight_gradient(x: Tensor, weight: Tensor, grad: Tensor, stride: Pair, padding: Pair) -> Tensor:
    """Return the gradient of the weight, from vertical strips that are narrow enough to be fast."""
    if weight.shape[3] <= FAST_WIDTH:
        gradient: Tensor = conv2d_weight(  # type: ignore[no-untyped-call]
            x, weight.shape, grad, stride, padding, groups=len(weight)
        )
        return gradient
    strips = []
    for left in range(0, weight.shape[3], FAST_WIDTH):
        strip = weight[..., left : left + FAST_WIDTH]
        # Input columns of this strip, from the first output pixel to the last.
        before = padding[1] - left
        reach = (grad.shape[3] - 1) * stride[1] + strip.shape[3]
        covered = F.pad(x, (before, reach - before - x.shape[3]))
        strips.append(weight_gradient(covered, strip, grad, stride, (padding[0], 0)))
    return torch.cat(strips, 3)


def _trains_in_bfloat16(x: Tensor) -> bool:
    return (
        x.device.type == "cpu"
        and x.dtype != torch.float64  # unchanged by autocast
        and torch.is_grad_enabled()
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
    )
