"""Complexity of any network: parameters, MACs and activations, counted on the built network."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from lit_effnet.scaling.cost import Complexity

LARGEST_INPUT = 2**15  # pixels of a side; four times the largest in use

MATRIX_PRODUCTS = (
    torch.ops.aten.convolution.default,
    torch.ops.aten.addmm.default,
    torch.ops.aten.mm.default,
)

# Costs nothing by our counters, and on the meta device half of the time of a forward pass: torch
# decomposes it into a dozen operations.
BATCH_NORM = torch.ops.aten.native_batch_norm.default


class _OutputElements(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Sum the sizes of what convolutions and matrix products return."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.total = 0

    def __torch_dispatch__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is BATCH_NORM:
            statistics = torch.empty(0, device="meta")
            return torch.empty_like(args[0]), statistics, statistics
        out = func(*args, **(kwargs or {}))
        if func in MATRIX_PRODUCTS:
            self.total += out.numel()
        return out


def complexity(module: nn.Module, input_size: int | tuple[int, int]) -> Complexity:
    """Count the complexity of a module on one image `[1, 3, H, W]`, without computing it.

    Args:
        module: Network; its mode, device and values stay unchanged.
        input_size: H and W in pixels, or one number for both.

    Raises:
        ValueError: the network cannot take an image of that size.
    """
    height, width = (input_size, input_size) if isinstance(input_size, int) else input_size
    state: dict[str, Tensor] = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    shapes = {name: torch.empty_like(tensor, device="meta") for name, tensor in state.items()}
    if max(height, width) > LARGEST_INPUT:
        raise ValueError(f"input size {height} x {width}: must be at most {LARGEST_INPUT:,} pixels")
    image = torch.empty(1, 3, height, width, device="meta", dtype=_image_dtype(module))
    modes = {child: child.training for child in module.modules()}
    module.eval()
    try:
        with torch.no_grad(), FlopCounterMode(display=False) as flops, _OutputElements() as outputs:
            torch.func.functional_call(module, shapes, (image,))
    except RuntimeError as error:
        raise ValueError(f"input size {height} x {width}: the network cannot take it") from error
    finally:
        for child, training in modes.items():
            child.training = training
    params = sum(parameter.numel() for parameter in module.parameters())
    return Complexity(params, flops.get_total_flops() // 2, outputs.total)


def _image_dtype(module: nn.Module) -> torch.dtype:
    floats = (p.dtype for p in module.parameters() if p.is_floating_point())
    return next(floats, torch.get_default_dtype())
