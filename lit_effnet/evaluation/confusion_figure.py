"""Draw the confusion matrix."""

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lit_effnet.results.figures.files import broken

MOST = 25  # classes with readable names
OTHERS = "others"
CELL, LINE, LETTER = 0.3, 0.13, 0.054  # inches of a cell, of a line of text and of a letter
NAME = 20  # letters of a name


def confusion_figure(
    title: str, confusion: NDArray[np.int64], classes: Sequence[str], most: int = MOST
) -> Figure:
    """Draw the confusion matrix: class in rows, prediction in columns.

    With more than `most` classes, those with the most errors are shown, and a last column holds the
    predictions of all others.

    Args:
        title: Title of the figure.
        confusion: Confusion matrix `[K, K]`.
        classes: Names of the classes.
        most: Classes to show.
    """
    mistakes = confusion.sum(1) - np.diag(confusion)
    shown = np.sort(np.argsort(-mistakes, kind="stable")[:most])
    counts = confusion[np.ix_(shown, shown)]
    names = [_short(classes[index]) for index in shown]
    columns = list(names)
    if len(shown) < len(classes):
        title += f"; the {len(shown)} of {len(classes)} classes with the most mistakes"
        counts = np.column_stack([counts, confusion[shown].sum(1) - counts.sum(1)])
        columns.append(OTHERS)
    totals = confusion[shown].sum(1, keepdims=True)
    part = counts / np.maximum(totals, 1)
    edge = 0.35 + LETTER * max(map(len, [*columns, "class"]))
    wide, high = CELL * len(columns), CELL * len(names)
    # A title may be wider than a few classes.
    width = max(wide + edge + 0.15, 0.2 + 1.25 * LETTER * min(len(title), 60))
    lines = broken(title, int(width / LETTER / 1.25) - 1)
    above = 0.25 + LINE * (lines.count("\n") + 1)
    height = above + high + edge
    figure = Figure(figsize=(width, height), dpi=150)
    axes = figure.add_axes((edge / width, edge / height, wide / width, high / height))
    axes.imshow(part, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(columns)), columns, rotation=90, fontsize=6, parse_math=False)
    axes.set_yticks(range(len(names)), names, fontsize=6, parse_math=False)
    axes.set_xlabel("predicted", fontsize=7)
    axes.set_ylabel("class", fontsize=7)
    axes.tick_params(length=0)
    for row, column in zip(*np.nonzero(counts), strict=True):
        ink = "white" if part[row, column] > 0.6 else "black"
        text = f"{counts[row, column]}"
        size = 6 if len(text) < 4 else 4.5
        axes.text(column, row, text, ha="center", va="center", fontsize=size, color=ink)
    figure.text(0.08 / width, 1 - 0.08 / height, lines, fontsize=7, va="top", parse_math=False)
    return figure


def _short(name: str) -> str:
    name = name.replace("_", " ")
    half = NAME // 2  # two names often differ at the end
    return name if len(name) <= NAME else f"{name[:half]}…{name[1 - half :]}"
