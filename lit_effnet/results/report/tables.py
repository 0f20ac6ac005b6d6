"""Tables of a section of the report: columns whose headings and cells are in all its languages."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from markupsafe import Markup

from lit_effnet.cli import format as form
from lit_effnet.cli.tables import Column, PlainTable, Row, as_html, tabulate
from lit_effnet.results.findings.arm_names import Names
from lit_effnet.results.frame.run_parts import command_of
from lit_effnet.results.report.answers import Answer
from lit_effnet.results.report.language import Language, Text
from lit_effnet.results.report.sections import CLEAN, Section
from lit_effnet.results.report.words import WORDS
from lit_effnet.results.stats.estimates import estimates
from lit_effnet.results.tables.columns import MACS, PARAMETERS
from lit_effnet.runs.folder import FINISHED

ARM_KEYS = ("arm", "reference")
DIVERGED = -1.0  # sorts below all accuracies


@dataclass(frozen=True)
class ReportTable:
    """A table of the report.

    Args:
        name: Name of the table in its files.
        title: Text above the table.
        columns: Columns, with messages for headings.
        rows: Rows, as the columns read them.
        note: Text below the table.
        runs: Number of runs that the table rests on.
        ids: An id for every row, for links; empty for none.
    """

    name: str
    title: Text
    columns: tuple[Column, ...]
    rows: Sequence[Row]
    note: Text
    runs: int
    ids: tuple[str, ...] = ()

    def plain(self, language: Language, before: str = "", *, stored: bool = False) -> PlainTable:
        """Return the table as text, for Markdown, LaTeX and CSV.

        Args:
            language: Language of the texts.
            before: Beginning of the title.
            stored: Whether arms have their stored names, which are keys in data.
        """

        def show(text: object) -> str:
            return text.of(language) if isinstance(text, Text) else str(text)

        notes = [self.note] if self.note.en else []
        title = f"{before}{show(self.title)}"
        columns = [
            replace(column, write=str) if stored and column.value in ARM_KEYS else column
            for column in self.columns
        ]
        return tabulate(columns, self.rows, title=title, notes=notes, show=show)

    def html(self) -> Markup:
        """Return the table for the page, in all languages."""
        table = tabulate(self.columns, self.rows, show=_in_both)
        return as_html(table, name=self.name, row_ids=self.ids)


def _in_both(text: object) -> str:
    if not isinstance(text, Text):
        return str(text)
    if text.en == text.zh:
        return text.en
    both = Markup('<span lang="en">{}</span><span lang="zh-Hans">{}</span>')
    return both.format(text.en, text.zh)


def _short(commit: str) -> str:
    name, plus, changes = commit.partition("+")
    return f"{name[:10]}{plus}{changes}"


def _arm(names: Names, key: str = "arm") -> Column:
    """Return a column of arms, whose values are the stored names."""
    return Column(WORDS[key], key, names.__getitem__, left=True)


COUNT = Column("n", "n", form.count)
MEAN = Column(Text("mean, %"), "mean", form.percent)
REPORT_MACS = replace(MACS, heading=Text("MACs, M"), unit="", write=form.number(",.2f", 1e-6))
DURATION = Column(Text("training, s"), "duration_s", form.number(",.1f"))
LOW, HIGH = Text("low"), Text("high")
OUTCOMES = {
    "better": Text("better"),
    "worse": Text("worse"),
    "not significant": Text("not significant"),
    "not tested": Text("not tested"),
}
ARMS = (
    *(COUNT, MEAN, Column(Text("sd"), "sd", form.percent)),
    *(Column(LOW, "t_low", form.percent), Column(HIGH, "t_high", form.percent)),
    replace(
        PARAMETERS,
        heading=Text("parameters, M"),
        unit="",
        write=form.number(",.3f", 1e-6),
        optional=True,
    ),
    replace(REPORT_MACS, optional=True),
    Column(Text("latency, ms"), "latency_ms", form.number(",.2f"), optional=True),
    replace(DURATION, optional=True),
)
COMPARISONS = (
    Column(Text("difference, points"), "difference", form.points),
    *(Column(LOW, "low", form.points), Column(HIGH, "high", form.points)),
    *(COUNT, Column(Text("test"), "test", left=True)),
    Column("p", "p", form.number(".3f")),
    Column(Text("p (Holm)"), "holm", form.number(".3f")),
    Column(Text("result"), "outcome", OUTCOMES.__getitem__, left=True),
)
CONDITIONS = (Column(Text("condition"), "condition", left=True), COUNT, MEAN)
RUNS = (
    Column(Text("seed"), "seed", form.count),
    Column(Text("value, %"), "value", form.percent),
    Column(Text("status"), "status", left=True),
    DURATION,
    Column(Text("device"), "device", left=True),
    Column(Text("commit"), "commit", _short, left=True),
    Column(Text("run"), "run", left=True),
    Column(Text("command to repeat"), "command", left=True),
)


def arms_table(answer: Answer, value: str, confidence: float, names: Names) -> ReportTable:
    """Return each arm's repeats and costs, the highest mean first."""
    costs = ["parameters", "macs", "latency_ms", "duration_s"]
    medians = answer.frame.groupby("arm")[costs].median().astype(float)
    estimated = estimates(answer.found, confidence).sort_values("mean", ascending=False)
    count = sum(len(values) for values in answer.found.values.values())
    note = Text(
        "{value}. low..high: Student's {confidence:g} % interval of the mean over seeds, on the "
        "same images.",
        value=WORDS[value],
        confidence=100 * confidence,
    )
    rows = _records(estimated.join(medians, on="arm"))
    return ReportTable(
        "arms", Text("Arms and their costs"), (_arm(names), *ARMS), rows, note, count
    )


def comparisons_table(answer: Answer, confidence: float, names: Names) -> ReportTable | None:
    """Return each comparison that was made; None if there is none."""
    made = [(family.title, one) for family in answer.families for one in family.made]
    if not made:
        return None
    rows = [
        {
            "family": title.en or None,
            "arm": one.a,
            "reference": one.b,
            "low": one.interval and one.interval.low,
            "high": one.interval and one.interval.high,
            "outcome": one.outcome,
            **{name: getattr(one, name) for name in ("difference", "n", "test", "p", "holm")},
        }
        for title, one in made
    ]
    titles = {title.en: title for title, _ in made}
    family = Column(Text("group"), "family", titles.__getitem__, left=True, optional=True)
    compared = {arm for _, one in made for arm in (one.a, one.b)}
    note = Text(
        "Paired t-test over shared seeds, Welch's t-test over all repeats where fewer than three "
        "seeds are shared. low..high: {confidence:g} % interval, not corrected. p (Holm) is "
        "corrected for all {count} comparisons of this table; a difference is significant below "
        "0.05.",
        confidence=100 * confidence,
        count=sum(one.p is not None for _, one in made),
    )
    count = sum(len(values) for arm, values in answer.found.values.items() if arm in compared)
    columns = (family, _arm(names), _arm(names, "reference"), *COMPARISONS)
    return ReportTable("comparisons", Text("Comparisons"), columns, rows, note, count)


def conditions_table(section: Section, value: str) -> ReportTable | None:
    """Return means of the arms under each condition but the clean one; None if there is none."""
    frame = section.rows
    known = (frame["condition"] != CLEAN) & frame[value].notna() & (frame["status"] == FINISHED)
    frame = frame[known]
    if frame.empty:
        return None
    keys = ["arm", "condition", "condition_parameters", "severity"]
    rows = []
    for (arm, condition, parameters, severity), group in frame.groupby(keys, dropna=False):
        level = "" if parameters == "{}" else str(parameters).strip("{}").replace('"', "")
        name = f"{condition} {severity if pd.notna(severity) else level}".strip()
        mean = float(group[value].mean())
        rows.append({"arm": arm, "condition": name, "n": len(group), "mean": mean})
    note = Text("Means of {value} over the finished repeats.", value=WORDS[value])
    count = int(frame["run"].nunique())
    columns = (_arm(section.names), *CONDITIONS)
    return ReportTable("conditions", Text("Other conditions"), columns, rows, note, count)


def rates_columns(rates: Sequence[float], names: Names) -> tuple[Column, ...]:
    """Return the columns of a table of learning rates, whose keys are `arm`, `macs` and `best`.

    Args:
        rates: Learning rates; the key of each is the rate as text.
        names: Names of the arms for readers.
    """

    def write(accuracy: float) -> Text | str:
        return Text("diverged") if accuracy == DIVERGED else form.percent(accuracy)

    return (
        *(_arm(names), REPORT_MACS),
        *(Column(f"{rate:g}", f"{rate:g}", write) for rate in rates),
        Column(Text("best"), "best", form.plain),
    )


def runs_table(section: Section, value: str, ids: Mapping[str, str]) -> ReportTable:
    """Return every run of a section with its state, its value, and the command that repeats it."""
    clean = section.clean.drop_duplicates("run").set_index("run")[value]
    rows = [
        {
            **row,
            "value": clean.get(row["run"]),
            "command": command_of(row["run"]) or _fit(row["run"]),
        }
        for row in _records(section.runs)
    ]
    run_ids = tuple(ids[row["run"]] for row in rows)
    columns = (_arm(section.names), *RUNS)
    return ReportTable("runs", Text("Runs"), columns, rows, WORDS[value], len(rows), run_ids)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Return the rows of a frame, None for unknown cells."""
    rows: list[dict[str, Any]] = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return rows


def _fit(run: str) -> str:
    return f"python -m lit_effnet.fit --config {shlex.quote(f'{run}/config.yaml')}"
