"""Two arms against each other: the difference, its interval, its p-value, and what that comes to.

Arms that share three random seeds or more are compared seed by seed: what a seed does to both is no
part of their difference. Other arms are compared as independent samples, by Welch's test of all
repeats, and the comparison says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from lit_effnet.results.stats.estimates import CONFIDENCE, FEWEST, Interval, Repeats, holm

Test = Literal["paired t", "Welch", "McNemar"]
ALPHA = 0.05
ROUNDING = 1e-12  # differences that differ by less are equal
POINTS = 100  # an accuracy is a fraction, and its differences are told in percentage points


@dataclass(frozen=True)
class Comparison:
    """Arm a less arm b.

    Args:
        a: The first arm.
        b: The arm that it is compared with.
        test: Over shared seeds, over independent repeats, or over images; null where none was made.
        n: Pairs that it rests on; of independent repeats those of the smaller arm.
        seeds: The random seeds that it pairs; empty for other tests.
        difference: Of the means; null where one has no repeats.
        interval: Of the difference, for this comparison alone.
        p: Of no difference, for this comparison alone.
        holm: The same adjusted for all comparisons that were made at once; p where it was alone.
        reason: Why there is no test; empty where there is one.
        shared: How many seeds both have.
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

    @property
    def note(self) -> str:
        """Why all repeats were compared although arms share seeds; empty where they share none."""
        if self.test != "Welch" or not self.shared:
            return ""
        return f"Welch's test of all repeats, since the arms share only {self.shared} of the seeds"

    @property
    def shown(self) -> bool:
        """Whether there is a difference, as far as one can be shown."""
        return self.holm is not None and self.holm < ALPHA

    @property
    def verdict(self) -> str:
        """The comparison of two accuracies in words, in percentage points.

        It goes by the adjusted p-value; the interval is of this comparison alone, and may leave out
        zero where among many comparisons no difference is shown.
        """
        if self.difference is None or self.interval is None:
            return f"{self.a} and {self.b} cannot be compared: {self.reason}"
        low, high = POINTS * self.interval.low, POINTS * self.interval.high
        points, note = POINTS * self.difference, self.note and f"; {self.note}"
        if not self.shown:
            told = f"{points:+z.1f} points ({low:z.1f}..{high:z.1f})"
            return f"no difference shown between {self.a} and {self.b}: {told}{note}"
        better, worse = (self.a, self.b) if points > 0 else (self.b, self.a)
        if points < 0:
            points, low, high = -points, -high, -low
        told = f"{points:.1f} points ({low:z.1f}..{high:z.1f})"
        return f"{better} better than {worse} by {told}{note}"


def compare(
    a: str,
    b: str,
    of_a: Mapping[int, float],
    of_b: Mapping[int, float],
    confidence: float = CONFIDENCE,
    *,
    paired: bool = True,
) -> Comparison:
    """Compare two arms by their repeats: paired over shared seeds, else by Welch's test of all.

    Seeds are paired where both arms have at least three of them. Fewer shared seeds make no paired
    test, and the repeats are compared as if all seeds were different, which is the careful side.

    Args:
        a: Name of the first arm.
        b: Name of the second.
        of_a: Values of the first by random seed.
        of_b: Values of the second.
        confidence: Of the interval.
        paired: Over shared seeds, where there are enough; false for Welch's test of all repeats.
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
        what, equal = "repeats that are not paired", np.ptp(first) == np.ptp(second) == 0
    n = min(len(first), len(second))
    difference = float(np.mean(first) - np.mean(second))
    plain = Comparison(a, b, None, n, shared, difference, shared=len(both) if paired else 0)
    if n < FEWEST:
        return replace(plain, reason=f"{n} {what}: a test needs {FEWEST}")
    if equal:
        return replace(plain, reason="the differences do not vary: there is no spread to test with")
    if shared:
        found = stats.ttest_rel(first, second)
    else:
        found = stats.ttest_ind(first, second, equal_var=False)
    low, high = found.confidence_interval(confidence)
    p = float(found.pvalue)
    test: Test = "paired t" if shared else "Welch"
    return replace(plain, test=test, interval=Interval(float(low), float(high)), p=p, holm=p)


def compare_all(
    found: Repeats, reference: str | None = None, confidence: float = CONFIDENCE
) -> list[Comparison]:
    """Each arm with the reference, or each two arms; p-values adjusted for all of them.

    Args:
        found: The repeats.
        reference: Name of an arm; null for all pairs.
        confidence: Of the intervals.

    Raises:
        ValueError: there is no such arm.
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
    """The comparisons with p-values by Holm's method for as many as have one."""
    every = [*made]
    p_values = iter(holm([one.p for one in every if one.p is not None]))
    return [one if one.p is None else replace(one, holm=next(p_values)) for one in every]


def compare_images(
    a: str,
    b: str,
    right_a: Sequence[bool],
    right_b: Sequence[bool],
    confidence: float = CONFIDENCE,
) -> Comparison:
    """Two networks on the same images: McNemar's exact test, and the interval of Agresti and Min.

    It is about these two networks and other images; how far other seeds would have led it cannot
    know. The interval is Wald's with half an image added to each cell (Agresti and Min 2005,
    Statistics in Medicine 24, 729).

    Args:
        a: Name of the first.
        b: Name of the second.
        right_a: Whether the first told each image right.
        right_b: The same of the second.
        confidence: Of the interval.

    Raises:
        ValueError: the images are not as many, or there are none.
    """
    first, second = np.asarray(right_a, bool), np.asarray(right_b, bool)
    n = len(first)
    if n != len(second) or not n:
        raise ValueError(
            f"right_b: must have as many images as right_a, {n}, and has {len(second)}"
        )
    only_a, only_b = int((first & ~second).sum()), int((~first & second).sum())
    # Exact with no image on which they differ too: nothing speaks against equality.
    p = float(stats.binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    apart, gap, images = only_a + only_b + 1, only_a - only_b, n + 2
    error = np.sqrt(apart - gap**2 / images) / images
    reach = stats.norm.isf((1 - confidence) / 2) * error
    interval = Interval(float(gap / images - reach), float(gap / images + reach))
    return Comparison(a, b, "McNemar", n, (), gap / n, interval, p, p)


def relative_gain(
    of_a: Mapping[int, float], of_b: Mapping[int, float], confidence: float = CONFIDENCE
) -> tuple[float, Interval | None]:
    """(a - b) / b of the means over shared seeds, with Fieller's interval; null where it has none.

    The interval holds those ratios r for which a paired t test does not tell a from r b (Fieller
    1954). Being exact for normal repeats it holds at three of them, where a bootstrap does not. It
    is unbounded where b's mean is not clear of 0, and undefined under three shared seeds.

    Args:
        of_a: Values by random seed.
        of_b: Values of what it is relative to.
        confidence: Of the interval.

    Raises:
        ValueError: they share no seed, or b's mean is 0.
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
    """A row for each comparison.

    Args:
        made: The comparisons.
    """
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
            "verdict": one.verdict,
        }
        for one in made
    ]
    numbers = dict.fromkeys(("difference", "low", "high", "p", "p_holm"), "float64")
    words = dict.fromkeys(("arm", "reference", "test", "shared_seeds", "verdict"), "str")
    names = ["arm", "reference", "test", "n", "shared_seeds", *numbers, "verdict"]
    return pd.DataFrame(rows, columns=names).astype({"n": "Int64", **numbers, **words})
