"""Answers in words: what the comparisons of a section come to."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lit_effnet.results.figures.pareto import arm_points, pareto_front
from lit_effnet.results.findings.arm_names import Names
from lit_effnet.results.findings.comparison_text import untested_text, with_repeats_needed
from lit_effnet.results.findings.questions import Question
from lit_effnet.results.report.language import Text, joined, same
from lit_effnet.results.report.words import WORDS, number
from lit_effnet.results.stats.comparison import Comparison
from lit_effnet.results.stats.estimates import FEWEST, Repeats

MOST_SENTENCES = 3  # of one family; the table has all comparisons


@dataclass(frozen=True)
class Family:
    """Comparisons that belong together.

    Args:
        title: Heading; empty for none.
        made: Comparisons, each of an arm with a reference.
        axes: Only the reference against its best rival is stated.
    """

    title: Text
    made: tuple[Comparison, ...]
    axes: bool = False


def sentences(
    found: Repeats,
    families: Sequence[Family],
    frame: pd.DataFrame,
    question: Question,
    value: str,
    *,
    names: Names,
) -> tuple[list[Text], bool]:
    """Return the answer in sentences, and whether there is an answer.

    Args:
        found: Repeats of the arms.
        families: Comparisons of the arms.
        frame: Rows that were compared, one for each run.
        question: Question of the section.
        value: Accuracy that was compared.
        names: Names of the arms for readers.
    """
    means = {arm: float(np.mean([*of.values()])) for arm, of in found.values.items() if of}
    if not means:
        return [Text("No answer yet: no finished run has this accuracy.")], False
    if len(found.values) == 1:
        arm = names[next(iter(found.values))]
        return [Text("No answer yet: there is only one arm, {arm}.", arm=arm)], False
    made = [one for family in families for one in family.made]
    if all(one.p is None for one in made):
        best = max(means, key=means.__getitem__)
        highest = Text(
            "Highest mean so far, not tested: {arm}, {value}.",
            arm=names[best],
            value=number(means[best]),
        )
        return [_no_answer(made), highest], False
    texts = [text for family in families for text in _family_texts(family, frame, names)]
    if families and not families[0].axes and (front := _front(frame, question, value, names)):
        texts.append(front)
    return texts, True


def _no_answer(made: Sequence[Comparison]) -> Text:
    most = max(made, key=lambda one: one.n, default=Comparison("", "", None, 0, (), None))
    text = Text("No answer yet: {reason}.", reason=untested_text(most))
    more = Text("Run the same arms with more seeds (`sweep --repeats`).")
    return joined([text, more]) if most.n < FEWEST else text


def _family_texts(family: Family, frame: pd.DataFrame, names: Names) -> list[Text]:
    title = family.title + Text(": ") if family.title.en else same("")
    tested = [one for one in family.made if one.p is not None]
    if not tested:
        return [title + _no_answer(family.made)]
    if family.axes:
        compound = {*frame.loc[frame["axis"] == "compound", "arm"]}
        rivals = [one for one in tested if one.a not in compound] or tested
        tested = [max(rivals, key=lambda one: one.difference or 0)]
    if len(tested) == 1:
        return [title + with_repeats_needed(tested[0], names)]
    tested.sort(key=lambda one: -abs(one.difference or 0))
    significant = [one for one in tested if one.shown]
    if not significant:
        text = Text("None of {count} comparisons is significant. Largest: ", count=len(tested))
        return [title + text + with_repeats_needed(tested[0], names)]
    counts = {"count": len(significant), "total": len(tested)}
    start = Text("{count} of {total} comparisons are significant.", **counts)
    texts = [with_repeats_needed(one, names) for one in significant[:MOST_SENTENCES]]
    return [title + joined([start, *texts])]


def _front(frame: pd.DataFrame, question: Question, value: str, names: Names) -> Text | None:
    """Return the arms on the Pareto front of the question's first cost; None at equal costs."""
    cost = question.costs[0]
    points = arm_points(frame, cost, value)
    front = pareto_front(points, cost, value)
    kept = front[front["dominated"].eq(False).fillna(value=False)].sort_values(cost)
    spread = points[cost].max() / points[cost].min() if len(points) else 1
    if kept.empty or not spread > 1.05:
        return None
    return Text(
        "The arms differ in cost. Pareto front by {cost}: {arms}.",
        cost=WORDS[f"cost_{cost}"],
        arms=joined([names[arm] for arm in kept["arm"]], Text("; ")),
    )
