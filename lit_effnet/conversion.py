"""A subject written for another program: its images, and what its file tells of it."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from lit_effnet.data.images import ImageData
from lit_effnet.evaluation.exporting.checked import Export
from lit_effnet.evaluation.exporting.formats import FORMATS, Precision
from lit_effnet.evaluation.exporting.parity import TOLERANCES, Tolerance, taken
from lit_effnet.evaluation.quantization.layers import NOTHING
from lit_effnet.subjects import Changes, Subject, subject

SPLIT, CALIBRATION_SPLIT = "validation", "train"
STAND_IN = "photos"  # shown to a released network where no images are named


@dataclass(frozen=True)
class Order:
    """What is to be written.

    Args:
        file: Where.
        format: A name of `FORMATS`.
        precision: Of weights, and in int8 of activations too.
        images: Number of images on which it is compared.
        calibration: Number of training images that int8 is calibrated on.
        kept: What int8 leaves in float: `nothing`, or `se` and `silu` joined by `+`.
        split: Whose images these are.
        agreement: Least top-1 agreement; null for the precision's own.
        relative_error: Most relative error; null for the precision's own.
    """

    file: Path
    format: str
    precision: Precision = "float32"
    images: int = 64
    calibration: int = 128
    kept: str = NOTHING
    split: str = SPLIT
    agreement: float | None = None
    relative_error: float | None = None

    @property
    def tolerance(self) -> Tolerance:
        """What still passes."""
        asked = {"agreement": self.agreement, "relative_error": self.relative_error}
        given = {name: value for name, value in asked.items() if value is not None}
        return replace(TOLERANCES[self.precision], **given)


def convert(name: str, changes: Changes, order: Order) -> tuple[Subject, dict[str, Any]]:
    """Write a run's network or a released one, if it passes; the subject, and what its JSON tells.

    Args:
        name: A run folder, a checkpoint in one, or released weights.
        changes: What is to be another than its own; its images among it.
        order: What is to be written.

    Raises:
        ValueError: bad input, a missing package, or an export that fails parity.
        OSError: the folder cannot be written.
    """
    FORMATS[order.format].check(order.file, order.precision)
    if order.kept != NOTHING and order.precision != "int8":
        raise ValueError(f"kept {order.kept}: is for int8; {order.precision} keeps everything")
    for count in ("images", "calibration"):
        if getattr(order, count) < 1:
            raise ValueError(f"{count} {getattr(order, count)}: must be at least 1")
    found = subject(name, changes)
    data = found.images or _stand_in(found, changes)
    if order.split not in data.splits:
        raise ValueError(f"split {order.split}: {data.name} has only {', '.join(data.splits)}")
    images, labels = taken(data.evaluation_loader(order.split, shuffled=True), order.images)
    export = Export(
        order.file,
        order.format,
        order.precision,
        _calibration(found, order) if order.precision == "int8" else None,
        order.kept,
        order.tolerance,
    )
    known = labels if found.images is not None else None
    told = export.write(found.network, images, known, _description(found, data, order))
    return found, told


def _calibration(found: Subject, order: Order) -> Tensor:
    if found.images is None:
        raise ValueError(
            f"calibration {order.calibration}: int8 is calibrated on training images, which "
            f"{found.name} does not tell; name them with --data.name"
        )
    shown = found.images.evaluation_loader(CALIBRATION_SPLIT, shuffled=True)
    return taken(shown, order.calibration)[0]


def _stand_in(found: Subject, changes: Changes) -> ImageData:
    size = round(found.preprocessing.image_size or 0)
    return ImageData(
        STAND_IN,
        image_size=size,
        preprocessing=found.preprocessing,
        batch_size=changes.batch_size,
        num_workers=changes.num_workers,
    )


def _description(found: Subject, data: ImageData, order: Order) -> dict[str, Any]:
    """What a file tells of its network: all that is needed to use it."""
    weights, record = found.weights, found.record
    return {
        "preprocessing": {**asdict(found.preprocessing), "image_size": data.image_size},
        "classes": found.class_names(),
        "source": {
            "name": found.name,
            "network": record["model"]["name"],
            "arm": found.arm,
            "scaling": record["scaling"],
            "status": record["status"],
            "fingerprint": weights.fingerprint,
        },
        "compared_on": {
            "data": data.name,
            "split": order.split,
            "fingerprint": data.fingerprint,
            "labels_known": found.images is not None,
        },
    }
