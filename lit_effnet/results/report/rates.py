"""A sweep over learning rates: each arm's best, and whether the order of the arms hangs on it."""

import pandas as pd
from scipy import stats

from lit_effnet.results.frame.records import FINISHED
from lit_effnet.results.report.answers import Answer
from lit_effnet.results.report.language import Text, joined, same
from lit_effnet.results.report.sections import Section
from lit_effnet.results.report.tables import (
    Cell,
    ReportTable,
    arm_cell,
    number_cell,
    percent,
    text_cell,
)
from lit_effnet.results.report.words import WORDS, arm_text
from lit_effnet.results.stats.estimates import Repeats
from lit_effnet.results.stats.learning_rates import best_rates, trials

SUFFIX = r", learning_rate=[^,]+"  # by which a section tells arms apart that differ in it alone


def rates_answer(section: Section, value: str = "top1") -> Answer:
    """The best rate of each arm by equal trials, and how the order of the arms changes with it.

    Args:
        section: The runs.
        value: The accuracy.
    """
    frame = by_arm(section)
    try:
        best = best_rates(frame, value).of_arm
    except ValueError as error:
        told = WORDS["no_rates"].filled(reason=str(error))
        return Answer((told,), (), Repeats({}, {}), frame, False)
    arms_of: dict[float, list[Text]] = {}
    for arm, rate in best.items():
        arms_of.setdefault(rate, []).append(arm_text(arm))
    parts = [
        WORDS["rate_for"].filled(rate=f"{rate:g}", arms=joined(arms_of[rate], WORDS["semicolon"]))
        for rate in sorted(arms_of)
    ]
    tries = trials(frame, value)
    means = rate_means(tries, value)
    each = int(tries.groupby(["arm", "learning_rate"])["seed"].nunique().max())
    said = [
        WORDS["best_rates"].filled(
            count=len(means.columns), n=each, told=joined(parts, WORDS["comma"])
        )
    ]
    tried = sorted(means.columns)
    for rate, word in ((tried[0], "lowest"), (tried[-1], "highest")):
        if count := len(arms_of.get(rate, [])):
            said.append(WORDS[f"at_{word}"].filled(count=count, total=len(best), rate=f"{rate:g}"))
    common = means.mean().idxmax()
    if len(best) > 2:
        tau = stats.kendalltau(means.max(axis=1), means[common]).statistic
        said.append(WORDS["order"].filled(rate=f"{common:g}", tau=f"{tau:.2f}"))
    return Answer(tuple(said), (), Repeats({}, {}), frame, True)


def by_arm(section: Section) -> pd.DataFrame:
    """The section's rows, arms named without their rate."""
    rows = section.rows
    return rows.assign(arm=rows["arm"].str.replace(SUFFIX, "", regex=True))


def rate_means(tries: pd.DataFrame, value: str) -> pd.DataFrame:
    """Means of a value by arm, from the cheapest on, and by rate.

    Args:
        tries: As `best_rates.trials` gives them.
        value: The accuracy.
    """
    means = tries.pivot_table(index="arm", columns="learning_rate", values=value)
    costs = tries.groupby("arm")["macs"].median().astype(float)
    return means.loc[costs.loc[means.index].sort_values(kind="stable").index]


def rates_table(section: Section, value: str) -> ReportTable | None:
    """Accuracy of each arm by rate, and its best of all; null where there is one rate."""
    tries = trials(by_arm(section), value)
    means = rate_means(tries, value)
    if len(means.columns) < 2:
        return None
    costs = tries.groupby("arm")["macs"].median().astype(float)
    failed = tries[tries["status"] != FINISHED]
    diverged = {*zip(failed["arm"], failed["learning_rate"], strict=True)}
    rows = [
        (
            arm_cell(arm),
            number_cell(costs[arm] / 1e6, "{:,.2f}".format),
            *(
                Cell(WORDS["diverged"], 0.0) if (arm, rate) in diverged else percent(of)
                for rate, of in row.items()
            ),
            text_cell("" if row.isna().any() else f"{row.idxmax():g}"),
        )
        for arm, row in means.iterrows()
    ]
    headings = (
        *(WORDS["arm"], WORDS["macs"]),
        *(same(f"{rate:g}") for rate in means.columns),
        WORDS["best_rate"],
    )
    note = WORDS["note_rates"].filled(value=WORDS[value])
    return ReportTable(
        "rates", WORDS["table_rates"], headings, (False, *[True] * (len(headings) - 1)),
        tuple(rows), note, int(tries["run"].nunique()),
    )  # fmt: skip
