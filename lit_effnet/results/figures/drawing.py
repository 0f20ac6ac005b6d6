"""What the figures share: colours of arms, the canvas, intervals, and what stands around axes."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from textwrap import fill
from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from lit_effnet.results.figures.labels import Label, place
from lit_effnet.results.figures.pareto import COLUMN_IN, PAGE_IN, SIZE, STYLE

Words = Callable[[str], str]

__all__ = ["COLUMN_IN", "PAGE_IN"]

# Okabe and Ito's colours, which differ for the colour-blind too; each axis has its marker as well.
COLOURS = {
    "baseline": "#000000",
    "depth": "#D55E00",
    "width": "#0072B2",
    "resolution": "#009E73",
    "compound": "#CC79A7",
}
MARKERS = {"baseline": "*", "depth": "s", "width": "D", "resolution": "^", "compound": "o"}
OTHERS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
OTHER_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
GREY, NOTE, GRID = "#767676", "#555555", "#e6e6e6"
PERCENT = 100
TOP1 = "top-1 accuracy (%)"
ROUNDED = ", round"  # of an arm whose depth is rounded to the nearest


def axis_of(arm: str) -> str | None:
    """Which axis an arm scales, by its name; null for one that scales in another way."""
    found = re.match(r"(baseline|depth|width|resolution|compound|phi)\b", arm)
    if found is None or ("," in arm and found[1] in ("depth", "width", "resolution")):
        return None
    return "compound" if found[1] == "phi" else found[1]


@contextmanager
def canvas(
    width_in: float, height_in: float, shape: tuple[int, int] = (1, 1), **subplots: Any
) -> Iterator[tuple[Figure, list[Axes]]]:
    """A figure with its panels, laid out when all is drawn.

    Args:
        width_in: Width in inches.
        height_in: Height in inches.
        shape: Rows and columns of panels.
        subplots: For matplotlib's `Figure.subplots`.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(*shape, squeeze=False, **subplots)
        for panel in panels.flat:
            panel.spines[["top", "right"]].set_visible(False)
            panel.set_axisbelow(True)
        yield figure, [*panels.flat]
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # so that what is placed beside points stays there


def name_points(figure: Figure, labels: Sequence[tuple[Axes, Sequence[Label]]]) -> None:
    """Write labels beside their points; one without room is left out."""
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    canvas_: Any = figure.canvas
    for panel, of_panel in labels:
        place(panel, of_panel, canvas_.get_renderer())


def cost_axis(panel: Axes, costs: Iterable[float], label: str) -> None:
    """A logarithmic axis of costs, with ticks as many as there is room for."""
    known = np.asarray([*costs], float)
    panel.set_xscale("log")
    low, high = known.min(), known.max()
    decades = np.log10(high / low)
    if decades < 0.3:  # the ticks of a logarithm would be one or none
        margin = 10 ** max(0.15 * decades, 0.001)
        left, right = low / margin, high * margin
        panel.set_xlim(left, right)
        ticks = MaxNLocator(4, steps=[1, 2, 2.5, 5, 10]).tick_values(left, right)
        panel.set_xticks([tick for tick in ticks if left <= tick <= right])
        panel.xaxis.set_minor_locator(NullLocator())
    else:
        subs: Any = (1.0, 2.0, 5.0) if decades < 1.5 else (1.0,)
        if decades < 0.8:
            subs = (1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)
        panel.xaxis.set_major_locator(LogLocator(subs=subs))
        panel.margins(x=0.1)
    panel.xaxis.set_major_formatter(EngFormatter(sep=" "))
    panel.xaxis.set_minor_formatter(NullFormatter())
    panel.set_xlabel(label)


def value_axis(panel: Axes, label: str = "") -> None:
    """A linear axis with a light grid."""
    panel.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    panel.grid(axis="y", color=GRID, linewidth=0.5)
    if label:
        panel.set_ylabel(label)


def bars(panel: Axes, points: pd.DataFrame, x: Iterable[float], colour: str) -> None:
    """Intervals of accuracies as upright bars; a point without one has none."""
    y, low, high = (PERCENT * points[name].to_numpy(float) for name in ("top1", "low", "high"))
    style: Any = {"color": colour, "elinewidth": 0.7, "capsize": 1.6, "capthick": 0.7}
    panel.errorbar([*x], y, [y - low, high - y], fmt="none", zorder=2, **style)


def legend(figure: Figure, handles: Sequence[Line2D]) -> None:
    """A legend above the panels, in as many columns as have room."""
    canvas_: Any = figure.canvas
    for columns in range(len(handles), 0, -1):
        made = figure.legend(
            handles=handles,
            loc="outside upper left",
            ncols=columns,
            frameon=False,
            handletextpad=0.3,
            columnspacing=1.0,
            handlelength=1.2,
            borderpad=0.1,
            labelspacing=0.25,
        )
        box = made.get_window_extent(canvas_.get_renderer())
        if columns == 1 or box.width <= 0.98 * figure.bbox.width:
            return
        made.remove()


def note(figure: Figure, texts: Iterable[str]) -> None:
    """What a reader has to know, below the panels."""
    width = round(figure.get_figwidth() * 72 / (0.54 * (SIZE - 0.5)))
    lines = "\n".join(fill(text, width, break_long_words=False) for text in texts if text)
    if lines:
        figure.supxlabel(lines, fontsize=SIZE - 0.5, color=NOTE, parse_math=False)


def repeats_note(
    points: pd.DataFrame, words: Words, by: str = "arm", of: str = "of the mean"
) -> str:
    """What the bars are, and which points have none because their repeats are too few."""
    without = points["low"].isna()
    parts = []
    if not without.all():
        counts = _span(points[~without]["n"])
        parts.append(words(f"bars: 95 % interval {of}, n = {{n}}").format(n=counts))
    if without.any():
        text = words("n = {n}, no interval").format(n=_span(points[without]["n"]))
        if not without.all():
            text += ": " + ", ".join(words(str(name)) for name in points[without][by])
        parts.append(text)
    return "; ".join(parts)


def _span(counts: "pd.Series[Any]") -> str:
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low}-{high}"
