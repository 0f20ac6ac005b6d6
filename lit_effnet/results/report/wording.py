"""What comparisons come to in words."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from lit_effnet.results.figures.pareto import arm_points, pareto_front
from lit_effnet.results.findings.questions import Question
from lit_effnet.results.report.language import Text, joined, same
from lit_effnet.results.report.words import WORDS, arm_text, number
from lit_effnet.results.stats.comparison import ALPHA, POINTS, Comparison
from lit_effnet.results.stats.estimates import FEWEST, Repeats, repeats_needed

MOST_NEEDED = 1000  # more repeats than that are no plan
MOST_TOLD = 3  # differences in words; the table has them all


@dataclass(frozen=True)
class Family:
    """Comparisons that belong together.

    Args:
        title: What they have in common; empty where nothing needs to be said.
        made: The comparisons, each of an arm with a reference.
        axes: The reference against its best rival is what counts.
    """

    title: Text
    made: tuple[Comparison, ...]
    axes: bool = False


def reference_of(arms: Sequence[str], patterns: Sequence[str]) -> str | None:
    """The first arm that the first fitting pattern finds; null for none."""
    fitting = (arm for pattern in patterns for arm in arms if re.search(pattern, arm))
    return next(fitting, None)


def sentences(
    found: Repeats,
    families: Sequence[Family],
    frame: pd.DataFrame,
    question: Question,
    value: str,
) -> tuple[list[Text], bool]:
    """The answer in words, and whether there is one."""
    made = [one for family in families for one in family.made]
    most = max((len(of_arm) for of_arm in found.values.values()), default=0)
    if not most:
        return [WORDS["no_repeats"]], False
    if len(found.values) == 1:
        return [WORDS["one_arm"].filled(arm=arm_text(next(iter(found.values))))], False
    if all(one.p is None for one in made):
        best = max(found.values, key=lambda arm: float(np.mean([*found.values[arm].values()])))
        mean = float(np.mean([*found.values[best].values()]))
        said = [_why_none(made)]
        said.append(WORDS["highest"].filled(arm=arm_text(best), value=number(mean)))
        return said, False
    said, tests = [], sum(one.p is not None for one in made)
    for family in families:
        said += _of_family(family, found, question, tests)
    if families and not families[0].axes:
        front = _front(frame, question, value)
        said += [front] if front else []
    return said, True


def _why_none(made: Sequence[Comparison]) -> Text:
    n = max((one.n for one in made), default=0)
    return WORDS["equal"] if n >= FEWEST else WORDS["too_few"].filled(n=n, fewest=FEWEST)


def _of_family(family: Family, found: Repeats, question: Question, tests: int) -> list[Text]:
    before = family.title + WORDS["colon"] if family.title.en else same("")
    tested = [one for one in family.made if one.p is not None]
    if not tested:
        return [before + _why_none(family.made)]
    if family.axes:
        rivals = [one for one in tested if reference_of([one.a], question.references) is None]
        best = max(rivals or tested, key=lambda one: one.difference or 0)
        return [before + sentence(mirrored(best), found, tests)]
    shown = sorted((one for one in tested if one.shown), key=lambda one: -abs(one.difference or 0))
    if not shown:
        largest = max(tested, key=lambda one: abs(one.difference or 0))
        start = WORDS["none_shown"].filled(count=len(tested))
        if len(tested) == 1:
            return [before + sentence(largest, found, tests)]
        return [before + joined([start, WORDS["largest"] + sentence(largest, found, tests)])]
    start = WORDS["some_shown"].filled(count=len(shown), total=len(tested))
    told = [sentence(one, found, tests) for one in shown[:MOST_TOLD]]
    return [before + joined([start, *told] if len(tested) > 1 else told)]


def mirrored(one: Comparison) -> Comparison:
    """The same comparison seen from the other arm."""
    turned = one.interval and replace(one.interval, low=-one.interval.high, high=-one.interval.low)
    gap = None if one.difference is None else -one.difference
    return replace(one, a=one.b, b=one.a, difference=gap, interval=turned)


def sentence(one: Comparison, found: Repeats, tests: int) -> Text:
    """One comparison of two accuracies in words, in percentage points.

    Args:
        one: The comparison.
        found: The repeats that it is of.
        tests: How many were made at once, for which its p-value is corrected.
    """
    if one.difference is None or one.interval is None:
        n = WORDS["cannot"].filled(a=arm_text(one.a), b=arm_text(one.b))
        return joined([n, _why_none([one])])
    kind = "paired" if one.test == "paired t" else "partly_shared" if one.note else "independent"
    over = WORDS[kind].filled(n=one.n, shared=one.shared)
    p = WORDS["p_corrected" if tests > 1 else "p_alone"].filled(p=f"{one.holm:.2g}", count=tests)
    if one.shown:
        won = one if one.difference > 0 else mirrored(one)
        return WORDS["beats"].filled(
            a=arm_text(won.a), b=arm_text(won.b), over=over, p=p, **_gap(won)
        )
    said = WORDS["not_shown"].filled(
        a=arm_text(one.a), b=arm_text(one.b), over=over, p=p, **_gap(one, sign="+")
    )
    if one.test == "Welch":
        return said + WORDS["end"]
    needed = _needed(one, found.values, tests)
    return said + (WORDS["needed"].filled(n=needed) if needed else WORDS["needed_many"])


def _gap(one: Comparison, sign: str = "") -> dict[str, str]:
    assert one.difference is not None
    assert one.interval is not None
    numbers = {"gap": one.difference, "low": one.interval.low, "high": one.interval.high}
    signs = {"gap": sign, "low": "", "high": ""}
    return {
        name: f"{POINTS * of:{signs[name]}z.1f}".replace("-", "\u2212")
        for name, of in numbers.items()
    }


def _needed(one: Comparison, values: Mapping[str, Mapping[int, float]], tests: int) -> int | None:
    """Paired repeats that would show a gap as large as was seen; null for very many.

    Holm's correction asks of the smallest p-value what Bonferroni's asks of all.
    """
    if not one.seeds or not one.difference:
        return None
    gaps = [values[one.a][seed] - values[one.b][seed] for seed in one.seeds]
    sd = float(np.std(gaps, ddof=1))
    # Only then is the search for the number short.
    if abs(one.difference) < sd / 10:
        return None
    count = repeats_needed(one.difference, sd, alpha=ALPHA / tests)
    return count if count <= MOST_NEEDED else None


def _front(frame: pd.DataFrame, question: Question, value: str) -> Text | None:
    """Which arms no other one beats at no higher cost, by the question's first cost."""
    cost = question.costs[0]
    points = arm_points(frame, cost, value)
    front = pareto_front(points, cost, value)
    kept = front[front["dominated"].eq(False).fillna(value=False)].sort_values(cost)
    spread = points[cost].max() / points[cost].min() if len(points) else 1
    if kept.empty or not spread > 1.05:
        return None
    names = [arm_text(str(arm)) for arm in kept["arm"]]
    return WORDS["front"].filled(cost=WORDS[f"cost_{cost}"], arms=joined(names, WORDS["semicolon"]))
