"""Accuracy against cost: which arms another one beats at no higher cost, and the figure of that."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter

from lit_effnet.results.figures.labels import Label, place
from lit_effnet.results.frame.records import FINISHED
from lit_effnet.results.stats.estimates import FRACTION, estimate, repeats

COLUMN_IN, PAGE_IN = 3.3, 6.9  # widths of a column and of a page of a paper, in inches
FRONT, BEHIND = "#0b5394", "#767676"
SIZE = 7.0  # points of a label; a paper prints it as it is
LINE_IN = 1.35 * SIZE / 72

COSTS = {
    "macs": "multiply-adds of one image",
    "parameters": "parameters",
    "activations": "activations of one image",
    "latency_ms": "latency of one image (ms)",
    "duration_s": "training time (s)",
}
VALUES = {
    "top1": "top-1 accuracy (%)",
    "top5": "top-5 accuracy (%)",
    "top1_macro": "class-mean top-1 accuracy (%)",
}

STYLE: Any = {
    "font.size": SIZE,
    "axes.labelsize": SIZE + 1,
    "xtick.labelsize": SIZE,
    "ytick.labelsize": SIZE,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
}


@dataclass(frozen=True)
class _Plan:
    """Which columns a figure shows."""

    costs: tuple[str, ...]
    value: str
    by: str
    words: Mapping[str, str]


def arm_points(
    frame: pd.DataFrame, cost: str, value: str = "top1", by: str = "arm"
) -> pd.DataFrame:
    """A row for each finished arm: its cost, its mean and the t interval of that.

    Args:
        frame: Rows of one data set, split and condition.
        cost: A column; an arm costs its repeats' median.
        value: The column whose mean is taken.
        by: The column that tells what is compared.

    Raises:
        ValueError: rows that cannot be repeats of each other.
    """
    finished = frame[frame["status"] == FINISHED]
    prices = finished.groupby(by)[cost].median()
    rows = []
    for arm, values in repeats(frame, value, by).values.items():
        of_arm = estimate([*values.values()], bounds=FRACTION)
        low, high = (of_arm.t.low, of_arm.t.high) if of_arm.t else (None, None)
        row = {by: arm, cost: prices[arm], value: of_arm.mean, "low": low, "high": high}
        rows.append(row | {"n": of_arm.n})
    numbers = dict.fromkeys((cost, value, "low", "high"), "float64")
    points = pd.DataFrame(rows, columns=[by, *numbers, "n"])
    return points.astype({by: "str", **numbers, "n": "Int64"})


def pareto_front(frame: pd.DataFrame, cost: str, value: str) -> pd.DataFrame:
    """The frame with a column `dominated`: whether another row is better, and no worse in the rest.

    Equal rows do not dominate each other. A row without a cost or a value has none, and dominates
    none.

    Args:
        frame: Rows, each with a cost and a value.
        cost: The column of which less is better.
        value: The column of which more is better.
    """
    known = frame[frame[cost].notna() & frame[value].notna()]
    costs, values = (known[name].to_numpy(float) for name in (cost, value))
    order = np.lexsort((-values, costs))
    dominated = np.zeros(len(known), bool)
    best_cheaper, best_here, here = -np.inf, -np.inf, None
    for index in order:
        if costs[index] != here:
            best_cheaper, best_here, here = (
                max(best_cheaper, best_here),
                values[index],
                costs[index],
            )
        dominated[index] = best_cheaper >= values[index] or best_here > values[index]
    found = pd.Series(dominated, known.index, dtype="boolean").reindex(frame.index)
    return frame.assign(dominated=found)


def pareto_figure(
    points: pd.DataFrame,
    costs: Sequence[str] = ("macs",),
    value: str = "top1",
    *,
    by: str = "arm",
    width_in: float = COLUMN_IN,
    note: str = "",
    words: Mapping[str, str] | None = None,
) -> Figure:
    """Accuracy against each kind of cost, side by side; dominated arms are grey.

    Bars are the intervals of the means, where there are any. Where the names of all arms have no
    room beside their points, numbers stand there, and the names below.

    Args:
        points: A row for each arm, with a column of each cost, of the value, and `low` and `high`.
        costs: Columns, each a panel with a logarithmic axis.
        value: The column on the vertical axis; a fraction is shown in percent.
        by: The column of the names.
        width_in: Width in inches.
        note: What stands below, the meaning of the bars for example.
        words: Names of axes by column, in another language for example; null for English.

    Raises:
        ValueError: no arm has a value and one of the costs, or a cost is not above 0.
    """
    for cost in costs:
        known = points[points[cost].notna() & points[value].notna()]
        if known.empty:
            raise ValueError(f"points: must have an arm with {cost} and {value}, and have none")
        if not (known[cost] > 0).all():
            raise ValueError(f"{cost} {known[cost].min():g}: must be above 0 on a logarithmic axis")
    with matplotlib.rc_context(STYLE):
        plan = _Plan(tuple(costs), value, by, {**COSTS, **VALUES, **(words or {})})
        figure, fits = _draw(points, plan, width_in, note, numbered=False)
        if not fits:
            figure, _ = _draw(points, plan, width_in, note, numbered=True)
    return figure


def _draw(
    points: pd.DataFrame, plan: _Plan, width_in: float, note: str, *, numbered: bool
) -> tuple[Figure, bool]:
    """The figure, and whether each label found a place."""
    points = points.sort_values([plan.costs[0], plan.by])
    names = points[plan.by].astype(str).to_list()
    marks = [str(number) for number in range(1, len(names) + 1)] if numbered else names
    wide = len(marks[-1])
    below = [
        f"{mark:\u2007>{wide}}  {name}"  # a space as wide as a digit
        for mark, name in zip(marks, names, strict=True)
        if numbered
    ]
    lines, columns = _key(below, width_in)
    texts_in = LINE_IN * (len(lines) + bool(note)) + 0.08 * (bool(lines) + bool(note))
    panel_in, footer_in = min(0.78 * width_in / len(plan.costs), 2.6) + 0.1, 0.42 + texts_in
    height = panel_in + footer_in + 0.08
    figure = Figure(figsize=(width_in, height))
    canvas = FigureCanvasAgg(figure)
    panels = figure.subplots(
        1,
        len(plan.costs),
        squeeze=False,
        sharey=True,
        gridspec_kw={
            "left": 0.52 / width_in,
            "right": 1 - 0.1 / width_in,
            "bottom": footer_in / height,
            "top": 1 - 0.08 / height,
            "wspace": 0.12,
        },
    )[0]
    labels = [
        _panel(panel, points.assign(mark=marks), cost, plan)
        for panel, cost in zip(panels, plan.costs, strict=True)
    ]
    panels[0].set_ylabel(plan.words.get(plan.value, plan.value))
    for index, line in enumerate(lines):
        y = (footer_in - 0.5 - LINE_IN * index) / height
        for column, text in enumerate(line):
            x = 0.1 / width_in + column / columns * (1 - 0.2 / width_in)
            figure.text(x, y, text, va="top", parse_math=False)
    if note:
        figure.text(0.5, 0.04 / height, note, ha="center", va="bottom", color="#555555")
    figure.draw_without_rendering()
    renderer = canvas.get_renderer()  # type: ignore[no-untyped-call]
    fit = [place(panel, of, renderer) for panel, of in zip(panels, labels, strict=True)]
    return figure, all(fit)


def _panel(panel: Axes, points: pd.DataFrame, cost: str, plan: _Plan) -> list[Label]:
    """Draw a panel without its labels; these come back."""
    value = plan.value
    scale = 100 if value in VALUES else 1
    found = pareto_front(points, cost, value)
    found = found[found["dominated"].notna()]
    for dominated, colour, order in ((True, BEHIND, 2), (False, FRONT, 3)):
        some = found[found["dominated"] == dominated]
        x, y = some[cost].to_numpy(float), scale * some[value].to_numpy(float)
        low, high = (scale * some[side].to_numpy(float) for side in ("low", "high"))
        style: Any = {"color": colour, "elinewidth": 0.7, "capsize": 1.6, "capthick": 0.7}
        panel.errorbar(x, y, [y - low, high - y], fmt="none", zorder=order, **style)
        if not dominated:
            steps = np.argsort(x)  # between two arms the cheaper one is what can be had
            line: Any = {"color": colour, "linewidth": 0.8, "alpha": 0.45, "zorder": 1}
            panel.plot(np.repeat(x[steps], 2)[1:], np.repeat(y[steps], 2)[:-1], **line)
        edge: Any = {"edgecolor": "white", "linewidth": 0.4}
        panel.scatter(x, y, s=16, color=colour, zorder=order + 2, **edge)
    panel.set_xscale("log")
    panel.set_xlabel(plan.words.get(cost, cost))
    _ticks(panel, found[cost].to_numpy(float))
    panel.yaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    panel.margins(x=0.15, y=0.1)
    panel.spines[["top", "right"]].set_visible(False)
    panel.grid(axis="y", color="#e6e6e6", linewidth=0.5)
    panel.set_axisbelow(True)
    return [
        Label(
            text=str(row["mark"]),
            at=(float(row[cost]), scale * float(row[value])),
            bar=(scale * float(row["low"]), scale * float(row["high"])),
            colour=BEHIND if row["dominated"] else FRONT,
        )
        for row in found.to_dict("records")
    ]


def _ticks(panel: Axes, costs: Any) -> None:
    """Ticks at 1, 2 and 5 over less than two decades, else at 1; with M and G for their powers."""
    decades = np.log10(costs.max() / costs.min())
    subs: Any = (1.0, 2.0, 5.0) if decades < 1.5 else (1.0,)
    if decades < 0.5:
        subs = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
    panel.xaxis.set_major_locator(LogLocator(subs=subs))
    panel.xaxis.set_major_formatter(EngFormatter(sep=" "))
    panel.xaxis.set_minor_formatter(NullFormatter())


def _key(names: Sequence[str], width_in: float) -> tuple[list[list[str]], int]:
    """Names in lines of as many columns as have room, read down; and how many columns."""
    if not names:
        return [], 1
    longest = max(map(len, names)) * 0.55 * SIZE / 72 + 0.12
    columns = max(1, min(len(names), int((width_in - 0.2) / longest)))
    height = -(-len(names) // columns)
    return [list(names[row::height]) for row in range(height)], columns
