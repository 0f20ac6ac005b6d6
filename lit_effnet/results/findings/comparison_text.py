"""The sentence that states a comparison, for the report, the notebooks and the terminal.

print(comparison_text(compare("a", "b", of_a, of_b)).en)
# No significant difference between a and b: -3.7 points [-9.1, +1.7] (paired t-test, 3 seeds,
# p = 0.12, Holm-corrected for 3 comparisons).
"""

from lit_effnet.cli import format
from lit_effnet.results.findings.arm_names import Names
from lit_effnet.results.report.language import Text, joined
from lit_effnet.results.stats.comparison import Comparison
from lit_effnet.results.stats.estimates import FEWEST


def comparison_text(comparison: Comparison, names: Names | None = None) -> Text:
    """Return a comparison of two accuracies as a sentence; differences are a minus b, in points.

    The outcome follows the corrected p-value. The interval is not corrected, so it may exclude 0
    although the difference is not significant.

    Args:
        comparison: Comparison of two arms.
        names: Names of the arms for readers; by default the stored ones.
    """
    names = names or {}
    arms = {side: names.get(arm, arm) for side, arm in (("a", comparison.a), ("b", comparison.b))}
    if comparison.difference is None or comparison.interval is None:
        reason = untested_text(comparison)
        return Text("{a} and {b} cannot be compared: {reason}.", **arms, reason=reason)
    difference = Text(
        "{points} points [{low}, {high}] ({test}, {p})",
        points=points(comparison.difference),
        low=points(comparison.interval.low),
        high=points(comparison.interval.high),
        test=_test_text(comparison),
        p=_p_text(comparison),
    )
    values = {**arms, "difference": difference}
    if comparison.outcome == "better":
        return Text("{a} is better than {b}: {difference}.", **values)
    if comparison.outcome == "worse":
        return Text("{a} is worse than {b}: {difference}.", **values)
    return Text("No significant difference between {a} and {b}: {difference}.", **values)


def with_repeats_needed(comparison: Comparison, names: Names | None = None) -> Text:
    """Return the sentence, and for a paired test without a significant difference its power."""
    sentence = comparison_text(comparison, names)
    if comparison.outcome != "not significant" or comparison.test != "paired t":
        return sentence
    if count := comparison.repeats_needed:
        power = Text("{n} seeds would detect a difference this large with 80 % power.", n=count)
    else:
        power = Text("A difference this small is within the variation between seeds.")
    return joined([sentence, power])


def untested_text(comparison: Comparison) -> Text:
    """Return the reason why there is no test."""
    if comparison.n >= FEWEST:
        return Text("the differences have no variance")
    return Text(
        "{n} repeat(s) to compare, but a test needs {fewest}", n=comparison.n, fewest=FEWEST
    )


def points(fraction: float) -> str:
    """Return a difference of fractions in percentage points: "-3.7", with a minus sign."""
    return format.points(fraction).replace("-", "\u2212")


def _test_text(comparison: Comparison) -> Text:
    if comparison.test == "paired t":
        return Text("paired t-test, {n} seeds", n=comparison.n)
    if comparison.test == "McNemar":
        return Text("McNemar's test, {n} images", n=comparison.n)
    if comparison.shared:
        values = {"n": comparison.n, "shared": comparison.shared}
        return Text("Welch's t-test, n = {n}, only {shared} shared seed(s)", **values)
    return Text("Welch's t-test, n = {n}", n=comparison.n)


def _p_text(comparison: Comparison) -> Text:
    p = f"{comparison.holm:.2g}"
    if comparison.family == 1:
        return Text("p = {p}", p=p)
    count = comparison.family
    return Text("p = {p}, Holm-corrected for {count} comparisons", p=p, count=count)
