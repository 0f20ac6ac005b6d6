"""Parts that figures share: looks of arms, canvas, points with intervals, axes, legend, note."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from textwrap import fill
from typing import Any, Protocol

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from lit_effnet.results.figures.labels import Label, place

COLUMN_IN, PAGE_IN = 3.3, 6.9  # widths of a column and of a page of a paper, in inches
WIDE_IN = 5.0  # from this width on, panels stand side by side
SIZE = 7.0  # font size in points
PERCENT = 100

# Okabe and Ito's colours, which colour-blind readers can distinguish; each axis has a marker too.
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
BLACK, GREY, NOTE, GRID = "#000000", "#767676", "#555555", "#e6e6e6"
LIGHTEST = 0.5  # share of the axis's colour in its cheapest arm, the rest is white

MACS = "multiply-adds of one image"
COSTS = {
    "macs": MACS,
    "parameters": "parameters",
    "activations": "activations of one image",
    "latency_ms": "latency of one image (ms)",
    "duration_s": "training time (s)",
}
UNITS = {
    "macs": "MACs",
    "parameters": "parameters",
    "activations": "activations",
    "latency_ms": "ms",
    "duration_s": "s",
}
VALUES = {
    "top1": "top-1 accuracy (%)",
    "top5": "top-5 accuracy (%)",
    "top1_macro": "class-mean top-1 accuracy (%)",
}
TOP1 = VALUES["top1"]

STYLE: Any = {
    "font.size": SIZE,
    "axes.labelsize": SIZE + 1,
    "axes.titlesize": SIZE + 1,
    "xtick.labelsize": SIZE,
    "ytick.labelsize": SIZE,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
}


class Words(Protocol):
    """Translates a text of a figure, then fills its fields."""

    def __call__(self, text: str, /, **values: object) -> str:
        """Return the text in the figure's language."""


def english(text: str, /, **values: object) -> str:
    """Return an English text with its fields filled."""
    return text.format(**values) if values else text


@dataclass(frozen=True)
class Look:
    """Look of an arm in every figure.

    Args:
        colour: Hexadecimal colour.
        marker: Marker of matplotlib.
        hollow: Whether the marker is only outlined, for depths that are rounded to the nearest.
    """

    colour: str = GREY
    marker: str = "o"
    hollow: bool = False


Looks = Mapping[str, Look]


@dataclass(frozen=True)
class Mark:
    """Meaning of a shape, for figures that respond to the pointer.

    Args:
        arm: Arm that the shape belongs to; the page's legend shows and hides it.
        tip: Text of the tooltip; empty for shapes without one, such as intervals.
        run: Path of the run that a click leads to; empty for none.
    """

    arm: str
    tip: str = ""
    run: str = ""


class MarkedFigure(Figure):
    """A figure that knows what its shapes mean.

    Attributes:
        marks: Meaning of each shape that belongs to an arm.
        notes: Parts of the note below the figure, without line breaks.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.marks: dict[Artist, Mark] = {}
        self.notes: list[str] = []


def arm_looks(arms: pd.DataFrame) -> dict[str, Look]:
    """Return the look of each arm: by its axis, from light to dark by cost, else by its position.

    The arms are in the order of legends: those of an axis together, the cheapest first.

    Args:
        arms: Rows with `arm`, `axis`, `rounding` and `macs`; several rows of an arm are allowed.
    """
    known = arms.sort_values(["macs", "arm"]).drop_duplicates("arm")
    by_axis = known["axis"].dropna().nunique() > 1
    order = [*COLOURS, None]
    looks: dict[str, Look] = {}
    for axis in order if by_axis else [None]:
        group = known[known["axis"].eq(axis)] if axis else known[~known["arm"].isin([*looks])]
        for index, arm in enumerate(group.to_dict("records")):
            if axis:
                shade = LIGHTEST + (1 - LIGHTEST) * (index + 1) / len(group)
                colour, marker = _mixed(COLOURS[axis], shade), MARKERS[axis]
            else:  # 49 combinations before one repeats
                colour = GREY if by_axis else OTHERS[index % len(OTHERS)]
                marker = OTHER_MARKERS[(index + index // len(OTHERS)) % len(OTHER_MARKERS)]
            looks[str(arm["arm"])] = Look(colour, marker, by_axis and is_rounded(arm))
    return looks


def axis_look(arm: Mapping[str, Any]) -> Look:
    """Return the look of an arm's axis, grey for arms of none.

    Args:
        arm: Row with `axis` and `rounding`.
    """
    axis = arm["axis"]
    if axis not in COLOURS:
        return Look()
    return Look(COLOURS[axis], MARKERS[axis], is_rounded(arm))


def is_rounded(arm: Mapping[str, Any]) -> bool:
    """Return whether the depth of an arm that is scaled is rounded to the nearest."""
    return bool(arm["rounding"] == "round") and arm["axis"] != "baseline"


def _mixed(colour: str, share: float) -> str:
    """Return a colour mixed with white."""
    red, green, blue = (1 - share * (1 - channel) for channel in to_rgb(colour))
    return to_hex((red, green, blue))


@contextmanager
def canvas(
    width_in: float, height_in: float, shape: tuple[int, int] = (1, 1), **subplots: Any
) -> Iterator[tuple[MarkedFigure, list[Axes]]]:
    """Yield a figure with its panels, and lay it out afterwards.

    Args:
        width_in: Width in inches.
        height_in: Height in inches.
        shape: Rows and columns of panels.
        subplots: Options of `Figure.subplots`.
    """
    with matplotlib.rc_context(STYLE):
        figure = MarkedFigure(figsize=(width_in, height_in), layout="constrained")
        FigureCanvasAgg(figure)
        panels = figure.subplots(*shape, squeeze=False, **subplots)
        for panel in panels.flat:
            panel.spines[["top", "right"]].set_visible(False)
            panel.set_axisbelow(True)
        yield figure, [*panels.flat]
        figure.draw_without_rendering()
        figure.set_layout_engine("none")  # keeps labels beside their points


def draw_point(
    figure: MarkedFigure,
    panel: Axes,
    at: tuple[float, float],
    ends: tuple[float, float] | None = None,
    *,
    look: Look,
    mark: Mark,
    across: bool = False,
    alpha: float = 1.0,
) -> None:
    """Draw a marker and its interval.

    Args:
        figure: Figure that records the meaning of both.
        panel: Panel to draw in.
        at: Coordinates of the marker.
        ends: Ends of the interval; None or NaN for no interval.
        look: Colour and marker.
        mark: Meaning of the marker.
        across: Whether the interval is horizontal.
        alpha: Opacity.
    """
    x, y = at
    if ends is not None and np.isfinite(ends).all():
        xs, ys = (ends, (y, y)) if across else ((x, x), ends)
        style: Any = {"color": look.colour, "linewidth": 1.0, "alpha": 0.8 * alpha, "zorder": 2}
        (bar,) = panel.plot([*xs], [*ys], **style)
        figure.marks[bar] = Mark(mark.arm)
    figure.marks[
        panel.scatter(
            [x], [y], s=36 if look.marker == "*" else 18, marker=look.marker,
            facecolor="white" if look.hollow else look.colour, edgecolor=look.colour,
            linewidth=0.8, alpha=alpha, zorder=4, clip_on=False,
        )
    ] = mark  # fmt: skip


def percent_ends(point: Mapping[str, Any]) -> tuple[float, float]:
    """Return the ends of an accuracy's interval in percent, NaN without one."""
    return PERCENT * float(point["low"]), PERCENT * float(point["high"])


def name_rows(panel: Axes, names: Sequence[str]) -> None:
    """Name the rows of a panel from top to bottom, on a grid of vertical lines."""
    panel.set_yticks(range(len(names)), names, parse_math=False)
    panel.tick_params(axis="y", length=0)
    panel.set_ylim(len(names) - 0.4, -0.6)
    panel.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    panel.grid(axis="x", color=GRID, linewidth=0.5)


def name_points(
    figure: Figure, labels: Sequence[tuple[Axes, Sequence[Label]]], *, tied: bool = True
) -> bool:
    """Write labels beside their points, and return whether there was room for all.

    Args:
        figure: Figure, complete but for the labels.
        labels: Labels of each panel.
        tied: Whether labels may stand away from their points, tied by a line.
    """
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    agg: Any = figure.canvas
    placed = [place(panel, of_panel, agg.get_renderer(), tied=tied) for panel, of_panel in labels]
    return all(placed)


def cost_axis(panel: Axes, costs: Iterable[float], label: str) -> None:
    """Make the horizontal axis logarithmic, with as many ticks as there is room for."""
    known = np.asarray([*costs], float)
    panel.set_xscale("log")
    low, high = known.min(), known.max()
    decades = np.log10(high / low)
    if decades < 0.3:  # a logarithmic axis would have one tick or none
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
    """Make the vertical axis linear with a light grid."""
    panel.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    panel.grid(axis="y", color=GRID, linewidth=0.5)
    if label:
        panel.set_ylabel(label)


def short_number(value: float) -> str:
    """Return a number with a prefix such as M for millions."""
    return EngFormatter(places=1, sep=" ")(value) if value >= 1000 else f"{value:.3g}"


def cost_text(cost: str, value: float, words: Words) -> str:
    """Return a cost with its unit."""
    return f"{short_number(value)} {words(UNITS[cost])}"


def handle(look: Look, label: str, line: str = "") -> Line2D:
    """Return an entry of a legend, with a line for curves."""
    face = "white" if look.hollow else look.colour
    style: Any = {"linestyle": line, "markersize": 4.5, "linewidth": 1, "markerfacecolor": face}
    return Line2D([], [], color=look.colour, marker=look.marker, label=label, **style)


def legend(figure: Figure, handles: Sequence[Line2D]) -> None:
    """Add a legend above the panels in as many columns as have room; the figure grows by it."""
    agg: Any = figure.canvas
    for columns in range(len(handles), 0, -1):
        made = figure.legend(
            handles=handles, loc="outside upper left", ncols=columns, frameon=False,
            handletextpad=0.3, columnspacing=1.0, handlelength=1.2, borderpad=0.1,
            labelspacing=0.25,
        )  # fmt: skip
        for text in made.get_texts():
            text.set_parse_math(False)
        box = made.get_window_extent(agg.get_renderer())
        if columns == 1 or box.width <= 0.98 * figure.bbox.width:
            figure.set_figheight(figure.get_figheight() + box.height / figure.dpi)
            return
        made.remove()


def note(figure: MarkedFigure, texts: Iterable[str]) -> None:
    """Add a note below the panels, its parts separated by semicolons; the figure grows by it."""
    figure.notes = [text for text in texts if text]
    width = round(figure.get_figwidth() * 72 / (0.54 * (SIZE - 0.5)))
    if lines := fill("; ".join(figure.notes), width, break_long_words=False):
        height = (lines.count("\n") + 1) * 1.3 * (SIZE - 0.5) / 72
        figure.set_figheight(figure.get_figheight() + height)
        figure.supxlabel(lines, fontsize=SIZE - 0.5, color=NOTE, parse_math=False)


def repeats_note(
    points: pd.DataFrame,
    words: Words,
    text: str = "bars: {confidence:g} % interval of the mean, n = {n}",
    *,
    by: str = "arm",
    confidence: float = 0.95,
) -> list[str]:
    """Return what the intervals are, and which points have none because of too few repeats.

    Args:
        points: Rows with `low`, `n` and the name.
        words: Translates labels.
        text: Description of the intervals.
        by: Column of the names.
        confidence: Confidence of the intervals.
    """
    without = points["low"].isna()
    parts = []
    if not without.all():
        counts = _span(points[~without]["n"])
        parts.append(words(text, confidence=100 * confidence, n=counts))
    if without.all():
        parts.append(words("n = {n}, no interval", n=_span(points["n"])))
    elif without.any():
        names = ", ".join(str(name) for name in points[without][by])
        counts = _span(points[without]["n"])
        parts.append(words("n = {n}, no interval: {names}", n=counts, names=names))
    return parts


def _span(counts: "pd.Series[Any]") -> str:
    low, high = int(counts.min()), int(counts.max())
    return str(low) if low == high else f"{low}-{high}"
