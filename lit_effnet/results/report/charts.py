"""Figures of a section: those of `results/figures/`, in both languages, and their legend."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import matplotlib
from markupsafe import Markup

from lit_effnet.results.figures.arms import draw_arms
from lit_effnet.results.figures.drawing import (
    COLUMN_IN,
    OTHERS,
    PAGE_IN,
    MarkedFigure,
    arm_looks,
    english,
)
from lit_effnet.results.figures.epochs import epochs_figure
from lit_effnet.results.figures.interactive import GLYPHS, interactive_svg
from lit_effnet.results.figures.noise import NOISE, noise_figure
from lit_effnet.results.figures.pareto import arm_points, pareto_figure
from lit_effnet.results.figures.rates import rates_figure
from lit_effnet.results.findings.arm_names import Names
from lit_effnet.results.findings.questions import Question
from lit_effnet.results.report.answers import Answer
from lit_effnet.results.report.chinese import CHINESE, FIGURES
from lit_effnet.results.report.fonts import chinese_font
from lit_effnet.results.report.language import Language, Text
from lit_effnet.results.report.rates import by_arm
from lit_effnet.results.report.sections import Section
from lit_effnet.results.report.words import WORDS

MOST_LINES = 40
CURVES = ("rates", "noise", "epochs")


class Pair(NamedTuple):
    """Text in both languages."""

    en: str
    zh: str


class Bilingual:
    """Words of a figure that is drawn in English once and shown in both languages.

    Args:
        names: Names of the arms for readers.
    """

    def __init__(self, names: Names) -> None:
        self.names, self.chinese = names, dict[str, str]()

    def __call__(self, text: str, /, **values: object) -> str:
        """Return the English text, and remember the Chinese one."""
        name = self.names.get(text)
        shown = english(name.en if name else text, **values)
        there = {key: self.chinese.get(str(value), value) for key, value in values.items()}
        self.chinese[shown] = chinese_words(self.names, text, **there)
        return shown

    def pair(self, text: str) -> Pair:
        """Return an English text of the figure with its Chinese one."""
        return Pair(text, self.chinese.get(text, text))


def chinese_words(names: Names, text: str, /, **values: object) -> str:
    """Return a text of a figure in Chinese, with its fields filled."""
    name = names.get(text)
    return english(name.zh if name else FIGURES.get(text) or CHINESE.get(text, text), **values)


@dataclass(frozen=True)
class Chart:
    """A figure of the page and of its files.

    Args:
        name: Name in links and files: arms, macs, epochs.
        title: Title.
        svg: Interactive figure in both languages.
        notes: Parts of the note below it.
        wide: Whether it needs the width of the page.
        runs: Number of runs behind it.
        figure: English figure.
        draw: Draws it in Chinese.
    """

    name: str
    title: Text
    svg: Markup
    notes: tuple[Pair, ...]
    wide: bool
    runs: int
    figure: MarkedFigure
    draw: Callable[..., MarkedFigure]

    def drawn(self, language: Language) -> MarkedFigure:
        """Return the figure in a language."""
        if language == "en":
            return self.figure
        with matplotlib.rc_context({"font.family": ["DejaVu Sans", str(chinese_font())]}):
            return self.draw()


@dataclass(frozen=True)
class Key:
    """Legend entry of a section; it shows and hides an arm in all figures.

    Args:
        arm: Arm as figures name it.
        text: Name of the arm.
        colour: Hexadecimal colour.
        glyph: Character that resembles the marker.
    """

    arm: str
    text: Text
    colour: str
    glyph: str


def charts_of(
    section: Section,
    answer: Answer,
    question: Question,
    *,
    value: str,
    confidence: float,
    ids: dict[str, str],
) -> tuple[tuple[Chart, ...], tuple[Key, ...]]:
    """Return the figures of a section and their legend.

    Args:
        section: Runs.
        answer: Answer of the section.
        question: Question of the section.
        value: Accuracy.
        confidence: Confidence of the intervals.
        ids: Row of the table of runs, by path.
    """
    looks, names = arm_looks(section.runs), section.names
    if question.way == "rates":
        looks |= arm_looks(by_arm(section))
    charts = []
    for name, runs, draw in _drawings(section, answer, question, value, confidence):
        many = len({*by_arm(section)["arm"]} if name == "rates" else looks) > len(OTHERS)
        wide = name in CURVES and many
        bound = partial(draw, looks=looks, width_in=PAGE_IN if wide else COLUMN_IN)
        words = Bilingual(names)
        try:
            figure = bound(words=words)
        except ValueError:  # the runs lack what the figure shows
            continue
        key = f"cost_{name}"
        title = WORDS.get(f"figure_{name}") or WORDS["figure_cost"].filled(cost=WORDS[key])
        svg = interactive_svg(
            figure,
            f"{name}{section.key.rpartition('_')[2]}",
            title.en,
            rows=ids,
            chinese=words.chinese,
        )
        notes = tuple(words.pair(text) for text in figure.notes)
        again = partial(bound, words=partial(chinese_words, names))
        charts.append(Chart(name, title, Markup(svg), notes, wide, runs, figure, again))
    shown = {mark.arm for chart in charts for mark in chart.figure.marks.values()}
    keys = tuple(
        Key(arm, names[arm], look.colour, GLYPHS[look.marker][look.hollow])
        for arm, look in looks.items()
        if arm in shown
    )
    return tuple(charts), keys if len(keys) > 1 else ()


Drawing = tuple[str, int, Callable[..., MarkedFigure]]


def _drawings(
    section: Section, answer: Answer, question: Question, value: str, confidence: float
) -> Iterator[Drawing]:
    """Yield name, number of runs and function of each figure."""
    how: Any = {"confidence": confidence}
    count = sum(len(of_arm) for of_arm in answer.found.values.values())
    if count:
        rows = answer.frame
        known = rows[rows[value].notna() & rows["seed"].notna()]
        yield "arms", count, partial(draw_arms, known, "macs", value, **how)
        for cost in question.costs:
            points = arm_points(rows, cost, value, confidence=confidence)
            if points[cost].nunique() > 1:
                yield cost, count, partial(pareto_figure, points, (cost,), value, **how)
    if question.way == "rates":
        yield "rates", len(section.runs), partial(rates_figure, by_arm(section), value)
    noisy = section.rows[section.rows["condition"] == NOISE]
    yield "noise", noisy["run"].nunique(), partial(noise_figure, section.rows, value, **how)
    if section.runs["arm"].nunique() <= MOST_LINES:
        yield "epochs", len(section.runs), partial(epochs_figure, section.runs, value)
