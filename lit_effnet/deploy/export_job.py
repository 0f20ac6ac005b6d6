"""A subject written for another program: its images, and what its file tells of it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Any

import torch

from lit_effnet.data.images import ImageData
from lit_effnet.deploy.calibration import IMAGES, SEED, calibration_images, check_unseen
from lit_effnet.deploy.calibration_data import calibration_data
from lit_effnet.deploy.checked import Export
from lit_effnet.deploy.formats import FORMATS, Precision
from lit_effnet.deploy.layers import NOTHING
from lit_effnet.deploy.outliers import PART
from lit_effnet.deploy.parity import TOLERANCES, Tolerance, first_images
from lit_effnet.evaluation.target import EvaluationTarget, Overrides, load_target

SPLIT = "validation"
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
        calibration_seed: Decides which.
        calibration_outliers: Part of them that is left out for its large activations.
        calibration_data: Flags of other images to calibrate on; empty for the network's own.
        method: How int8 finds ranges of activations; null for the format's usual way.
        kept: What int8 leaves in float: `nothing`, or `se` and `silu` joined by `+`.
        split: Whose images these are.
        agreement: Least top-1 agreement; null for the precision's own.
        relative_error: Most relative error; null for the precision's own.
    """

    file: Path
    format: str
    precision: Precision = "float32"
    images: int = 64
    calibration: int = IMAGES
    calibration_seed: int = SEED
    calibration_outliers: float = PART
    calibration_data: Mapping[str, Any] = field(default_factory=dict)
    method: str | None = None
    kept: str = NOTHING
    split: str = SPLIT
    agreement: float | None = None
    relative_error: float | None = None

    def check(self) -> None:
        """Look at all that can be known before the network is built.

        Raises:
            ValueError: something is not possible.
        """
        FORMATS[self.format].check(self.file, self.precision)
        FORMATS[self.format].check_int8(self.precision, self.kept, self.method)
        for count in ("images", "calibration"):
            if getattr(self, count) < 1:
                raise ValueError(f"{count} {getattr(self, count)}: must be at least 1")
        # Neither of them lets what is no number pass.
        if self.agreement is not None and not 0 <= self.agreement <= 1:
            raise ValueError(f"agreement {self.agreement:g}: must be from 0 to 1")
        if self.relative_error is not None and not 0 < self.relative_error < inf:
            raise ValueError(f"relative_error {self.relative_error:g}: must be above 0, and finite")

    @property
    def tolerance(self) -> Tolerance:
        """What still passes."""
        asked = {"agreement": self.agreement, "relative_error": self.relative_error}
        given: dict[str, Any] = {name: v for name, v in asked.items() if v is not None}
        return replace(TOLERANCES[self.precision], **given)


def convert(name: str, changes: Overrides, order: Order) -> tuple[EvaluationTarget, dict[str, Any]]:
    """Write a run's network or a released one, if it passes; the subject, and what its JSON tells.

    Args:
        name: A run folder, a checkpoint in one, or released weights.
        changes: What is to be another than its own; its images among it.
        order: What is to be written.

    Raises:
        ValueError: bad input, a missing package, or an export that fails parity.
        OSError: the folder cannot be written.
    """
    order.check()
    found = load_target(name, changes)
    data = found.images or _stand_in(found, changes)
    split = data.split_for(order.split)
    if split not in data.splits:
        raise ValueError(f"split {split}: {data.name} has only {', '.join(data.splits)}")
    pixels, calibration = None, None
    if order.precision == "int8":
        ranged = calibration_data(found, changes, dict(order.calibration_data))
        check_unseen(split, data, ranged)
        drawn = (order.calibration, order.calibration_seed, order.calibration_outliers)
        batches, calibration = calibration_images(found.network, ranged, *drawn)
        pixels = torch.cat(batches)
    images, labels = first_images(data.evaluation_loader(split, stratified=True), order.images)
    export = Export(
        order.file,
        order.format,
        order.precision,
        pixels,
        calibration,
        order.method,
        order.kept,
        order.tolerance,
    )
    known = labels if found.images is not None else None
    told = export.write(found.network, images, known, _description(found, data, split))
    return found, told


def _stand_in(found: EvaluationTarget, changes: Overrides) -> ImageData:
    size = round(found.preprocessing.image_size or 0)
    return ImageData(
        STAND_IN,
        image_size=size,
        preprocessing=found.preprocessing,
        batch_size=changes.batch_size,
        num_workers=changes.num_workers,
    )


def _description(found: EvaluationTarget, data: ImageData, split: str) -> dict[str, Any]:
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
            "split": split,
            "fingerprint": data.fingerprint,
            "labels_known": found.images is not None,
        },
    }
