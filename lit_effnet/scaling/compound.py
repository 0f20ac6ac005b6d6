"""Compound scaling, section 3 of the EfficientNet paper, in pure Python.

Tan and Le 2019, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
arXiv 1905.11946 v5. Depth multiplies the number of blocks in a stage, width the channels and
resolution the side of the image; `compound` raises all three with one coefficient phi.
"""

import math
import warnings
from dataclasses import dataclass
from typing import Literal, get_args

Rounding = Literal["ceil", "round"]
Axis = Literal["depth", "width", "resolution"]

BASE_IMAGE_SIZE = 224
STEM_CHANNELS = 32
HEAD_CHANNELS = 1280
CHANNEL_DIVISOR = 8

# Paper section 4: the grid search at phi = 1.
ALPHA, BETA, GAMMA = 1.2, 1.1, 1.15

# Larger multipliers give thousands of layers; the largest published one is 5.3 (L2).
LARGEST_MULTIPLIER = 64.0


@dataclass(frozen=True)
class Stage:
    """A stage of MBConv blocks; only its first block has the stride."""

    kernel_size: int
    stride: int
    expand_ratio: int
    channels: int
    repeats: int


# Paper Table 1, EfficientNet-B0; strides and expansion from the released block strings.
B0_STAGES = (
    Stage(kernel_size=3, stride=1, expand_ratio=1, channels=16, repeats=1),
    Stage(kernel_size=3, stride=2, expand_ratio=6, channels=24, repeats=2),
    Stage(kernel_size=5, stride=2, expand_ratio=6, channels=40, repeats=2),
    Stage(kernel_size=3, stride=2, expand_ratio=6, channels=80, repeats=3),
    Stage(kernel_size=5, stride=1, expand_ratio=6, channels=112, repeats=3),
    Stage(kernel_size=5, stride=2, expand_ratio=6, channels=192, repeats=4),
    Stage(kernel_size=3, stride=1, expand_ratio=6, channels=320, repeats=1),
)


def round_channels(channels: int, width: float) -> int:
    """Return channels scaled by `width`: a multiple of 8, at least 90 % of the exact value.

    Source: `round_filters` of the released code (tensorflow/tpu, efficientnet_model.py).
    """
    exact = channels * width
    rounded = max(CHANNEL_DIVISOR, int(exact + CHANNEL_DIVISOR / 2) // CHANNEL_DIVISOR * 8)
    return rounded + CHANNEL_DIVISOR if rounded < 0.9 * exact else rounded


def round_repeats(repeats: int, depth: float, rounding: Rounding = "ceil") -> int:
    """Return the blocks of a stage scaled by `depth`; `ceil` as released, `round` as in pycls.

    With `ceil`, any depth above 1 adds a block to every stage at once. With `round` (half to even,
    at least one block), the stages grow one after the other.
    """
    if rounding == "ceil":
        return math.ceil(depth * repeats)
    return max(1, round(depth * repeats))


@dataclass(frozen=True)
class Scaling:
    """Depth, width and resolution multipliers (d, w, r) relative to B0, and the depth rounding.

    Raises:
        ValueError: a multiplier that is not above 0 and at most 64, or an unknown rounding.
    """

    depth: float = 1.0
    width: float = 1.0
    resolution: float = 1.0
    rounding: Rounding = "ceil"

    def __post_init__(self) -> None:
        for axis in get_args(Axis):
            _check_multiplier(axis, getattr(self, axis))
        if self.rounding not in get_args(Rounding):
            raise ValueError(f"rounding {self.rounding!r}: must be 'ceil' or 'round'")

    def image_size(self, base: int = BASE_IMAGE_SIZE) -> int:
        """Return the side of the square input in pixels; resolution 1 means `base` pixels."""
        return max(1, round(base * self.resolution))

    def channels(self, channels: int) -> int:
        """Return channels after width scaling, see `round_channels`."""
        return round_channels(channels, self.width)

    def stages(self, fix_first_last: bool = False) -> tuple[Stage, ...]:
        """Return B0's stages, scaled; `fix_first_last` keeps the depth of both ends (Lite)."""
        ends = (0, len(B0_STAGES) - 1) if fix_first_last else ()
        return tuple(
            Stage(
                stage.kernel_size,
                stage.stride,
                stage.expand_ratio,
                self.channels(stage.channels),
                stage.repeats
                if index in ends
                else round_repeats(stage.repeats, self.depth, self.rounding),
            )
            for index, stage in enumerate(B0_STAGES)
        )


def single_axis(axis: Axis, multiplier: float, rounding: Rounding = "ceil") -> Scaling:
    """Return a scaling along one axis, with the other two at 1.

    Raises:
        ValueError: an axis other than depth, width and resolution, or a bad multiplier.
    """
    if axis not in get_args(Axis):
        raise ValueError(f"axis {axis!r}: must be one of {', '.join(get_args(Axis))}")
    depth, width, resolution = (multiplier if axis == a else 1.0 for a in get_args(Axis))
    return Scaling(depth, width, resolution, rounding)


def compound(
    phi: float,
    alpha: float = ALPHA,
    beta: float = BETA,
    gamma: float = GAMMA,
    rounding: Rounding = "ceil",
) -> Scaling:
    """Return the compound scaling of equation 3: d = alpha^phi, w = beta^phi, r = gamma^phi.

    A negative phi gives networks smaller than B0. Warns if alpha * beta^2 * gamma^2 differs from 2
    by more than 10 %, since a step of phi then does not double the cost.

    Raises:
        ValueError: phi not finite, or alpha, beta or gamma below 1.
    """
    if not math.isfinite(phi):
        raise ValueError(f"phi {phi}: must be a finite number")
    for name, value in (("alpha", alpha), ("beta", beta), ("gamma", gamma)):
        if not (math.isfinite(value) and value >= 1):
            raise ValueError(f"{name} {value}: must be a finite number of at least 1 (equation 3)")
    growth = alpha * beta**2 * gamma**2
    if abs(growth - 2) > 0.2:
        warnings.warn(
            f"alpha * beta^2 * gamma^2 is {growth:.3f}, not about 2: "
            "a step of phi will not double the cost",
            stacklevel=2,
        )
    try:
        return Scaling(alpha**phi, beta**phi, gamma**phi, rounding)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"phi {phi}: the multipliers it gives are out of range") from error


@dataclass(frozen=True)
class Variant:
    """A released network: multipliers, image size in pixels and dropout rate."""

    width: float
    depth: float
    image_size: int
    dropout: float

    @property
    def scaling(self) -> Scaling:
        """Multipliers of the variant, which were set by hand and lie on no phi curve."""
        return Scaling(self.depth, self.width, self.image_size / BASE_IMAGE_SIZE)


# Released coefficients: tensorflow/tpu, efficientnet_builder.py.
VARIANTS = {
    "b0": Variant(width=1.0, depth=1.0, image_size=224, dropout=0.2),
    "b1": Variant(width=1.0, depth=1.1, image_size=240, dropout=0.2),
    "b2": Variant(width=1.1, depth=1.2, image_size=260, dropout=0.3),
    "b3": Variant(width=1.2, depth=1.4, image_size=300, dropout=0.3),
    "b4": Variant(width=1.4, depth=1.8, image_size=380, dropout=0.4),
    "b5": Variant(width=1.6, depth=2.2, image_size=456, dropout=0.4),
    "b6": Variant(width=1.8, depth=2.6, image_size=528, dropout=0.5),
    "b7": Variant(width=2.0, depth=3.1, image_size=600, dropout=0.5),
    "b8": Variant(width=2.2, depth=3.6, image_size=672, dropout=0.5),
    "l2": Variant(width=4.3, depth=5.3, image_size=800, dropout=0.5),
}


def _check_multiplier(axis: str, value: float) -> None:
    if not (math.isfinite(value) and 0 < value <= LARGEST_MULTIPLIER):
        raise ValueError(
            f"{axis} {value}: must be a finite number above 0 and at most {LARGEST_MULTIPLIER:g}"
        )
