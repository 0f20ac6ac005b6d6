"""Figures at paper size, in either language; Chinese needs a font that has the characters."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import matplotlib
import pandas as pd
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.ticker import MaxNLocator

from lit_effnet.results.figures.pareto import (
    BEHIND,
    COLUMN_IN,
    COSTS,
    FRONT,
    STYLE,
    arm_points,
    pareto_figure,
)
from lit_effnet.results.report.language import Language, Text
from lit_effnet.results.report.words import WORDS, arm_text
from lit_effnet.results.stats.estimates import FRACTION, Repeats, estimate

CHARACTERS = "宽度深度分辨率训练轮次延迟参数量乘加运算准确率噪声"
# Those that are likely, before all others are looked through.
LIKELY = (
    *("Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "PingFang SC", "Microsoft YaHei"),
    *("SimHei", "WenQuanYi Micro Hei", "Droid Sans Fallback", "Arial Unicode MS"),
)
NO_FONT = "Last Resort"  # it has every character, as a box
ROW_IN = 0.27  # of an arm
LINES = ("-", "--", "-.", ":")


@cache
def chinese_font() -> str | None:
    """Name of a font on this machine that has the characters; null for none."""
    known = {entry.name: entry.fname for entry in font_manager.fontManager.ttflist}
    likely = [name for name in LIKELY if name in known]
    others = sorted(name for name in known if name not in likely and not name.startswith(NO_FONT))
    for name in [*likely, *others]:
        if _has(known[name]):
            return name
    # Matplotlib's list is of the day when it was first used; fonts that came later are not in it.
    for file in sorted(set(font_manager.findSystemFonts()) - {*known.values()}):
        if _has(file):
            font_manager.fontManager.addfont(file)
            return font_manager.fontManager.ttflist[-1].name
    return None


def _has(file: str) -> bool:
    """Whether a font has every one of the characters."""
    try:
        font = FT2Font(file)
    except (OSError, RuntimeError):
        return False
    return all(font.get_char_index(ord(character)) for character in CHARACTERS)


def style(language: Language) -> Any:
    """Matplotlib's settings for figures in a language."""
    font = chinese_font() if language == "zh" else None
    return {**STYLE, "font.family": ["DejaVu Sans", *([font] if font else [])]}


def arms_figure(found: Repeats, value: str, confidence: float, language: Language) -> Figure:
    """Each arm's runs, mean and interval, an arm in a row.

    Args:
        found: The repeats.
        value: The accuracy.
        confidence: Of the intervals.
        language: Of its words.
    """
    of = {
        arm: estimate([*values.values()], confidence, FRACTION)
        for arm, values in found.values.items()
    }
    order = sorted((arm for arm in of if of[arm].n), key=lambda arm: of[arm].mean or 0)
    with matplotlib.rc_context(style(language)):
        figure, axes = _empty(0.5 + ROW_IN * len(order))
        for row, arm in enumerate(order):
            runs = [100 * v for v in found.values[arm].values()]
            mean, interval = 100 * (of[arm].mean or 0), of[arm].t
            if interval:
                ends = [100 * interval.low, 100 * interval.high]
                axes.plot(ends, [row, row], color=FRONT, linewidth=0.9)
            axes.scatter(runs, [row] * len(runs), s=7, facecolor="white", edgecolor=BEHIND, lw=0.7)
            axes.scatter([mean], [row], s=16, marker="D", color=FRONT, zorder=4)
            place: Any = {"transform": axes.get_yaxis_transform(), "parse_math": False}
            axes.text(0.0, row + 0.36, arm_text(arm).of(language), va="center", ha="left", **place)
        every = [100 * v for values in found.values.values() for v in values.values()]
        reach = (max(every) - min(every) or 1.0) * 0.35
        axes.set_xlim(min(every) - reach, max(every) + reach)
        axes.set_ylim(-0.6, len(order) - 0.3)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(WORDS[value].of(language))
        figure.draw_without_rendering()
    return figure


def cost_figure(frame: pd.DataFrame, cost: str, value: str, language: Language) -> Figure:
    """Means of the arms against a cost.

    Args:
        frame: Rows of the repeats.
        cost: The column.
        value: The accuracy.
        language: Of its words.
    """
    words = {name: WORDS[name].of(language) for name in ("top1", "top5", "top1_macro")}
    words |= {name: WORDS[f"axis_{name}"].of(language) for name in COSTS if f"axis_{name}" in WORDS}
    with matplotlib.rc_context(style(language)):
        points = arm_points(frame, cost, value)
        points["arm"] = [arm_text(arm).of(language) for arm in points["arm"]]
        return pareto_figure(points, (cost,), value, words=words)


def curves_figure(
    curves: Mapping[str, Sequence[tuple[float, float]]],
    x_label: Text,
    value: str,
    language: Language,
) -> Figure:
    """A line for each arm, named below.

    Args:
        curves: Points of each arm.
        x_label: Of the horizontal axis.
        value: The accuracy.
        language: Of its words.
    """
    with matplotlib.rc_context(style(language)):
        figure, axes = _empty(2.35 + 0.108 * len(curves), below=0.5 + 0.108 * len(curves))
        for index, (arm, curve) in enumerate(curves.items()):
            x, y = zip(*sorted(curve), strict=True)
            name = arm_text(arm).of(language).replace("$", r"\$")
            axes.plot(
                x, [100 * of for of in y], label=name, color=f"C{index % 10}",
                linestyle=LINES[index // 10 % len(LINES)], linewidth=1, marker="o", markersize=2,
            )  # fmt: skip
        axes.set_xlabel(x_label.of(language))
        axes.set_ylabel(WORDS[value].of(language))
        axes.grid(axis="y", color="#e6e6e6", linewidth=0.5)
        axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
        figure.legend(loc="lower left", frameon=False, labelspacing=0.15, fontsize=6.5)
        figure.draw_without_rendering()
    return figure


def _empty(height_in: float, below: float = 0.42) -> tuple[Figure, Any]:
    figure = Figure(figsize=(COLUMN_IN, height_in))
    FigureCanvasAgg(figure)
    axes = figure.subplots(
        gridspec_kw={
            "left": 0.5 / COLUMN_IN if below > 0.42 else 0.04,
            "right": 1 - 0.1 / COLUMN_IN,
            "bottom": below / height_in,
            "top": 1 - 0.06 / height_in,
        }
    )
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
