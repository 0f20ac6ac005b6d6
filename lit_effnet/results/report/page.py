"""The page, with its tables and figures beside it in files.

options = Options(value="top1")
made = views(table, options)
for path in write(steps(made, table, ["runs"], options), Path("report")):
    print(path)
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from lit_effnet.cli.tables import PlainTable, as_csv, as_html, as_latex, as_markdown
from lit_effnet.results.figures.files import FIGURES, write_figure
from lit_effnet.results.figures.interactive import inked
from lit_effnet.results.frame.table import Table
from lit_effnet.results.report.charts import Chart
from lit_effnet.results.report.fonts import chinese_font
from lit_effnet.results.report.language import LANGUAGES, Language, Text
from lit_effnet.results.report.plan import Plan
from lit_effnet.results.report.sections import sections_of
from lit_effnet.results.report.view import View, view
from lit_effnet.results.report.words import WORDS
from lit_effnet.runs.files import write_whole

PAGE = "index.html"
FORMS = {"md": as_markdown, "tex": as_latex, "csv": as_csv}


@dataclass(frozen=True)
class Options:
    """Options of a report.

    Args:
        value: Accuracy to compare: top1, top5 or top1_macro.
        baseline: Reference arm; None for the one that each question names.
        confidence: Confidence level of the intervals.
        language: Language in which the page opens.
        plans: Plans of the known sweep files, by name.
        document: Tables of the design document, shown at the end.
        paired: Whether to pair repeats by seed; otherwise Welch's t-test is used.
    """

    value: str = "top1"
    baseline: str | None = None
    confidence: float = 0.95
    language: Language = "en"
    plans: dict[str, Plan] = field(default_factory=dict)
    document: Sequence[PlainTable] = ()
    paired: bool = True


@dataclass(frozen=True)
class Step:
    """File of the report, or figure in all of its formats.

    Args:
        path: Path below the report's folder; a figure has no suffix.
        write: Function that writes it to a path.
    """

    path: str
    write: Callable[[Path], None]


def views(table: Table, options: Options) -> list[View]:
    """Return the sections of a table, ready for the page.

    Raises:
        ValueError: No section has the baseline.
    """
    how = (options.plans, options.value, options.baseline, options.confidence)
    made = [view(one, *how, paired=options.paired) for one in sections_of(table.frame)]
    if options.baseline is not None:
        arms = list(dict.fromkeys(arm for one in made for arm in one.answer.found.values))
        if options.baseline not in arms:
            some = ", ".join(map(repr, arms)) or "none: no run has finished"
            raise ValueError(f"baseline {options.baseline!r}: must be one of {some}")
    return made


def steps(made: Sequence[View], table: Table, paths: Sequence[str], options: Options) -> list[Step]:
    """Return the files of a report in writing order, the page last.

    Args:
        made: Sections of the page.
        table: Table of runs.
        paths: Folders and files that were read, named on the page.
        options: Options of the report.
    """
    found: list[Step] = []
    for one in made:
        found += _tables(one)
        found += _figures(one)
    page = html(made, table, paths, options)
    found.append(Step(PAGE, partial(write_whole, content=page.encode())))
    return found


def write(files_: Sequence[Step], folder: Path) -> Iterator[Path]:
    """Write the files one by one, each whole.

    Args:
        files_: Of `steps`.
        folder: The report's; it is made.

    Raises:
        OSError: a file cannot be written.
    """
    for name in ("tables", "figures"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for step in files_:
        path = folder / step.path
        step.write(path)
        yield path


def html(made: Sequence[View], table: Table, paths: Sequence[str], options: Options) -> str:
    """Return the page as HTML with its style and script inlined.

    Args:
        made: Sections of the page.
        table: Table of runs.
        paths: Folders and files that were read.
        options: Options of the report.
    """
    environment = Environment(
        autoescape=True,
        loader=FunctionLoader(_asset),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    when = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    context: dict[str, Any] = {
        "views": made,
        "words": WORDS,
        "language": options.language,
        "skipped": table.skipped,
        "made": WORDS["made"].filled(when=when, paths=", ".join(paths)),
        "inked": inked,
        "semicolon": Text("; "),
        "chinese_figures": chinese_font() is not None,
        "document": options.document,
        "as_html": as_html,
        # Our own files, in elements whose content is no text.
        "css": Markup(_asset("page.css")),
        "js": Markup(_asset("page.js")),
    }
    return environment.get_template("page.html").render(context)


def _asset(name: str) -> str:
    return files("lit_effnet.results.report").joinpath("page", name).read_text(encoding="utf-8")


def _tables(one: View) -> Iterator[Step]:
    for table in (*one.tables, one.runs):
        for language in LANGUAGES:
            for ending, form in FORMS.items():
                plain = table.plain(language, f"{one.group}: ", stored=ending == "csv")
                text = form(plain).encode()
                path = f"tables/{one.key}_{table.name}.{language}.{ending}"
                yield Step(path, partial(write_whole, content=text))


def _figures(one: View) -> Iterator[Step]:
    languages = [lang for lang in LANGUAGES if lang == "en" or chinese_font()]
    for chart in one.charts:
        for language in languages:
            path = f"figures/{one.key}_{chart.name}.{language}"
            yield Step(path, partial(_draw, chart, language))


def _draw(chart: Chart, language: Language, path: Path) -> None:
    """Write a figure in each format."""
    figure = chart.drawn(language)
    for ending in FIGURES:
        write_figure(figure, path.with_name(f"{path.name}.{ending}"))
