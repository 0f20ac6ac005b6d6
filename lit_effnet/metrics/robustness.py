"""How much corruptions cost a network: mean corruption error, both ways that it is reported.

Hendrycks and Dietterich 2019, arXiv 1903.12261: 15 corruptions at five severities. A corruption's
error, averaged over its severities, is divided by that of a reference network, AlexNet, before the
mean over corruptions is taken. Undivided, the mean is another number, and both are in use.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

Row = Mapping[str, Any]  # of evaluations.jsonl

SEVERITIES = 5

# AlexNet's error of each corruption, averaged over its five severities, on the released ImageNet-C
# (google-research/augmix, imagenet.py, which takes them from hendrycks/robustness).
ALEXNET_ERRORS = {
    "gaussian_noise": 0.886428,
    "shot_noise": 0.894468,
    "impulse_noise": 0.922640,
    "defocus_blur": 0.819880,
    "glass_blur": 0.826268,
    "motion_blur": 0.785948,
    "zoom_blur": 0.798360,
    "snow": 0.866816,
    "frost": 0.826572,
    "fog": 0.819324,
    "brightness": 0.564592,
    "contrast": 0.853204,
    "elastic_transform": 0.646056,
    "pixelate": 0.717840,
    "jpeg_compression": 0.606500,
}
ALEXNET_IMAGE_SIZE = 224  # pixels, at which ImageNet-C was made
BENCHMARK = tuple(ALEXNET_ERRORS)  # the 15 corruptions; others are not of the mean


@dataclass(frozen=True)
class MeanCorruptionError:
    """A mean over corruptions of the benchmark.

    Args:
        value: A fraction; relative to the reference's errors where there is one.
        reference: Whose errors it is relative to; null for the plain mean.
        missing: Corruptions of the 15 that have no error here; with any, it is not the benchmark's.
    """

    value: float
    reference: str | None
    missing: tuple[str, ...]


# What two networks' rows have in common when they are on the same corrupted images.
SHARED = ("made_at", "made_at_px", "severities", "split", "data_fingerprint", "batch_norm")


def same_images(rows: Sequence[Row], wanted: Row) -> list[Row]:
    """The rows on the corrupted images of `wanted`, of the newest weights in their own view."""
    found = [
        row
        for row in rows
        if row.get("id") is not None
        and all(row[key] == wanted[key] for key in SHARED)
        and not row["not_own"]
    ]
    return [row for row in found if row["weights"] == found[-1]["weights"]]


def corruption_errors(rows: Sequence[Row]) -> dict[str, float]:
    """Top-1 error of each corruption, averaged over its five severities.

    A corruption of which a severity is missing has none.

    Args:
        rows: Of one network on one split, made in one way.

    Raises:
        ValueError: two rows for one severity of a corruption.
    """
    by_severity: dict[str, dict[int, float]] = {}
    for row in rows:
        if row["severity"] is None:
            continue
        errors = by_severity.setdefault(row["condition"], {})
        if row["severity"] in errors:
            raise ValueError(f"rows: {row['condition']} has severity {row['severity']} twice")
        errors[row["severity"]] = 1 - row["top1"]
    return {
        name: mean(errors.values())
        for name, errors in by_severity.items()
        if len(errors) == SEVERITIES
    }


def mean_corruption_error(
    errors: Mapping[str, float],
    reference: str | None = None,
    reference_errors: Mapping[str, float] | None = None,
) -> MeanCorruptionError | None:
    """Mean of the benchmark's corruptions that have an error; null where none has.

    Args:
        errors: By corruption; those beyond the 15 are left out.
        reference: Name of the network whose errors each is divided by; null for the plain mean.
        reference_errors: Its errors by corruption; one of 0 divides nothing, and is left out.
    """
    known = dict.fromkeys(BENCHMARK, 1.0) if reference_errors is None else reference_errors
    used = [name for name in BENCHMARK if name in errors and known.get(name)]
    if not used:
        return None
    value = mean(errors[name] / known[name] for name in used)
    missing = tuple(name for name in BENCHMARK if name not in used)
    return MeanCorruptionError(value, reference, missing)
