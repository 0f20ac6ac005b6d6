"""Compare two arms: difference, confidence interval and p-value.

Arms that share at least three seeds are compared by a paired t-test, which removes the effect that
a seed has on both. Other arms are compared by Welch's t-test over all repeats.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from lit_effnet.results.stats.estimates import (
    CONFIDENCE,
    FEWEST,
    Interval,
    Repeats,
    holm,
    repeats_needed,
)

Test = Literal["paired t", "Welch", "McNemar"]
Outcome = Literal["better", "worse", "not significant", "not tested"]
ALPHA = 0.05
ROUNDING = 1e-12  # smaller differences are rounding errors
POINTS = 100  # accuracies are fractions; differences are shown in percentage points
MOST_NEEDED = 1000  # seeds; more are no plan


@dataclass(frozen=True)
class Comparison:
    """Comparison of arm a with arm b; the difference is a minus b.

    Args:
        a: First arm.
        b: Arm that it is compared with.
        test: Paired over shared seeds, unpaired over all repeats, or over images; None for none.
        n: Number of pairs; for an unpaired test, repeats of the arm with fewer.
        seeds: Seeds that are paired; empty for other tests.
        difference: Difference of the means; None if an arm has no repeats.
        interval: Confidence interval of the difference, not corrected.
        p: Two-sided p-value, not corrected.
        holm: P-value, Holm-corrected for all comparisons made at once.
        reason: Reason why there is no test; empty if there is one.
        shared: Number of seeds that both arms have.
        sd: Standard deviation of the paired differences.
        family: Number of comparisons that `holm` is corrected for.
    """

    a: str
    b: str
    test: Test | None
    n: int
    seeds: tuple[int, ...]
    difference: float | None
    interval: Interval | None = None
    p: float | None = None
    holm: float | None = None
    reason: str = ""
    shared: int = 0
    sd: float | None = None
    family: int = 1

    @property
    def outcome(self) -> Outcome:
        """Result for arm a, by the corrected p-value."""
        if self.holm is None or self.difference is None:
            return "not tested"
        if self.holm >= ALPHA:
            return "not significant"
        return "better" if self.difference > 0 else "worse"

    @property
    def shown(self) -> bool:
        """Return whether the difference is significant after correction."""
        return self.outcome in ("better", "worse")

    @property
    def repeats_needed(self) -> int | None:
        """Seeds at which the paired test would detect this difference with 80 % power.

        None without a paired test, and above `MOST_NEEDED`. The level is Bonferroni's, which is
        Holm's for the smallest p-value.
        """
        # The search for the number is short only for differences that are not tiny.
        if not self.sd or self.difference is None or abs(self.difference) < self.sd / 10:
            return None
        count = repeats_needed(self.difference, self.sd, alpha=ALPHA / self.family)
        return count if count <= MOST_NEEDED else None


def compare(
    a: str,
    b: str,
    of_a: Mapping[int, float],
    of_b: Mapping[int, float],
    confidence: float = CONFIDENCE,
    *,
    paired: bool = True,
) -> Comparison:
    """Compare two arms: paired t-test over shared seeds, otherwise Welch's t-test over all repeats.

    With fewer than three shared seeds all repeats are compared as if no seed were shared, which is
    conservative.

    Args:
        a: Name of the first arm.
        b: Name of the second arm.
        of_a: Values of the first arm by seed.
        of_b: Values of the second arm by seed.
        confidence: Confidence level of the interval.
        paired: Pair shared seeds; False for Welch's t-test over all repeats.
    """
    if not of_a or not of_b:
        without = a if not of_a else b
        return Comparison(a, b, None, 0, (), None, reason=f"{without} has no finished repeat")
    both = tuple(sorted(of_a.keys() & of_b.keys()))
    few = len(both) < FEWEST <= min(len(of_a), len(of_b))
    shared = both if paired and not few else ()
    if shared:
        first, second = ([of[seed] for seed in shared] for of in (of_a, of_b))
        what, equal = "shared seeds", np.ptp(np.subtract(first, second)) <= ROUNDING
    else:
        first, second = [*of_a.values()], [*of_b.values()]
        what, equal = "unpaired repeats", np.ptp(first) == np.ptp(second) == 0
    n = min(len(first), len(second))
    difference = float(np.mean(first) - np.mean(second))
    plain = Comparison(a, b, None, n, shared, difference, shared=len(both) if paired else 0)
    if n < FEWEST:
        return replace(plain, reason=f"{n} {what}: a test needs {FEWEST}")
    if equal:
        return replace(plain, reason="the differences have no variance")
    if shared:
        result = stats.ttest_rel(first, second)
        sd = float(np.std(np.subtract(first, second), ddof=1))
        plain = replace(plain, test="paired t", sd=sd)
    else:
        result = stats.ttest_ind(first, second, equal_var=False)
        plain = replace(plain, test="Welch")
    low, high = result.confidence_interval(confidence)
    p = float(result.pvalue)
    return replace(plain, interval=Interval(float(low), float(high)), p=p, holm=p)


def compare_all(
    found: Repeats, reference: str | None = None, confidence: float = CONFIDENCE
) -> list[Comparison]:
    """Compare each arm with the reference, or all pairs of arms; p-values are Holm-corrected.

    Args:
        found: Repeats of the arms.
        reference: Name of an arm; None for all pairs.
        confidence: Confidence level of the intervals.

    Raises:
        ValueError: The reference is not an arm.
    """
    arms = [*found.values]
    if reference is None:
        pairs = [*combinations(arms, 2)]
    elif reference in found.values:
        pairs = [(arm, reference) for arm in arms if arm != reference]
    else:
        raise ValueError(f"reference {reference!r}: must be one of {', '.join(map(repr, arms))}")
    made = [compare(a, b, found.values[a], found.values[b], confidence) for a, b in pairs]
    return adjusted(made)


def adjusted(made: Iterable[Comparison]) -> list[Comparison]:
    """Return the comparisons with p-values Holm-corrected for all that have one."""
    comparisons = [*made]
    corrected = holm([one.p for one in comparisons if one.p is not None])
    p_values = iter(corrected)
    return [
        one if one.p is None else replace(one, holm=next(p_values), family=len(corrected))
        for one in comparisons
    ]


def compare_images(
    a: str,
    b: str,
    right_a: Sequence[bool],
    right_b: Sequence[bool],
    confidence: float = CONFIDENCE,
) -> Comparison:
    """Compare two networks on the same images by McNemar's exact test.

    The result holds for these two networks on other images, not for other seeds. The interval is
    Wald's with half an image added to each cell (Agresti and Min 2005, Statistics in Medicine 24,
    729).

    Args:
        a: Name of the first network.
        b: Name of the second network.
        right_a: Whether the first network predicted each image correctly.
        right_b: Whether the second network predicted each image correctly.
        confidence: Confidence level of the interval.

    Raises:
        ValueError: The numbers of images differ, or there are no images.
    """
    first, second = np.asarray(right_a, bool), np.asarray(right_b, bool)
    n = len(first)
    if n != len(second) or not n:
        raise ValueError(
            f"right_b: must have as many images as right_a, {n}, and has {len(second)}"
        )
    only_a, only_b = int((first & ~second).sum()), int((~first & second).sum())
    # Without an image on which they differ p is 1.
    p = float(stats.binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    apart, gap, images = only_a + only_b + 1, only_a - only_b, n + 2
    error = np.sqrt(apart - gap**2 / images) / images
    reach = stats.norm.isf((1 - confidence) / 2) * error
    interval = Interval(float(gap / images - reach), float(gap / images + reach))
    return Comparison(a, b, "McNemar", n, (), gap / n, interval, p, p)


def relative_gain(
    of_a: Mapping[int, float], of_b: Mapping[int, float], confidence: float = CONFIDENCE
) -> tuple[float, Interval | None]:
    """Return (a - b) / b of the means over shared seeds, with Fieller's interval.

    The interval holds the ratios r for which a paired t-test finds no significant difference
    between a and r b (Fieller 1954). It is exact for normal repeats, so it holds for three of them,
    unlike a bootstrap. It is None below three shared seeds, and where it is unbounded because b's
    mean does not differ significantly from 0.

    Args:
        of_a: Values by seed.
        of_b: Values of the reference by seed.
        confidence: Confidence level of the interval.

    Raises:
        ValueError: They share no seed, or the mean of b is 0.
    """
    shared = sorted(of_a.keys() & of_b.keys())
    if not shared:
        raise ValueError("of_a: must share a seed with of_b")
    a, b = (np.array([of[seed] for seed in shared]) for of in (of_a, of_b))
    mean_a, mean_b, n = a.mean(), b.mean(), len(shared)
    if mean_b == 0:
        raise ValueError("of_b: must have a mean other than 0")
    gain = float(mean_a / mean_b - 1)
    if n < FEWEST:
        return gain, None
    limit = stats.t.isf((1 - confidence) / 2, n - 1) ** 2 / n
    (var_a, cov), (_, var_b) = np.cov(a, b)
    # (mean_a - r mean_b)^2 <= limit (var_a - 2 r cov + r^2 var_b)
    square, linear = mean_b**2 - limit * var_b, mean_a * mean_b - limit * cov
    inside = linear**2 - square * (mean_a**2 - limit * var_a)
    if square <= 0:
        return gain, None
    reach = np.sqrt(max(inside, 0.0))
    return gain, Interval(
        float((linear - reach) / square - 1), float((linear + reach) / square - 1)
    )


def comparison_frame(made: Iterable[Comparison]) -> pd.DataFrame:
    """Return the comparisons as a frame, one row each."""
    rows = [
        {
            "arm": one.a,
            "reference": one.b,
            "test": one.test,
            "n": one.n,
            "shared_seeds": ", ".join(map(str, one.seeds)),
            "difference": one.difference,
            "low": one.interval.low if one.interval else None,
            "high": one.interval.high if one.interval else None,
            "p": one.p,
            "p_holm": one.holm,
            "outcome": one.outcome,
        }
        for one in made
    ]
    numbers = dict.fromkeys(("difference", "low", "high", "p", "p_holm"), "float64")
    words = dict.fromkeys(("arm", "reference", "test", "shared_seeds", "outcome"), "str")
    names = ["arm", "reference", "test", "n", "shared_seeds", *numbers, "outcome"]
    return pd.DataFrame(rows, columns=names).astype({"n": "Int64", **numbers, **words})
