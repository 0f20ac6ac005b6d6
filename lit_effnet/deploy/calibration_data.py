"""The flags of `quantize` and `export` that name the images on which INT8 is calibrated."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

    from lit_effnet.data.images import ImageData
    from lit_effnet.evaluation.target import EvaluationTarget, Overrides


def add_calibration_flags(parser: "ArgumentParser") -> None:
    """The flags that name the images on which INT8 is calibrated."""
    add = parser.add_argument
    add("--calibration", type=int, default=300, help="Training images that ranges are found on.")
    add("--calibration_seed", type=int, default=0, help="Decides which.")
    add(
        "--calibration_outliers",
        type=float,
        default=0.05,
        help="Part of them that is left out: those with the largest activations.",
    )
    add("--calibration_data.name", type=str | None, help="Other images to calibrate on.")
    add("--calibration_data.path", type=str | None, help="Folder of a local copy of those.")


def calibration_flags(config: Any) -> dict[str, Any]:
    """What the flags of other images are, as far as they are given.

    Raises:
        ValueError: a folder without the name of its data set.
    """
    named = {key: value for key, value in vars(config.calibration_data).items() if value}
    if named and "name" not in named:
        raise ValueError("calibration_data.name null: must name the data set that the path is of")
    return named


def calibration_data(
    found: "EvaluationTarget", changes: "Overrides", named: dict[str, Any]
) -> "ImageData":
    """The network's own data set, or another one in the same view.

    Args:
        found: The network.
        changes: What is to be another than its own.
        named: As `calibration_flags` gives it.

    Raises:
        ValueError: no images are known.
    """
    from lit_effnet.data.images import ImageData

    if not named and found.images is None:
        raise ValueError(
            f"calibration_data.name null: must name training images to calibrate int8 on, which "
            f"{found.name} does not tell"
        )
    if not named:
        return found.data
    return ImageData(
        **named,
        image_size=changes.image_size,
        preprocessing=found.preprocessing,
        batch_size=changes.batch_size,
        num_workers=changes.num_workers,
    )
