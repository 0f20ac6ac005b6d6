"""Mean corruption error, relative to AlexNet and as a plain mean.

Hendrycks and Dietterich 2019, arXiv 1903.12261: 15 corruptions at five severities. The error of a
corruption is averaged over its severities and divided by AlexNet's error; the mean over corruptions
follows. The plain mean, without the division, is in use too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

Row = Mapping[str, Any]  # of evaluations.jsonl

SEVERITIES = 5

# AlexNet's error by corruption, averaged over the five severities, on the released ImageNet-C
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
ALEXNET_IMAGE_SIZE = 224  # pixels of ImageNet-C
BENCHMARK = tuple(ALEXNET_ERRORS)  # the 15 corruptions of the mean


@dataclass(frozen=True)
class MeanCorruptionError:
    """Mean over the corruptions of the benchmark.

    Args:
        value: Mean error as a fraction, relative to the reference if there is one.
        reference: Network whose errors divide those of this one; None for the plain mean.
        missing: Corruptions of the 15 without an error; if any, the value is not the benchmark's.
    """

    value: float
    reference: str | None
    missing: tuple[str, ...]


# Columns that rows on the same corrupted images share.
SHARED = ("made_at", "made_at_px", "severities", "split", "data_fingerprint", "batch_norm")


def same_images(rows: Sequence[Row], wanted: Row) -> list[Row]:
    """Return rows on the corrupted images of `wanted`, for the newest weights in their own view."""
    same = [
        row
        for row in rows
        if row.get("id") is not None
        and all(row[key] == wanted[key] for key in SHARED)
        and not row["not_own"]
    ]
    return [row for row in same if row["weights"] == same[-1]["weights"]]


def corruption_errors(rows: Sequence[Row]) -> dict[str, float]:
    """Return the top-1 error of each corruption, averaged over its five severities.

    Corruptions with a missing severity are left out.

    Args:
        rows: Rows of `evaluations.jsonl` of one network on one split.

    Raises:
        ValueError: Two rows have the same corruption and severity.
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
    """Return the mean over corruptions of the benchmark that have an error; None without any.

    Args:
        errors: Errors by corruption; corruptions beyond the 15 are ignored.
        reference: Name of the network whose errors divide; None for the plain mean.
        reference_errors: Errors of the reference by corruption; corruptions with 0 are ignored.
    """
    known = dict.fromkeys(BENCHMARK, 1.0) if reference_errors is None else reference_errors
    used = [name for name in BENCHMARK if name in errors and known.get(name)]
    if not used:
        return None
    value = mean(errors[name] / known[name] for name in used)
    missing = tuple(name for name in BENCHMARK if name not in used)
    return MeanCorruptionError(value, reference, missing)
