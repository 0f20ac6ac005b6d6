"""Sweeps over learning rates: the best rate of each arm, and the order of the arms."""

from collections.abc import Iterator, Mapping, Sequence

import pandas as pd
from scipy import stats

from lit_effnet.results.findings.arm_names import Names
from lit_effnet.results.frame.records import FINISHED
from lit_effnet.results.report.answers import Answer
from lit_effnet.results.report.language import Text, joined
from lit_effnet.results.report.sections import RATE, Section, without_part
from lit_effnet.results.report.tables import DIVERGED, ReportTable, rates_columns
from lit_effnet.results.report.words import WORDS
from lit_effnet.results.stats.estimates import Repeats
from lit_effnet.results.stats.learning_rates import best_rates, trials


def rates_answer(section: Section, value: str = "top1") -> Answer:
    """Return the best rate of each arm, and how the order of the arms depends on the rates.

    Args:
        section: Runs of arms at several learning rates, with equal trials for each.
        value: Accuracy that chooses.
    """
    frame = by_arm(section)
    try:
        best = best_rates(frame, value).of_arm
    except ValueError as error:
        text = Text("No rate can be chosen for each arm: {reason}.", reason=str(error))
        return Answer((text,), (), Repeats({}, {}), frame, False)
    tries = trials(frame, value)
    means = rate_means(tries, value)
    texts = [
        _best_text(best, means, tries, section.names),
        *_edge_texts(best, sorted(means.columns)),
    ]
    if len(best) > 2:
        common = means.mean().idxmax()
        tau = stats.kendalltau(means.max(axis=1), means[common]).statistic
        texts.append(
            Text(
                "Kendall's tau is {tau} between the order of the arms at their own best rates and "
                "at {rate}, the best common rate (1 is the same order).",
                tau=f"{tau:.2f}",
                rate=f"{common:g}",
            )
        )
    return Answer(tuple(texts), (), Repeats({}, {}), frame, True)


def _best_text(
    best: Mapping[str, float], means: pd.DataFrame, tries: pd.DataFrame, names: Names
) -> Text:
    arms_of: dict[float, list[Text]] = {}
    for arm, rate in best.items():
        arms_of.setdefault(rate, []).append(names[arm])
    parts = [
        Text("{rate} ({arms})", rate=f"{rate:g}", arms=joined(arms_of[rate], Text("; ")))
        for rate in sorted(arms_of)
    ]
    return Text(
        "Best of {count} rates, with {n} trial(s) of each: {rates}.",
        count=len(means.columns),
        n=int(tries.groupby(["arm", "learning_rate"])["seed"].nunique().max()),
        rates=joined(parts, Text(", ")),
    )


def _edge_texts(best: Mapping[str, float], rates: Sequence[float]) -> Iterator[Text]:
    """Yield a sentence for each end of the rates that is the best of some arms."""
    for rate, text in (
        (
            rates[0],
            Text(
                "{rate} is the lowest rate tried and the best for {count} of {total} arms: a lower "
                "one may be better."
            ),
        ),
        (
            rates[-1],
            Text(
                "{rate} is the highest rate tried and the best for {count} of {total} arms: a "
                "higher one may be better."
            ),
        ),
    ):
        if count := sum(of_arm == rate for of_arm in best.values()):
            yield text.filled(rate=f"{rate:g}", count=count, total=len(best))


def by_arm(section: Section) -> pd.DataFrame:
    """Return the rows of a section, with the learning rate removed from the names of the arms."""
    rows = section.rows
    return rows.assign(arm=[without_part(arm, f"{RATE}=") for arm in rows["arm"]])


def rate_means(tries: pd.DataFrame, value: str) -> pd.DataFrame:
    """Return means of a value by arm (rows, the cheapest first) and by rate (columns).

    Args:
        tries: Rows of `learning_rates.trials`.
        value: Accuracy.
    """
    means = tries.pivot_table(index="arm", columns="learning_rate", values=value)
    costs = tries.groupby("arm")["macs"].median().astype(float)
    return means.loc[costs.loc[means.index].sort_values(kind="stable").index]


def rates_table(section: Section, value: str) -> ReportTable | None:
    """Return the table of accuracy by arm and rate, with the best rate; None for a single rate."""
    tries = trials(by_arm(section), value)
    means = rate_means(tries, value)
    if len(means.columns) < 2:
        return None
    costs = tries.groupby("arm")["macs"].median().astype(float)
    failed = tries[tries["status"] != FINISHED]
    diverged = {*zip(failed["arm"], failed["learning_rate"], strict=True)}
    rows = [
        {
            "arm": arm,
            "macs": costs[arm],
            "best": None if row.isna().any() else row.idxmax(),
            **{
                f"{rate:g}": DIVERGED if (arm, rate) in diverged else accuracy
                for rate, accuracy in row.items()
            },
        }
        for arm, row in means.iterrows()
    ]
    note = Text("{value} of each arm at each rate.", value=WORDS[value])
    columns, count = rates_columns([*means.columns], section.names), int(tries["run"].nunique())
    return ReportTable("rates", Text("Arms by learning rate"), columns, rows, note, count)
