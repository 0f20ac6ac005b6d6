"""Tables of a section, each cell with what it shows and what it is sorted by."""

import math
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from lit_effnet.cli.tables import PlainTable
from lit_effnet.results.frame.run_parts import command_of
from lit_effnet.results.report.answers import Answer
from lit_effnet.results.report.language import Language, Text, same
from lit_effnet.results.report.sections import CLEAN, Section
from lit_effnet.results.report.words import WORDS, arm_text
from lit_effnet.results.stats.comparison import POINTS, Comparison
from lit_effnet.results.stats.estimates import estimates

COSTS = ("parameters", "macs", "latency_ms", "duration_s")


@dataclass(frozen=True)
class Cell:
    """What stands in a table.

    Args:
        text: As it is shown.
        key: What it is sorted by: a number, or a text; null for what is not known, sorted last.
    """

    text: Text
    key: float | str | None = None


@dataclass(frozen=True)
class ReportTable:
    """A table of the report.

    Args:
        name: Of its files.
        title: Above it.
        headings: Of its columns.
        numeric: Whether each column holds numbers.
        rows: Cells, one for every column.
        note: Below it.
        runs: How many runs it rests on.
        ids: Of the rows, for links; empty for none.
    """

    name: str
    title: Text
    headings: tuple[Text, ...]
    numeric: tuple[bool, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: Text
    runs: int
    ids: tuple[str, ...] = ()

    def plain(self, language: Language, before: str = "") -> PlainTable:
        """The table as text, for Markdown, LaTeX and CSV.

        Args:
            language: Of its words.
            before: What its title begins with.
        """
        note = self.note.of(language)
        return PlainTable(
            f"{before}{self.title.of(language)}",
            tuple(heading.of(language) for heading in self.headings),
            tuple(tuple(cell.text.of(language) for cell in row) for row in self.rows),
            (note,) if note else (),
            "".join("r" if numeric else "l" for numeric in self.numeric),
        )


def arms_table(answer: Answer, value: str, confidence: float) -> ReportTable:
    """Each arm's repeats and costs, the highest mean first."""
    frame = answer.frame
    found = estimates(answer.found, confidence).sort_values("mean", ascending=False)
    costs = [name for name in COSTS if frame[name].notna().any()]
    medians = frame.groupby("arm")[costs].median().astype(float)
    names = ("arm", "n", "mean", "sd", "low", "high", *costs)
    rows = []
    for row in found.to_dict("records"):
        numbers = [percent(row[name]) for name in ("mean", "sd", "t_low", "t_high")]
        rows.append(
            (
                arm_cell(row["arm"]),
                number_cell(row["n"], "{:.0f}".format),
                *numbers,
                *(number_cell(medians.loc[row["arm"], name], FORMATS[name]) for name in costs),
            )
        )
    note = WORDS["note_arms"].filled(value=WORDS[value], confidence=100 * confidence)
    return ReportTable(
        "arms", WORDS["table_arms"], tuple(WORDS[name] for name in names),
        (False, *[True] * (len(names) - 1)), tuple(rows), note,
        sum(len(of_arm) for of_arm in answer.found.values.values()),
    )  # fmt: skip


def comparisons_table(answer: Answer, confidence: float) -> ReportTable | None:
    """Each comparison that was made; null for none."""
    made = [(family.title, one) for family in answer.families for one in family.made]
    if not made:
        return None
    titled = any(title.en for title, _ in made)
    names = ["arm", "reference", "difference", "low", "high", "n"]
    names += ["test_used", "p", "p_holm", "verdict"]
    rows = []
    for title, one in made:
        interval = one.interval
        cells = (
            arm_cell(one.a),
            arm_cell(one.b),
            points(one.difference),
            points(interval and interval.low),
            points(interval and interval.high),
            number_cell(one.n, "{:.0f}".format),
            text_cell(one.test),
            number_cell(one.p, "{:.3f}".format),
            number_cell(one.holm, "{:.3f}".format),
            Cell(WORDS[verdict(one)], verdict(one)),
        )
        rows.append((Cell(title, title.en), *cells) if titled else cells)
    numeric = [name not in ("arm", "reference", "test_used", "verdict") for name in names]
    if titled:
        names, numeric = ["family", *names], [False, *numeric]
    tested = sum(one.p is not None for _, one in made)
    note = WORDS["note_comparisons"].filled(confidence=100 * confidence, count=tested)
    used = {arm for _, one in made for arm in (one.a, one.b)}
    return ReportTable(
        "comparisons", WORDS["table_comparisons"], tuple(WORDS[name] for name in names),
        tuple(numeric), tuple(rows), note,
        sum(len(of) for arm, of in answer.found.values.items() if arm in used),
    )  # fmt: skip


def verdict(one: Comparison) -> str:
    """What a comparison comes to for its first arm: better, worse, none or untested."""
    if one.p is None or one.difference is None:
        return "untested"
    if not one.shown:
        return "none"
    return "better" if one.difference > 0 else "worse"


def conditions_table(section: Section, value: str) -> ReportTable | None:
    """Means of the arms under each condition but the clean one; null for none."""
    rows = section.rows
    rows = rows[(rows["condition"] != CLEAN) & rows[value].notna() & (rows["status"] == "finished")]
    if rows.empty:
        return None
    keys = ["arm", "condition", "condition_parameters", "severity"]
    cells = []
    for (arm, condition, parameters, severity), some in rows.groupby(keys, dropna=False):
        level = f" {severity}" if pd.notna(severity) else ""
        told = "" if parameters == "{}" or level else f" {str(parameters).strip('{}')}"
        name = f"{condition}{level}{told}".replace('"', "")
        mean = percent(float(some[value].mean()))
        cells.append(
            (arm_cell(arm), text_cell(name), number_cell(len(some), "{:.0f}".format), mean)
        )
    names = ("arm", "condition", "n", "mean")
    note = WORDS["note_conditions"].filled(value=WORDS[value])
    return ReportTable(
        "conditions", WORDS["table_conditions"], tuple(WORDS[name] for name in names),
        (False, False, True, True), tuple(cells), note, int(rows["run"].nunique()),
    )  # fmt: skip


def runs_table(section: Section, value: str, ids: Mapping[str, str]) -> ReportTable:
    """Every run of a section: its state, its value, and how to repeat it."""
    clean = section.clean.drop_duplicates("run").set_index("run")[value]
    rows = []
    for row in section.runs.to_dict("records"):
        run = str(row["run"])
        rows.append(
            (
                arm_cell(row["arm"]),
                number_cell(row["seed"], "{:.0f}".format),
                percent(clean.get(run)),
                text_cell(row["status"]),
                number_cell(row["duration_s"], FORMATS["duration_s"]),
                text_cell(row["device"]),
                text_cell(_short(row["commit"])),
                text_cell(run),
                text_cell(_repeating(run) if (made_by := command_of(run)) is None else made_by),
            )
        )
    names = (
        *("arm", "seed", "value", "status", "duration_s"),
        *("device", "commit", "run", "command"),
    )
    return ReportTable(
        "runs", WORDS["table_runs"], tuple(WORDS[name] for name in names),
        tuple(name in ("seed", "value", "duration_s") for name in names), tuple(rows),
        WORDS[value], len(rows), tuple(ids[str(run)] for run in section.runs["run"]),
    )  # fmt: skip


def _repeating(run: str) -> str:
    return f"python -m lit_effnet.fit --config {shlex.quote(f'{run}/config.yaml')}"


def text_cell(value: object) -> Cell:
    """A text; empty where it is not known."""
    told = "" if _missing(value) else str(value)
    return Cell(same(told), told.lower() or None)


def arm_cell(arm: object) -> Cell:
    """An arm's name."""
    return Cell(arm_text(str(arm)), str(arm).lower())


def number_cell(value: Any, form: Callable[[float], str]) -> Cell:
    """A number; empty where it is not known."""
    if _missing(value):
        return Cell(same(""))
    return Cell(same(form(float(value)).replace("-", "\u2212")), float(value))


def percent(fraction: Any) -> Cell:
    """A fraction in percent."""
    return number_cell(None if _missing(fraction) else POINTS * fraction, "{:.1f}".format)


def points(fraction: Any) -> Cell:
    """A difference of fractions in percentage points."""
    return number_cell(None if _missing(fraction) else POINTS * fraction, "{:+z.1f}".format)


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value))


def _short(commit: Any) -> str:
    if _missing(commit):
        return ""
    name, plus, changes = str(commit).partition("+")
    return f"{name[:10]}{plus}{changes}"


FORMATS: dict[str, Callable[[float], str]] = {
    "parameters": lambda value: f"{value / 1e6:,.3f}",
    "macs": lambda value: f"{value / 1e6:,.2f}",
    "latency_ms": "{:,.2f}".format,
    "duration_s": "{:,.1f}".format,
}
