"""Base class of the corruptions: checked parameters, and a call from image to image."""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lit_effnet.data.pixels import Rgb


@dataclass(frozen=True)
class Corruption(ABC):
    """One corruption at one strength; its fields are its parameters, which JSON can hold.

    Formulas and names are those of Hendrycks and Dietterich 2019 (hendrycks/robustness @8190fe32,
    ImageNet-C/create_c), with the image's own size where the scripts name one.

    Raises:
        ValueError: a field outside its `limits`.
    """

    name: ClassVar[str]

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.metadata:
                field.metadata["check"](field.name, getattr(self, field.name))

    @abstractmethod
    def __call__(self, image: Rgb, generator: np.random.Generator) -> Rgb:
        """Return the corrupted image `uint8 [H, W, 3]`, H and W at least 32.

        All randomness is drawn from `generator`, in the order of the scripts.
        """


def limits(
    least: float = -math.inf, most: float = math.inf, *, above: bool = False, whole: bool = False
) -> dict[str, Any]:
    """Return metadata of a field, by which `Corruption` checks its value.

    Args:
        least: Smallest accepted number.
        most: Largest accepted number.
        above: Whether `least` itself is refused.
        whole: Whether only whole numbers are accepted.
    """
    kind = "a whole number" if whole else "a number"
    if math.isfinite(most):
        accepted = (
            f" above {least:g} and at most {most:g}" if above else f" from {least:g} to {most:g}"
        )
    elif math.isfinite(least):
        accepted = f" above {least:g}" if above else f" of at least {least:g}"
    else:
        accepted = ""

    def check(name: str, value: float) -> None:
        inside = math.isfinite(value) and least <= value <= most
        if not inside or (above and value == least) or (whole and value != int(value)):
            raise ValueError(f"{name} {value}: must be {kind}{accepted}")

    return {"check": check}


def to_bytes(image: NDArray[np.floating[Any]]) -> Rgb:
    """Return pixels from 0 to 1 as bytes: clipped, and truncated as in the scripts."""
    return np.asarray(np.clip(image, 0, 1) * 255).astype(np.uint8)
