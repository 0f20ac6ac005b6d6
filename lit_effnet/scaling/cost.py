"""Complexity of an EfficientNet at any scaling, counted without building it.

The numbers equal those of `network.complexity` on the built network (tested). That function takes
any module and a tenth of a second; this one is for searches over hundreds of scalings.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from lit_effnet.scaling.compound import HEAD_CHANNELS, STEM_CHANNELS, Scaling

Measure = Literal["macs", "params", "activations"]


@dataclass(frozen=True)
class Complexity:
    """Cost of one image through a network.

    Args:
        params: Trainable and frozen parameters, without batch norm's running statistics.
        macs: Multiply-adds of convolutions and matrix products (a paper's "FLOPs" for a CNN), which
            is half of torch's FlopCounterMode. Biases, norms, activations and pooling do not count.
        activations: Elements of all outputs of convolutions and linear layers (Dollar et al. 2021;
            Radosavovic et al. 2020), which predict run time better than MACs do.
    """

    params: int
    macs: int
    activations: int

    def __str__(self) -> str:
        return (
            f"{self.params / 1e6:.2f} M parameters, {self.macs / 1e6:,.1f} M MACs, "
            f"{self.activations / 1e6:.2f} M activations"
        )


@dataclass
class _Count:
    """Sums over layers; `side` is the side of the next layer's square input map."""

    side: int
    params: int = 0
    macs: int = 0
    activations: int = 0

    def convolution(
        self, weights: int, channels: int, *, stride: int = 1, pooled: bool = False
    ) -> None:
        """Add a convolution with the given numbers of weights and output channels."""
        self.side = -(-self.side // stride)
        pixels = 1 if pooled else self.side**2
        self.params += weights + (channels if pooled else 2 * channels)  # biases, or batch norm
        self.macs += weights * pixels
        self.activations += channels * pixels


@lru_cache(maxsize=4096)
def count(
    scaling: Scaling,
    image_size: int,
    num_classes: int = 1000,
    *,
    se_ratio: float = 0.25,
    lite: bool = False,
) -> Complexity:
    """Count the complexity of `EfficientNet(scaling, num_classes, ...)` on one image.

    Args:
        scaling: Depth and width multipliers.
        image_size: Side of the image in pixels, with the resolution multiplier applied.
        num_classes: Number of classes.
        se_ratio: Squeezed channels over the block's input channels; 0 for no gate.
        lite: Whether stem, head and the depth of the first and last stage are unscaled.
    """
    stem = STEM_CHANNELS if lite else scaling.channels(STEM_CHANNELS)
    head = HEAD_CHANNELS if lite else scaling.channels(HEAD_CHANNELS)
    total = _Count(image_size)
    total.convolution(3 * 3 * 3 * stem, stem, stride=2)
    channels = stem
    for stage in scaling.stages(fix_first_last=lite):
        for repeat in range(stage.repeats):
            expanded = channels * stage.expand_ratio
            if stage.expand_ratio != 1:
                total.convolution(channels * expanded, expanded)
            stride = stage.stride if repeat == 0 else 1
            total.convolution(stage.kernel_size**2 * expanded, expanded, stride=stride)
            if se_ratio > 0:
                squeezed = max(1, int(channels * se_ratio))
                total.convolution(expanded * squeezed, squeezed, pooled=True)
                total.convolution(squeezed * expanded, expanded, pooled=True)
            total.convolution(expanded * stage.channels, stage.channels)
            channels = stage.channels
    total.convolution(channels * head, head)
    total.convolution(head * num_classes, num_classes, pooled=True)
    return Complexity(total.params, total.macs, total.activations)
