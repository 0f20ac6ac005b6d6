"""What an EfficientNet of any scaling costs, counted from its plan without building it.

The numbers are those of `network.complexity` on the built network, to the unit (tested): that one
knows any module and takes a tenth of a second, this one is for searches over hundreds of scalings.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from lit_effnet.scaling.compound import HEAD_CHANNELS, STEM_CHANNELS, Scaling

Measure = Literal["macs", "params", "activations"]


@dataclass(frozen=True)
class Complexity:
    """Cost of one image through a network.

    `params` counts trainable and frozen parameters, not batch norm's running statistics.
    `macs` are multiply-adds of convolutions and matrix products (a paper's "FLOPs" for a CNN):
    half of what torch's FlopCounterMode counts; biases, norms, activations and pooling are
    left out. `activations` are the elements of all outputs of convolutions and linear layers
    (Dollar et al. 2021; Radosavovic et al. 2020), which follow run time better than MACs do.
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
    """Sums over layers; `side` is the side of the square map that the next layer reads."""

    side: int
    params: int = 0
    macs: int = 0
    activations: int = 0

    def convolution(
        self, weights: int, channels: int, *, stride: int = 1, pooled: bool = False
    ) -> None:
        """A convolution of so many weights to so many channels."""
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
    """Complexity of `EfficientNet(scaling, num_classes, ...)` on one image of `image_size` pixels.

    The resolution of `scaling` is in `image_size` already.
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
