"""The flags of `quantize` and `export` that choose the calibration images."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser


@dataclass(frozen=True, kw_only=True)
class CalibrationSpec:
    """Which training images calibrate INT8.

    Args:
        images: Number of images; all where there are fewer.
        seed: Decides which.
        outliers: Fraction of them that is left out: those with the largest activations.
        data: Flags `name` and `path` of another data set; empty for the network's own.
    """

    images: int = 300
    seed: int = 0
    outliers: float = 0.05
    data: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.images < 1:
            raise ValueError(f"calibration {self.images}: must be at least 1 image")
        if not 0 <= self.outliers <= 0.5:
            raise ValueError(f"calibration_outliers {self.outliers:g}: must be from 0 to 0.5")
        if self.data and "name" not in self.data:
            raise ValueError(
                "calibration_data.name null: must name the data set that the path is of"
            )


def add_calibration_flags(parser: "ArgumentParser") -> None:
    """Add the flags that choose the calibration images."""
    add, default = parser.add_argument, CalibrationSpec()
    add("--calibration", type=int, default=default.images, help="Number of calibration images.")
    add("--calibration_seed", type=int, default=default.seed, help="Decides which images.")
    add(
        "--calibration_outliers",
        type=float,
        default=default.outliers,
        help="Fraction of them to leave out: those with the largest activations.",
    )
    add("--calibration_data.name", type=str | None, help="Another data set to calibrate on.")
    add("--calibration_data.path", type=str | None, help="Folder of a local copy of it.")


def calibration_spec(config: Any) -> CalibrationSpec:
    """Return the calibration images that the flags choose.

    Raises:
        ValueError: A number out of range, or a path without the name of its data set.
    """
    return CalibrationSpec(
        images=config.calibration,
        seed=config.calibration_seed,
        outliers=config.calibration_outliers,
        data={key: value for key, value in vars(config.calibration_data).items() if value},
    )
