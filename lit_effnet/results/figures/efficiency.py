"""What networks cost on a device: latency and utilisation against multiply-adds."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from lit_effnet.results.figures.drawing import (
    COLOURS,
    COLUMN_IN,
    GREY,
    GRID,
    PERCENT,
    Words,
    canvas,
    cost_axis,
    name_points,
    note,
    value_axis,
)
from lit_effnet.results.figures.labels import Label

Row = Mapping[str, Any]

MACS = "multiply-adds of one image"
OURS = "b"  # names of EfficientNets begin with it and go on with a digit


def efficiency_rows(rows: Sequence[Row]) -> list[Row]:
    """The newest row of each network on the device that was measured last, cheapest first.

    Args:
        rows: As `measure` writes them.

    Raises:
        ValueError: no network has multiply-adds and a latency.
    """
    known = [row for row in rows if row.get("macs") and _latency(row)]
    if not known:
        raise ValueError(
            "rows: must have a network with multiply-adds and a latency, and have none; `python -m "
            "lit_effnet.measure b0 b4 resnet50 --output runs/efficiency.jsonl` makes them"
        )
    how = _how(known[-1])
    newest = {row["name"]: row for row in known if _how(row) == how}
    return sorted(newest.values(), key=lambda row: float(row["macs"]))


def efficiency_figure(
    rows: Sequence[Row], *, width_in: float = COLUMN_IN, words: Words = str
) -> Figure:
    """Latency of one image and utilisation of the peak, networks beside their names.

    Args:
        rows: As `measure` writes them.
        width_in: Width in inches.
        words: Translates labels.

    Raises:
        ValueError: no network has multiply-adds and a latency.
    """
    shown = efficiency_rows(rows)
    used = [row for row in shown if utilisation(row) is not None]
    shape = (1 + bool(used), 1) if width_in < 5 else (1, 1 + bool(used))
    height = 0.62 * width_in * shape[0] + 0.3 if width_in < 5 else 0.5 * width_in
    with canvas(width_in, height, shape) as (figure, panels):
        labels = [(panels[0], _latencies(panels[0], shown, words))]
        if used:
            labels.append((panels[1], _utilisations(panels[1], used, words)))
        device, precision, threads, _ = _how(shown[0])
        told = words("{device}, {precision}, threads: {threads}; bars: 5th to 95th percentile")
        texts = [told.format(device=device, precision=precision, threads=threads)]
        if not used:
            texts.append(words("utilisation was not measured"))
        note(figure, ["; ".join(texts)])
        name_points(figure, labels)
    return figure


def utilisation(row: Row) -> float | None:
    """Which part of the device's peak inference in batches reaches; null where unknown."""
    found = (row.get("inference") or {}).get("utilisation")
    return None if found is None else float(found)


def _latencies(panel: Axes, rows: Sequence[Row], words: Words) -> list[Label]:
    labels = []
    for row in rows:
        timed, colour = row["latency"], _colour(row)
        macs, median = float(row["macs"]), float(timed["median_ms"])
        low, high = float(timed["p5_ms"]), float(timed["p95_ms"])
        panel.plot([macs, macs], [low, high], color=colour, linewidth=0.8, zorder=2)
        panel.scatter([macs], [median], s=18, color=colour, zorder=3)
        labels.append(Label(str(row["name"]), (macs, median), (low, high), colour))
    cost_axis(panel, [float(row["macs"]) for row in rows], words(MACS))
    panel.set_yscale("log")
    panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    panel.yaxis.set_major_formatter(EngFormatter(sep=" "))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.margins(y=0.15)
    panel.grid(axis="y", color=GRID, linewidth=0.5)
    panel.set_ylabel(words("latency of one image (ms)"))
    return labels


def _utilisations(panel: Axes, rows: Sequence[Row], words: Words) -> list[Label]:
    labels = []
    for row in rows:
        at = (float(row["macs"]), PERCENT * (utilisation(row) or 0.0))
        panel.scatter(*at, s=18, color=_colour(row), zorder=3)
        labels.append(Label(str(row["name"]), at, (float("nan"),) * 2, _colour(row)))
    cost_axis(panel, [float(row["macs"]) for row in rows], words(MACS))
    value_axis(panel, words("utilisation of the peak (%)"))
    panel.set_ylim(0, max(label.at[1] for label in labels) * 1.2)
    return labels


def _colour(row: Row) -> str:
    name = str(row["name"])
    efficient = name.startswith(OURS) and name[1:2].isdigit()
    return COLOURS["compound"] if efficient else GREY


def _how(row: Row) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in ("device", "precision", "threads", "compiled"))


def _latency(row: Row) -> bool:
    return isinstance(row.get("latency"), Mapping) and bool(row["latency"].get("median_ms"))
