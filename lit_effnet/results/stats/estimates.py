"""Mean, standard deviation and intervals over the repeats of an arm, by scipy's formulas.

An interval is over repeats, which are random seeds: how far another seed would have led. It says
nothing of other images; over images there is `wilson`.
"""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from lit_effnet.results.frame.records import FINISHED

Values = Sequence[float] | NDArray[np.float64]

CONFIDENCE = 0.95
RESAMPLES = 9_999

# With two repeats a t interval is nine standard deviations to each side, of which it knows one
# difference, and a bootstrap has three samples to draw. Neither is of use; both would be believed.
FEWEST = 3

# One table compares one thing: rows that differ in these are no repeats of each other.
ALIKE = (
    *("data", "data_fingerprint", "split", "condition", "condition_parameters", "severity"),
    *("severities", "made_at", "batch_norm", "own"),
)
# And these make an arm.
OF_ARM = (
    *("network", "se_ratio", "depth", "width", "resolution", "image_size", "recipe"),
    *("learning_rate", "planned_epochs", "training_limit", "began_with"),
)


@dataclass(frozen=True)
class Interval:
    """From low to high, both included."""

    low: float
    high: float


FRACTION = Interval(0.0, 1.0)


@dataclass(frozen=True)
class Estimate:
    """Summary statistics of the repeats of one arm.

    Args:
        n: Number of repeats.
        mean: Sample mean; None without repeats.
        sd: Sample standard deviation (n - 1); None with fewer than two repeats.
        t: Student's t confidence interval of the mean; assumes normally distributed repeats.
        bootstrap: BCa bootstrap interval of the mean.
        reason: Reason for missing statistics; empty if there are none.
    """

    n: int
    mean: float | None
    sd: float | None
    t: Interval | None
    bootstrap: Interval | None
    reason: str = ""


@dataclass(frozen=True)
class Repeats:
    """Values of each arm by random seed, of finished runs alone.

    Args:
        values: Values of each arm, by seed.
        left_out: Number of dropped rows by reason.
    """

    values: Mapping[str, Mapping[int, float]]
    left_out: Mapping[str, int]


def repeats(frame: pd.DataFrame, value: str = "top1", by: str = "arm") -> Repeats:
    """Collect the repeats of each arm from a table of runs.

    Args:
        frame: Rows of one data set, split and condition, with any status.
        value: Column to compare.
        by: Column that names the arms.

    Raises:
        ValueError: Rows are not repeats of each other: several data sets, or a seed twice.
    """
    finished, newest = frame["status"] == FINISHED, frame["newest"].fillna(value=True)
    reasons = frame["status"].mask(finished & ~newest, "older weights")
    reasons = reasons.mask(finished & newest & frame[value].isna(), f"no {value}")
    reasons = reasons.mask(reasons.eq(FINISHED) & frame["narrowed"].notna(), "narrowed scores")
    reasons = reasons.mask(reasons.eq(FINISHED) & frame["seed"].isna(), "no seed")
    used = frame[reasons == FINISHED]
    for name in ALIKE:
        _check_one(used, name, "frame")
    values: dict[str, dict[int, float]] = {}
    for arm, rows in used.groupby(by, sort=False):
        for name in OF_ARM:
            if name != by:
                _check_one(rows, name, f"{by} {arm!r}")
        twice = rows[rows["seed"].duplicated(keep=False)]
        if len(twice):
            seed, runs = twice["seed"].iloc[0], ", ".join(twice["run"].iloc[:2])
            raise ValueError(f"{by} {arm!r}: must have each seed once, and has {seed} in {runs}")
        values[str(arm)] = {
            int(seed): float(v) for seed, v in zip(rows["seed"], rows[value], strict=True)
        }
    left_out = reasons[reasons != FINISHED].value_counts().to_dict()
    return Repeats(values, {str(why): int(count) for why, count in left_out.items()})


def estimate(
    values: Values, confidence: float = CONFIDENCE, bounds: Interval | None = None
) -> Estimate:
    """Return mean, standard deviation and both intervals of repeats.

    Report Student's interval: it has its nominal coverage with few repeats. The bootstrap's is too
    narrow then: for normal repeats its 95 % interval covers 73 % at three, 84 % at five and 90 % at
    ten (`benchmarks/interval_coverage.py`). It serves many, skewed repeats.

    Args:
        values: Value of each repeat.
        confidence: Confidence level of the intervals.
        bounds: Range of possible means, `FRACTION` for an accuracy. Student's interval is cut off
            there, which does not reduce its coverage.
    """
    numbers = np.asarray(values, float)
    n = len(numbers)
    if n == 0:
        return Estimate(0, None, None, None, None, "no finished repeat")
    mean = float(numbers.mean())
    if n == 1:
        return Estimate(1, mean, None, None, None, "one repeat: its spread is not known")
    equal = np.ptp(numbers) == 0
    sd = 0.0 if equal else float(numbers.std(ddof=1))  # which is not 0 by rounding
    if n < FEWEST:
        reason = f"{n} repeats: an interval needs {FEWEST}"
    elif equal:
        reason = "all repeats are equal: there is no spread to make an interval of"
    else:
        low, high = stats.t.interval(confidence, n - 1, mean, stats.sem(numbers))
        student = Interval(float(low), float(high))
        if bounds is not None:
            student = Interval(max(student.low, bounds.low), min(student.high, bounds.high))
        return Estimate(n, mean, sd, student, bootstrap(numbers, confidence))
    return Estimate(n, mean, sd, None, None, reason)


def bootstrap(values: Values, confidence: float = CONFIDENCE) -> Interval | None:
    """Return the BCa bootstrap interval of a mean, or None if undefined; deterministic."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)  # None says so
        interval = stats.bootstrap(
            (np.asarray(values, float),),
            np.mean,
            n_resamples=RESAMPLES,
            confidence_level=confidence,
            method="BCa",
            rng=np.random.default_rng(0),
        ).confidence_interval
    if not np.isfinite([interval.low, interval.high]).all():
        return None
    return Interval(float(interval.low), float(interval.high))


def wilson(correct: int, images: int, confidence: float = CONFIDENCE) -> Interval:
    """Return Wilson's score interval of an accuracy, over images, for one network.

    Args:
        correct: Number of correct predictions.
        images: Number of images.
        confidence: Confidence level of the interval.

    Raises:
        ValueError: There are no images, or fewer images than correct predictions.
    """
    if images < 1 or not 0 <= correct <= images:
        raise ValueError(
            f"correct {correct}: must be from 0 to images, and images {images} above 0"
        )
    interval = stats.binomtest(correct, images).proportion_ci(confidence, "wilson")
    return Interval(float(interval.low), float(interval.high))


def estimates(found: Repeats, confidence: float = CONFIDENCE) -> pd.DataFrame:
    """Return one row per arm: n, mean, sd, both intervals, reason for missing statistics."""
    rows = []
    for arm, values in found.values.items():
        of_arm = estimate([*values.values()], confidence, FRACTION)
        row = {"arm": arm, "n": of_arm.n, "mean": of_arm.mean, "sd": of_arm.sd}
        for name, interval in (("t", of_arm.t), ("bootstrap", of_arm.bootstrap)):
            row[f"{name}_low"] = interval.low if interval else None
            row[f"{name}_high"] = interval.high if interval else None
        rows.append(row | {"reason": of_arm.reason})
    sides = [f"{name}_{side}" for name in ("t", "bootstrap") for side in ("low", "high")]
    kinds = {"n": "Int64", **dict.fromkeys(("mean", "sd", *sides), "float64")}
    names = ["arm", "n", "mean", "sd", *sides, "reason"]
    return pd.DataFrame(rows, columns=names).astype({"arm": "str", "reason": "str", **kinds})


def holm(p_values: Iterable[float]) -> list[float]:
    """Return p-values adjusted by Holm's step-down method (Holm 1979), in the given order.

    Args:
        p_values: P-values of all comparisons made at once.
    """
    p = np.asarray([*p_values], float)
    order = np.argsort(p)
    factors = np.arange(len(p), 0, -1)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1, np.maximum.accumulate(p[order] * factors))
    return [float(value) for value in adjusted]


def repeats_needed(gap: float, sd: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Return the number of paired repeats at which a two-sided t-test detects a difference.

    Args:
        gap: Mean difference to detect.
        sd: Standard deviation of the paired differences.
        power: Probability of detecting it.
        alpha: Significance level.

    Raises:
        ValueError: A number is out of range.
    """
    if gap == 0 or not np.isfinite(gap):
        raise ValueError(f"gap {gap}: must be a number other than 0")
    if not sd > 0 or not np.isfinite(sd):
        raise ValueError(f"sd {sd}: must be a number above 0")
    if not 0 < alpha < power < 1:
        raise ValueError(f"power {power}: must be between alpha {alpha} and 1")

    def enough(n: int) -> bool:
        shift = abs(gap) / sd * np.sqrt(n)
        limit = stats.t.isf(alpha / 2, n - 1)
        # scipy has no number for a tail that is next to nothing.
        tail = np.nan_to_num(stats.nct.cdf(-limit, n - 1, shift))
        return bool(stats.nct.sf(limit, n - 1, shift) + tail >= power)

    least, most = FEWEST - 1, FEWEST
    while not enough(most):
        least, most = most, 2 * most
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (least, middle) if enough(middle) else (middle, most)
    return most


def _check_one(rows: pd.DataFrame, name: str, whose: str) -> None:
    """Refuse rows that differ in a column.

    Raises:
        ValueError: they do.
    """
    found = rows[name].unique()
    if len(found) > 1:
        some = ", ".join(sorted(str(value) for value in found)[:3])
        raise ValueError(f"{whose}: must have one {name}, and has {len(found)}: {some}")
