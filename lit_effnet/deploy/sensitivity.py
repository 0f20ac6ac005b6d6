"""Sensitivity of layers to INT8: the float32 network with one layer at a time quantized.

Quantization is simulated in PyTorch, so that the figures do not depend on a runtime: weights are
signed and symmetric per output channel, inputs unsigned between their minimum and maximum over the
images.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lit_effnet.deploy.agreement import agreement, median_snr
from lit_effnet.deploy.layers import is_inside

STEPS = 255  # of unsigned 8 bits
LARGEST = 127  # of symmetric signed 8 bits

Range = tuple[float, float]


@dataclass(frozen=True)
class Sensitivity:
    """Logits with one part in INT8, compared with float32.

    Args:
        name: The layer or block.
        layers: The layers that were quantized.
        snr_db: The median image's signal-to-noise ratio; None where nothing changed.
        agreement: Fraction of images with the same top-1 class.
    """

    name: str
    layers: tuple[str, ...]
    snr_db: float | None
    agreement: float


def sensitivities(
    network: nn.Module,
    batches: Sequence[Tensor],
    parts: Mapping[str, Sequence[str]],
    done: Callable[[int], object] = lambda parts: None,
) -> list[Sensitivity]:
    """Quantize each part alone; return the most sensitive first.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits, in evaluation mode, on the CPU.
        batches: Training images for calibration and for the comparison.
        parts: Names of layers by the name of the part.
        done: Called after each part, for a progress bar.
    """
    with torch.inference_mode():
        reference, ranges = _logits_and_ranges(network, batches)
        result = []
        for name, layers in parts.items():
            with quantized(network, {layer: ranges[layer] for layer in layers}):
                logits = torch.cat([network(images) for images in batches])
            snr = median_snr(logits, reference)
            result.append(Sensitivity(name, tuple(layers), snr, agreement(logits, reference)))
            done(1)
    return sorted(result, key=lambda part: float("inf") if part.snr_db is None else part.snr_db)


def worst_layers(
    parts: Sequence[Sensitivity], count: int, excluded: Sequence[str] = ()
) -> list[str]:
    """Return the names of the most sensitive parts that are not in the modules `excluded`."""
    return [part.name for part in parts if not is_inside(part.name, excluded)][:count]


def quantized_weights(weights: Tensor) -> Tensor:
    """Round weights `[K, ...]` to 255 symmetric steps, with a scale for each output channel.

    A channel of zeros stays unchanged.
    """
    axes = tuple(range(1, weights.ndim))
    scale = weights.abs().amax(axes, keepdim=True) / LARGEST
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    return (weights / scale).round().clamp(-LARGEST, LARGEST) * scale


def quantized_values(values: Tensor, extent: Range) -> Tensor:
    """Round values of any shape to 256 steps of a range, which is widened to contain zero."""
    low, high = min(extent[0], 0.0), max(extent[1], 0.0)
    scale = (high - low) / STEPS or 1.0
    zero = round(-low / scale)
    return ((values / scale).round().add(zero).clamp(0, STEPS) - zero) * scale


@contextmanager
def quantized(network: nn.Module, ranges: Mapping[str, Range]) -> Iterator[None]:
    """Let layers round their weights and inputs; restore them at the end.

    Args:
        network: The network.
        ranges: Minimum and maximum of each layer's input, by the layer's name.
    """
    with ExitStack() as undo, torch.no_grad():
        for name, extent in ranges.items():
            layer: Any = network.get_submodule(name)
            weights = layer.weight.data
            layer.weight.data = quantized_weights(weights)
            undo.callback(setattr, layer.weight, "data", weights)
            hook = layer.register_forward_pre_hook(
                lambda _, inputs, extent=extent: (quantized_values(inputs[0], extent),)
            )
            undo.callback(hook.remove)
        yield


def _logits_and_ranges(
    network: nn.Module, batches: Sequence[Tensor]
) -> tuple[Tensor, dict[str, Range]]:
    ranges: dict[str, Range] = {}

    def update(name: str, values: Tensor) -> None:
        low, high = (float(value) for value in values.aminmax())
        if name in ranges:
            low, high = min(low, ranges[name][0]), max(high, ranges[name][1])
        ranges[name] = low, high

    with ExitStack() as undo:
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                hook = module.register_forward_pre_hook(
                    lambda _, inputs, name=name: update(name, inputs[0])
                )
                undo.callback(hook.remove)
        logits = torch.cat([network(images) for images in batches])
    return logits, ranges
