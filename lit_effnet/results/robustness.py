"""How much corruptions cost a network: mean corruption error, both ways that it is reported.

Hendrycks and Dietterich 2019, arXiv 1903.12261: 15 corruptions at five severities. A corruption's
error, averaged over its severities, is divided by that of a reference network, AlexNet, before the
mean over corruptions is taken. Undivided, the mean is another number, and both are in use.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

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


def corruption_errors(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Top-1 error of each corruption, averaged over its five severities.

    A corruption of which a severity is missing has none.

    Args:
        rows: Of one network on one split, made in one way.
    """
    by_severity: dict[str, dict[int, float]] = {}
    for row in rows:
        if row["severity"] is not None:
            by_severity.setdefault(row["condition"], {})[row["severity"]] = 1 - row["top1"]
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
        reference_errors: Its errors by corruption.
    """
    known = BENCHMARK if reference_errors is None else reference_errors
    used = [name for name in BENCHMARK if name in errors and name in known]
    if not used:
        return None
    divisors = dict.fromkeys(used, 1.0) if reference_errors is None else reference_errors
    value = mean(errors[name] / divisors[name] for name in used)
    missing = tuple(name for name in BENCHMARK if name not in used)
    return MeanCorruptionError(value, reference, missing)
