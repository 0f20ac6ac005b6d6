"""Cost of networks on a device: latency and utilisation against multiply-adds."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, LogLocator, NullLocator

from lit_effnet.results.figures.drawing import (
    COLOURS,
    COLUMN_IN,
    GREY,
    GRID,
    MACS,
    PERCENT,
    WIDE_IN,
    Look,
    Mark,
    MarkedFigure,
    Words,
    canvas,
    cost_axis,
    draw_point,
    english,
    name_points,
    note,
    value_axis,
)
from lit_effnet.results.figures.labels import NO_BAR, Label

Row = Mapping[str, Any]

OURS = "b"  # prefix of the names of EfficientNets, before a digit


def efficiency_rows(rows: Sequence[Row]) -> list[Row]:
    """Return the newest row of each network on the device measured last, the cheapest first.

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
    setup = _setup(known[-1])
    newest = {row["name"]: row for row in known if _setup(row) == setup}
    return sorted(newest.values(), key=lambda row: float(row["macs"]))


def efficiency_figure(
    rows: Sequence[Row], *, width_in: float = COLUMN_IN, words: Words = english
) -> MarkedFigure:
    """Draw the latency of one image and the utilisation of the peak of each network.

    Args:
        rows: As `measure` writes them.
        width_in: Width in inches.
        words: Translates labels.

    Raises:
        ValueError: no network has multiply-adds and a latency.
    """
    shown = efficiency_rows(rows)
    used = [row for row in shown if utilisation(row) is not None]
    wide = width_in >= WIDE_IN
    shape = (1, 1 + bool(used)) if wide else (1 + bool(used), 1)
    height = 0.5 * width_in if wide else 0.62 * width_in * shape[0] + 0.1
    with canvas(width_in, height, shape) as (figure, panels):
        labels = [(panels[0], _latencies(figure, panels[0], shown, words))]
        if used:
            labels.append((panels[1], _utilisations(figure, panels[1], used, words)))
        device, precision, threads, _ = _setup(shown[0])
        setup = "{device}, {precision}, threads: {threads}"
        texts = [
            words(setup, device=device, precision=precision, threads=threads),
            words("bars: 5th to 95th percentile"),
        ]
        if not used:
            texts.append(words("utilisation was not measured"))
        note(figure, texts)
        name_points(figure, labels)
    return figure


def utilisation(row: Row) -> float | None:
    """Return the share of the device's peak that batched inference reaches, None if unknown."""
    share = (row.get("inference") or {}).get("utilisation")
    return None if share is None else float(share)


def _latencies(figure: MarkedFigure, panel: Axes, rows: Sequence[Row], words: Words) -> list[Label]:
    labels = []
    for row in rows:
        timed, colour, name = row["latency"], _colour(row), str(row["name"])
        at = (float(row["macs"]), float(timed["median_ms"]))
        ends = (float(timed["p5_ms"]), float(timed["p95_ms"]))
        draw_point(figure, panel, at, ends, look=Look(colour), mark=Mark(name))
        labels.append(Label(name, at, ends, colour))
    cost_axis(panel, [float(row["macs"]) for row in rows], words(MACS))
    panel.set_yscale("log")
    panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    panel.yaxis.set_major_formatter(EngFormatter(sep=" "))
    panel.yaxis.set_minor_locator(NullLocator())
    panel.margins(y=0.15)
    panel.grid(axis="y", color=GRID, linewidth=0.5)
    panel.set_ylabel(words("latency of one image (ms)"))
    return labels


def _utilisations(
    figure: MarkedFigure, panel: Axes, rows: Sequence[Row], words: Words
) -> list[Label]:
    labels = []
    for row in rows:
        at = (float(row["macs"]), PERCENT * (utilisation(row) or 0.0))
        name, colour = str(row["name"]), _colour(row)
        draw_point(figure, panel, at, look=Look(colour), mark=Mark(name))
        labels.append(Label(name, at, NO_BAR, colour))
    cost_axis(panel, [float(row["macs"]) for row in rows], words(MACS))
    value_axis(panel, words("utilisation of the peak (%)"))
    panel.set_ylim(0, max(label.at[1] for label in labels) * 1.2)
    return labels


def _colour(row: Row) -> str:
    name = str(row["name"])
    efficient = name.startswith(OURS) and name[1:2].isdigit()
    return COLOURS["compound"] if efficient else GREY


def _setup(row: Row) -> tuple[Any, ...]:
    return tuple(row.get(name) for name in ("device", "precision", "threads", "compiled"))


def _latency(row: Row) -> bool:
    return isinstance(row.get("latency"), Mapping) and bool(row["latency"].get("median_ms"))
