"""Which layers suffer from INT8: the network in float32 with one layer at a time quantised.

Quantisation is simulated in PyTorch, so that a layer's figure is the same for every program: its
weights signed and symmetric per output channel, its input unsigned with the range between the
least and the greatest value that the images give.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lit_effnet.deploy.agreement import agreement, median_snr
from lit_effnet.deploy.layers import inside

STEPS = 255  # between the least and the greatest of 8 bits
LARGEST = 127  # of signed 8 bits, symmetric

Range = tuple[float, float]


@dataclass(frozen=True)
class Sensitivity:
    """What is left of the logits where one part is in INT8.

    Args:
        name: The layer or the block.
        layers: The layers that were quantised.
        snr_db: The median image's signal-to-noise ratio; null where nothing changed.
        agreement: Part of the images whose first class stayed.
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
    """The parts, each quantised alone, from the most sensitive on.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits, in evaluation mode, on the CPU.
        batches: Training images, on which ranges are found and logits compared.
        parts: Names of layers by the name of the part.
        done: Is told of each part, for a progress bar.
    """
    with torch.inference_mode():
        reference, ranges = _logits_and_ranges(network, batches)
        found = []
        for name, layers in parts.items():
            with quantised(network, {layer: ranges[layer] for layer in layers}):
                logits = torch.cat([network(images) for images in batches])
            snr = median_snr(logits, reference)
            found.append(Sensitivity(name, tuple(layers), snr, agreement(logits, reference)))
            done(1)
    return sorted(found, key=lambda part: float("inf") if part.snr_db is None else part.snr_db)


def worst(found: Sequence[Sensitivity], count: int, besides: Sequence[str] = ()) -> list[str]:
    """Names of the most sensitive parts that are not in the modules `besides`."""
    return [part.name for part in found if not inside(part.name, besides)][:count]


def quantised_weights(weights: Tensor) -> Tensor:
    """Weights `[K, ...]` rounded to 255 steps, symmetric, each output channel with its own scale.

    A channel of zeros stays as it is.
    """
    axes = tuple(range(1, weights.ndim))
    scale = weights.abs().amax(axes, keepdim=True) / LARGEST
    scale = torch.where(scale > 0, scale, torch.ones_like(scale))
    return (weights / scale).round().clamp(-LARGEST, LARGEST) * scale


def quantised_values(values: Tensor, extent: Range) -> Tensor:
    """Values of any shape rounded to 256 steps of a range that is widened to hold zero."""
    low, high = min(extent[0], 0.0), max(extent[1], 0.0)
    scale = (high - low) / STEPS or 1.0
    zero = round(-low / scale)
    return ((values / scale).round().add(zero).clamp(0, STEPS) - zero) * scale


@contextmanager
def quantised(network: nn.Module, ranges: Mapping[str, Range]) -> Iterator[None]:
    """While it lasts, layers round their weights and inputs; then all is as it was.

    Args:
        network: Whose layers.
        ranges: The least and greatest value of each layer's input by its name.
    """
    with ExitStack() as undo, torch.no_grad():
        for name, extent in ranges.items():
            layer: Any = network.get_submodule(name)
            kept = layer.weight.data
            layer.weight.data = quantised_weights(kept)
            undo.callback(setattr, layer.weight, "data", kept)
            hook = layer.register_forward_pre_hook(
                lambda _, inputs, extent=extent: (quantised_values(inputs[0], extent),)
            )
            undo.callback(hook.remove)
        yield


def _logits_and_ranges(
    network: nn.Module, batches: Sequence[Tensor]
) -> tuple[Tensor, dict[str, Range]]:
    ranges: dict[str, Range] = {}

    def look(name: str, values: Tensor) -> None:
        low, high = (float(value) for value in values.aminmax())
        if name in ranges:
            low, high = min(low, ranges[name][0]), max(high, ranges[name][1])
        ranges[name] = low, high

    with ExitStack() as undo:
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                hook = module.register_forward_pre_hook(
                    lambda _, inputs, name=name: look(name, inputs[0])
                )
                undo.callback(hook.remove)
        logits = torch.cat([network(images) for images in batches])
    return logits, ranges
