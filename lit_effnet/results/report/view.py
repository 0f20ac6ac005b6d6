"""The parts of a section on the page, in their order."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lit_effnet.results.findings.questions import question_of
from lit_effnet.results.frame.records import FINISHED
from lit_effnet.results.report.answers import Answer, answer
from lit_effnet.results.report.charts import Chart, Key, charts_of
from lit_effnet.results.report.language import Text, joined, same
from lit_effnet.results.report.plan import Plan, Progress, plan_of
from lit_effnet.results.report.rates import rates_answer, rates_table
from lit_effnet.results.report.sections import Section
from lit_effnet.results.report.tables import (
    ReportTable,
    arms_table,
    comparisons_table,
    conditions_table,
    runs_table,
)
from lit_effnet.results.report.words import WORDS


@dataclass(frozen=True)
class View:
    """A section, ready for the page.

    Args:
        key: Prefix of its files and links.
        group: Group of its runs.
        setting: Images, split and length of the training.
        question: Question of the sweep.
        answer: Answer of the runs.
        charts: Figures.
        legend: Legend of the figures.
        tables: Tables, without the one of the runs.
        runs: Table of the runs.
        notes: Remarks on the runs for readers.
        unfinished: Runs that have not finished, with the reason.
        missing: Trials of the sweep file without a run.
        missing_text: Number of missing trials, as text.
    """

    key: str
    group: str
    setting: Text
    question: Text
    answer: Answer
    charts: tuple[Chart, ...]
    legend: tuple[Key, ...]
    tables: tuple[ReportTable, ...]
    runs: ReportTable
    notes: tuple[Text, ...]
    unfinished: tuple[str, ...]
    missing: tuple[str, ...]
    missing_text: Text

    @property
    def sentences(self) -> tuple[Text, ...]:
        """Sentences of the answer."""
        return self.answer.sentences

    @property
    def settled(self) -> bool:
        """Whether the runs answer the question."""
        return self.answer.settled


def view(
    section: Section,
    plans: Mapping[str, Plan],
    value: str = "top1",
    baseline: str | None = None,
    confidence: float = 0.95,
    *,
    paired: bool = True,
) -> View:
    """Answer a section's question, and make its figures and tables.

    Args:
        section: Runs to show.
        plans: Plans of the known sweep files, by name.
        value: Accuracy to compare.
        baseline: Reference arm, if the section has it.
        confidence: Confidence level of the intervals.
        paired: Whether to pair repeats by seed; otherwise Welch's t-test is used.
    """
    question = question_of(section.group)
    of_rates = question.way == "rates" and baseline is None
    if of_rates:
        result = rates_answer(section, value)
    else:
        result = answer(section, question, value, baseline, confidence, paired=paired)
    ids = {run: f"{section.key}-run-{n}" for n, run in enumerate(section.runs["run"], start=1)}
    count = sum(len(of_arm) for of_arm in result.found.values.values())
    charts, legend = charts_of(
        section, result, question, value=value, confidence=confidence, ids=ids
    )
    tables: list[ReportTable | None] = []
    if count:
        tables += [
            arms_table(result, value, confidence, section.names),
            comparisons_table(result, confidence, section.names),
        ]
    if of_rates:
        tables.append(rates_table(section, value))
    tables.append(conditions_table(section, value))
    plan = plan_of(section.group, plans)
    statuses = dict(zip(section.runs["run"], section.runs["status"], strict=True))
    progress = plan.progress({**section.others, **statuses}) if plan else None
    return View(
        section.key,
        section.group,
        setting(section, progress),
        question.text,
        result,
        charts,
        legend,
        tuple(table for table in tables if table),
        runs_table(section, value, ids),
        tuple(_notes(section)),
        tuple(_unfinished(section)),
        progress.missing if progress else (),
        _missing(progress) if progress else same(""),
    )  # fmt: skip


def setting(section: Section, progress: Progress | None = None) -> Text:
    """Return data set, split, length of training, settings of the experiment, and progress."""
    parts = [same(section.data)] if section.data else []
    parts.append(WORDS.get(section.split, same(section.split)))
    if section.epochs is not None:
        text = Text("{count} epochs") if section.epochs != 1 else Text("{count} epoch")
        parts.append(text.filled(count=section.epochs))
    if section.images is not None:
        parts.append(Text("{count:,} images seen in training", count=section.images))
    parts += map(same, section.settings)
    parts.append(_finished(section, progress))
    return joined(parts, same(" · "))


def _finished(section: Section, progress: Progress | None) -> Text:
    if progress is None:
        total, done = len(section.runs), int((section.runs["status"] == FINISHED).sum())
        return Text("{count} of {total} runs finished", count=done, total=total)
    counts = {"count": progress.done, "total": progress.trials}
    parts = [Text("{count} of {total} trials finished", **counts)]
    if progress.unfinished:
        parts.append(Text("{count} not finished", count=progress.unfinished))
    if progress.missing:
        parts.append(Text("{count} without a run", count=len(progress.missing)))
    return joined(parts, Text(", "))


def _missing(progress: Progress) -> Text:
    counts = {"count": len(progress.missing), "total": progress.trials}
    text = Text("{count} of the {total} trials of {file} have no run here yet.", **counts)
    return text.filled(file=progress.file)


def _notes(section: Section) -> list[Text]:
    notes = []
    if section.left_out:
        notes.append(
            Text(
                "{count} finished run(s) repeat the arm and seed of another run; the latest one "
                "counts.",
                count=len(section.left_out),
            )
        )
    devices = [*section.runs["device"].dropna().unique()]
    if len(devices) > 1:
        notes.append(
            Text(
                "The runs are from {count} devices ({devices}); do not compare training times.",
                count=len(devices),
                devices=joined([*map(same, devices)], Text(", ")),
            )
        )
    return notes


def _unfinished(section: Section) -> list[str]:
    rows = section.runs[section.runs["status"] != FINISHED]
    return [", ".join(str(part) for part in _state(row) if part) for row in rows.to_dict("records")]


def _state(row: Mapping[str, Any]) -> list[str]:
    epochs, planned, reason, seed = (
        row[name] if pd.notna(row[name]) else None
        for name in ("epochs", "planned_epochs", "reason", "seed")
    )
    of = f"/{planned}" if planned is not None else ""
    return [
        str(row["arm"]),
        f"seed {seed}" if seed is not None else "",
        str(row["status"]),
        f"epoch {epochs}{of}" if epochs is not None else "",
        str(reason or ""),
        str(row["run"]),
    ]
