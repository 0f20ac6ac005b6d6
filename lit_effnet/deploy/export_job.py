"""Export a trained or released network: its images, its calibration, and its description."""

from dataclasses import asdict
from typing import Any

from lit_effnet.data.images import ImageData
from lit_effnet.deploy.calibration_images import load_calibration
from lit_effnet.deploy.checked_export import write_checked
from lit_effnet.deploy.export_spec import ExportSpec
from lit_effnet.deploy.parity import first_images
from lit_effnet.evaluation.target import EvaluationTarget, Overrides, load_target

DEFAULT_DATA = "photos"  # for a released network where no images are named


def export_network(
    name: str, overrides: Overrides, spec: ExportSpec
) -> tuple[EvaluationTarget, dict[str, Any]]:
    """Write a network to a file if it passes the parity check; return both target and metadata.

    Args:
        name: A run folder, a checkpoint in one, or released weights.
        overrides: The network's overridden view and images.
        spec: The file.

    Raises:
        ValueError: Bad input, a missing package, or a failed parity check.
        OSError: The folder cannot be written.
    """
    spec.check()
    target = load_target(name, overrides)
    data = target.images or _default_data(target, overrides)
    split = data.split_for(spec.split)
    if split not in data.splits:
        raise ValueError(f"split {split}: {data.name} has only {', '.join(data.splits)}")
    calibration = None
    if spec.precision == "int8":
        calibration = load_calibration(
            target, overrides, spec.calibration, evaluated=data, split=split
        )
    images, labels = first_images(data.evaluation_loader(split, stratified=True), spec.images)
    metadata = write_checked(
        spec,
        target.network,
        images,
        labels=labels if target.images is not None else None,
        calibration=calibration,
        description=_description(target, data, split),
    )
    return target, metadata


def _default_data(target: EvaluationTarget, overrides: Overrides) -> ImageData:
    return ImageData(
        DEFAULT_DATA,
        image_size=round(target.preprocessing.image_size or 0),
        preprocessing=target.preprocessing,
        batch_size=overrides.batch_size,
        num_workers=overrides.num_workers,
    )


def _description(target: EvaluationTarget, data: ImageData, split: str) -> dict[str, Any]:
    """Return the metadata that is needed to use the file."""
    record = target.record
    return {
        "preprocessing": {**asdict(target.preprocessing), "image_size": data.image_size},
        "classes": target.class_names(),
        "source": {
            "name": target.name,
            "network": record["model"]["name"],
            "arm": target.arm,
            "scaling": record["scaling"],
            "status": record["status"],
            "fingerprint": target.weights.fingerprint,
        },
        "compared_on": {
            "data": data.name,
            "split": split,
            "fingerprint": data.fingerprint,
            "labels_known": target.images is not None,
        },
    }
