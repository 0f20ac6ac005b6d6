"""The answer of a section: which comparisons its question asks for, and what they come to in words.

All comparisons of a section are one family for Holm's correction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from lit_effnet.results.findings.arm_names import arm_names
from lit_effnet.results.findings.questions import Question, arms_like, reference_of
from lit_effnet.results.frame.records import FINISHED
from lit_effnet.results.report.language import Text, same
from lit_effnet.results.report.sections import Section, without_part
from lit_effnet.results.report.wording import Family, sentences
from lit_effnet.results.report.words import cost_text
from lit_effnet.results.stats.comparison import adjusted, compare
from lit_effnet.results.stats.equal_cost import Group, around, groups_of
from lit_effnet.results.stats.estimates import Repeats, repeats

NOISE = "gaussian_noise"


@dataclass(frozen=True)
class Answer:
    """Answer to the question of a section.

    Args:
        sentences: Sentences of the answer.
        families: Comparisons behind the answer.
        found: Repeats of each arm; empty if the runs are not comparable.
        frame: Compared rows, one per run.
        settled: Whether the runs answer the question.
    """

    sentences: tuple[Text, ...]
    families: tuple[Family, ...]
    found: Repeats
    frame: pd.DataFrame
    settled: bool


def answer(
    section: Section,
    question: Question,
    value: str = "top1",
    baseline: str | None = None,
    confidence: float = 0.95,
    *,
    paired: bool = True,
) -> Answer:
    """Compare the arms of a section as its question asks.

    Args:
        section: Runs to compare.
        question: Question that the section answers.
        value: Accuracy to compare.
        baseline: Reference arm, if the section has it.
        confidence: Confidence level of the intervals.
        paired: Whether to pair repeats by seed; otherwise Welch's t-test is used.
    """
    frame = noisy_frame(section) if question.noisy else section.clean
    fallback = question.noisy and frame.empty
    frame = section.clean if fallback else frame
    noise = Text("The mean accuracy over the levels of Gaussian noise is compared.")
    clean = Text("No evaluations under noise yet; these are results on clean images:")
    before = [clean if fallback else noise] if question.noisy else []
    try:
        found = repeats(frame, value)
    except ValueError as error:
        text = Text("These runs cannot be compared: {reason}.", reason=str(error))
        return Answer((text,), (), Repeats({}, {}), frame, False)
    pairs = _pairs(frame, question, found, baseline)
    values = found.values
    made = [
        (title, [compare(a, b, values[a], values[b], confidence, paired=paired) for a, b in some])
        for title, some, _ in pairs
    ]
    flat = iter(adjusted(one for _, some in made for one in some))
    families = tuple(
        Family(title, tuple(next(flat) for _ in some), axes)
        for (title, some), (_, _, axes) in zip(made, pairs, strict=True)
    )
    said, settled = sentences(found, families, frame, question, value, names=section.names)
    return Answer((*before, *said), families, found, frame, settled)


def noisy_frame(section: Section) -> pd.DataFrame:
    """Return one row per finished run, its accuracies averaged over the levels of Gaussian noise.

    Runs that lack a level of the others are dropped.
    """
    rows = section.rows
    rows = rows[(rows["condition"] == NOISE) & (rows["status"] == FINISHED)]
    levels = rows.groupby("run")["condition_parameters"].nunique()
    if rows.empty:
        return rows
    full = levels.index[levels == rows["condition_parameters"].nunique()]
    kept = rows[rows["run"].isin(full)]
    means = kept.groupby("run")[["top1", "top5", "top1_macro"]].mean()
    first = kept.drop_duplicates("run").drop(columns=list(means)).set_index("run")
    alike = first.assign(condition="mean over noise", condition_parameters="{}", severity=pd.NA)
    return alike.join(means).reset_index()[list(rows.columns)]


Pairs = list[tuple[Text, list[tuple[str, str]], bool]]


def _pairs(frame: pd.DataFrame, question: Question, found: Repeats, baseline: str | None) -> Pairs:
    arms = list(found.values)
    if baseline is not None and baseline in found.values:
        return [(same(""), [(arm, baseline) for arm in arms if arm != baseline], False)]
    match question.way:
        case "equal cost":
            pairs = _at_equal_cost(frame, question, found)
        case "within":
            pairs = _within(frame, question, arms)
        case _:
            pairs = []
    if pairs:
        return pairs
    costs = frame.groupby("arm")["macs"].median().reindex(arms)
    cheapest = costs.idxmin() if costs.notna().any() else next(iter(arms), "")
    reference = reference_of(frame, question.references, arms) or cheapest
    return [(same(""), [(arm, str(reference)) for arm in arms if arm != reference], False)]


def _at_equal_cost(frame: pd.DataFrame, question: Question, found: Repeats) -> Pairs:
    """Rivals of the reference among the arms that take as many multiply-adds."""
    pairs: Pairs = []
    made: set[tuple[str, str]] = set()
    first, second, *_ = question.references
    arms = [*found.values]
    wanted = arms_like(frame, first, arms)
    # A rounding may miss a budget, or lack repeats, where the other one does not.
    spare = [arm for arm in arms_like(frame, second, arms) if arm not in wanted]
    groups = around(frame, wanted, spare=spare) if wanted else _by_reference(frame, question)
    for reference, group in groups.items():
        arms = [arm for arm in group.arms if arm in found.values]
        rivals = [arm for arm in arms if arm != reference and (reference, arm) not in made]
        if not rivals:
            continue
        made |= {(arm, reference) for arm in rivals}
        title = Text("At {cost}", cost=cost_text("macs", group.arms[reference]))
        pairs.append((title, [(arm, reference) for arm in rivals], True))
    return pairs


def _by_reference(frame: pd.DataFrame, question: Question) -> dict[str, Group]:
    """Arms of nearly one cost by the reference among them, where the wanted one is not there."""
    groups = groups_of(frame, "macs")
    named = [(reference_of(frame, question.references, [*group.arms]), group) for group in groups]
    return {reference: group for reference, group in named if reference is not None}


def _within(frame: pd.DataFrame, question: Question, arms: Sequence[str]) -> Pairs:
    """Arms that differ in the factor alone, and within each of its values all with a reference."""
    factor = question.factor or "recipe"
    first = frame.drop_duplicates("arm").set_index("arm").reindex(arms)
    values = [str(value) for value in first[factor].dropna().unique()]
    bare = {arm: without_part(arm, str(first.loc[arm, factor])) for arm in arms}
    if len(values) < 2:
        return []
    of = {(bare[arm], str(first.loc[arm, factor])): arm for arm in arms}
    low, *others = values
    pairs: Pairs = []
    for value in others:
        some = [
            (of[name, value], of[name, low])
            for name in dict.fromkeys(bare.values())
            if (name, value) in of and (name, low) in of
        ]
        pairs.append((Text("{value} against {other}", value=value, other=low), some, False))
    names = arm_names(first.reset_index(drop=True).assign(arm=[*bare.values()]))
    for value in values:
        here = [arm for arm in arms if str(first.loc[arm, factor]) == value]
        costs = first.loc[here, "macs"].astype(float)
        reference = reference_of(frame, question.references, here) or str(costs.idxmin())
        some = [(arm, reference) for arm in here if arm != reference]
        pairs.append(
            (
                Text("Within {value}, against {arm}", value=value, arm=names[bare[reference]]),
                some,
                False,
            )
        )
    return [one for one in pairs if one[1]]
