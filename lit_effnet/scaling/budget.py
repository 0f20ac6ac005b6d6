"""Scalings at a given cost: find the multiplier of an axis that meets a budget."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal, get_args

from lit_effnet.scaling.compound import (
    ALPHA,
    BETA,
    GAMMA,
    LARGEST_MULTIPLIER,
    Rounding,
    Scaling,
    compound,
)
from lit_effnet.scaling.cost import Complexity, Measure

MatchedAxis = Literal["depth", "width", "resolution", "compound"]

# Complexity of a scaling at an image size in pixels.
Cost = Callable[[Scaling, int], Complexity]

PHI_STEP = WIDTH_STEP = 0.005
# Stages have 1 to 4 blocks, so under both roundings their numbers change at multiples of 1/24 only.
# We try these, where halves round to even, and the points between them.
DEPTH_STEP = 1 / 48
MOST_PHI = 16.0
NEAR = 48  # steps

# Largest relative residual, where whole blocks, channels and pixels allow it.
CLOSE = 0.01
HOPELESS = 0.5


@dataclass(frozen=True)
class Budget:
    """Cost of an arm: `times` the baseline's `measure`, reached by scaling one axis.

    Args:
        axis: depth, width, resolution, or all three along the compound curve.
        times: Cost relative to the baseline's.
        measure: macs, params or activations.
        rounding: Rounding of the depth to whole blocks.
        coefficients: alpha, beta and gamma of the compound curve.

    Raises:
        ValueError: an unknown axis or measure, a budget that is not above 0, or a budget of
            parameters for the resolution, which adds none.
    """

    axis: MatchedAxis
    times: float
    measure: Measure = "macs"
    rounding: Rounding = "ceil"
    coefficients: tuple[float, float, float] = (ALPHA, BETA, GAMMA)

    def __post_init__(self) -> None:
        for name, accepted in (("axis", MatchedAxis), ("measure", Measure)):
            value, words = getattr(self, name), get_args(accepted)
            if value not in words:
                raise ValueError(f"{name} {value!r}: must be one of {', '.join(words)}")
        if not (math.isfinite(self.times) and self.times > 0):
            raise ValueError(f"budget {self.times}: must be a number above 0, in baselines")
        if (self.axis, self.measure) == ("resolution", "params"):
            raise ValueError("axis 'resolution': adds no parameter, so it has no budget of params")

    def spend(self, base: Scaling, base_size: int, cost: Cost) -> Scaling:
        """Return the multipliers relative to B0 that bring `base` nearest to the budget.

        The baseline has the released rounding, so that arms of both roundings share it.

        Raises:
            ValueError: no network comes near the budget.
        """
        baseline = replace(base, rounding="ceil")
        target = self.times * getattr(cost(baseline, base_size), self.measure)

        def excess(scaling: Scaling) -> float:
            size = scaling.image_size(base_size)
            return float(getattr(cost(scaling, size), self.measure) / target - 1)

        # Apart from rounding, costs grow along an axis, so we search near the crossing only.
        candidates = list(self._candidates(base, base_size))
        low, high = 0, len(candidates) - 1
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if excess(candidates[middle]) < 0 else (low, middle)
        near = candidates[max(0, low - NEAR) : low + NEAR + 1]
        best = min(near, key=lambda scaling: abs(excess(scaling)))
        if self.axis == "compound" and abs(excess(best)) > CLOSE:
            trimmed = [other for scaling in near[::4] for other in _trimmed(scaling, base_size)]
            close = (scaling for scaling in trimmed if abs(excess(scaling)) <= CLOSE)
            best = next(close, None) or min(trimmed, key=lambda scaling: abs(excess(scaling)))
        if abs(excess(best)) > HOPELESS:
            raise ValueError(
                f"budget {self.times:g}: cannot be reached along {self.axis}; the nearest is "
                f"{self.times * (1 + excess(best)):.3g}"
            )
        return best

    def _candidates(self, base: Scaling, base_size: int) -> Iterator[Scaling]:
        """Yield scalings of the base along the axis, step by step from small to large."""
        for multipliers in self._multipliers(base, base_size):
            try:
                yield on_base(base, multipliers())
            except ValueError:  # a multiplier out of range
                continue

    def _multipliers(self, base: Scaling, base_size: int) -> Iterator[Callable[[], Scaling]]:
        if self.axis == "compound":
            steps = round(MOST_PHI / PHI_STEP)
            for step in range(-steps, steps + 1):
                yield partial(compound, step * PHI_STEP, *self.coefficients, rounding=self.rounding)
        elif self.axis == "resolution":
            for size in range(max(1, base_size // 8), base_size * 16):
                yield partial(Scaling, resolution=size / base_size, rounding=self.rounding)
        elif self.axis == "width":
            for index in range(1, int(LARGEST_MULTIPLIER / 4 / WIDTH_STEP)):
                yield partial(Scaling, width=index * WIDTH_STEP, rounding=self.rounding)
        else:
            for index in range(1, int(LARGEST_MULTIPLIER / 4 / DEPTH_STEP)):
                depth = index * DEPTH_STEP / base.depth
                yield partial(Scaling, depth=depth, rounding=self.rounding)


def on_base(base: Scaling, scaling: Scaling) -> Scaling:
    """Return the multipliers relative to B0 of `base` scaled by `scaling`."""
    return Scaling(
        base.depth * scaling.depth,
        base.width * scaling.width,
        base.resolution * scaling.resolution,
        scaling.rounding,
    )


def _trimmed(scaling: Scaling, base_size: int) -> Iterator[Scaling]:
    """Yield scalings near the compound curve: up to 6 % narrower or wider, up to 2 pixels off."""
    size = scaling.image_size(base_size)
    for pixels in (0, -1, 1, -2, 2):
        for half_percents in (0, *(sign * step for step in range(1, 13) for sign in (1, -1))):
            yield replace(
                scaling,
                width=scaling.width * (1 + half_percents / 200),
                resolution=(size + pixels) / base_size,
            )
