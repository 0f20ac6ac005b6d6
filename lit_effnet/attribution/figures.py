"""Draw class activation maps and feature maps with matplotlib."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke
from numpy.typing import NDArray

from lit_effnet.attribution.feature_maps import FeatureMaps
from lit_effnet.data.pixels import Rgb
from lit_effnet.results.figures.files import broken

CELL, GAP = 1.7, 0.13  # inches of a map, and of the space around its caption
FEATURE_COLOURS = "viridis"
OUTLINE = [withStroke(linewidth=1.2, foreground="black")]
PLAIN: dict[str, Any] = {"parse_math": False}  # a file's name may hold two dollar signs
# Turbo without its dark ends, which look alike over an image.
MAP_COLOURS = LinearSegmentedColormap.from_list(
    "blue to red", matplotlib.colormaps["turbo"](np.linspace(0.12, 0.9, 64))
)
LINE, LEFT = 0.14, 1.05  # inches of a line of text, and of row titles


@dataclass(frozen=True)
class MapColumn:
    """A network and method in a grid of maps.

    Args:
        title: Title of the column.
        views: The network's view of each image, `uint8 [S, S, 3]`.
        maps: `float32 [N, S, S]` from 0 to 1.
        captions: Caption of each cell.
    """

    title: str
    views: Sequence[Rgb]
    maps: NDArray[np.float32]
    captions: Sequence[str]


def map_grid(rows: Sequence[str], columns: Sequence[MapColumn], note: str = "") -> Figure:
    """Draw one row for each image: the image, then each column's map over it.

    Args:
        rows: Titles of the images.
        columns: The networks and methods.
        note: Text below the figure.
    """
    titles = [_title(column.title) for column in columns]
    header = 0.15 + LINE * max(title.count("\n") + 1 for title in titles)
    lines = max(text.count("\n") + 1 for column in columns for text in column.captions)
    gap = GAP + LINE * lines
    footer = gap + (0.2 if note else 0)
    width = LEFT + CELL * (1 + len(columns))
    height = header + footer + CELL * len(rows) + gap * (len(rows) - 1)
    figure = Figure(figsize=(width, height), dpi=150)
    figure.text(
        *(0.5, 0.07 / height), fill(note, round(14 * width)), ha="center", fontsize=6.5, **PLAIN
    )
    cells = figure.subplots(
        len(rows),
        1 + len(columns),
        squeeze=False,
        gridspec_kw={
            "left": LEFT / width,
            "right": 0.995,
            "top": 1 - header / height,
            "bottom": footer / height,
            "wspace": 0.04,
            "hspace": gap / CELL,
        },
    )
    for axes in cells.flat:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    for index, name in enumerate(rows):
        cells[index, 0].imshow(columns[0].views[index])
        left = cells[index, 0]
        left.set_ylabel(broken(name, 13), rotation=0, ha="right", va="center", fontsize=8, **PLAIN)
        for axes, column in zip(cells[index, 1:], columns, strict=True):
            axes.imshow(column.views[index])
            axes.imshow(column.maps[index], cmap=MAP_COLOURS, alpha=0.5, vmin=0, vmax=1)
            axes.set_xlabel(column.captions[index], fontsize=7, labelpad=2, **PLAIN)
    cells[0, 0].set_title("image", fontsize=8)
    for axes, title in zip(cells[0, 1:], titles, strict=True):
        axes.set_title(title, fontsize=8, **PLAIN)
    return figure


def feature_grid(
    title: str, view: Rgb, stages: Sequence[FeatureMaps], image: int = 0, count: int = 8
) -> Figure:
    """Draw one row for each stage: its strongest channels, the strongest first.

    Args:
        title: Title of the figure.
        view: The network's view of the image, `uint8 [S, S, 3]`.
        stages: Feature maps of each stage.
        image: Index of the image in the feature maps.
        count: Channels in a row.
    """
    left, right, footer = 1.45, 0.08, 0.28
    width = left + right + CELL * 0.62 * (count + 1.15)
    height = 0.5 + footer + CELL * 0.66 * len(stages)
    figure = Figure(figsize=(width, height), dpi=150)
    figure.suptitle(title, fontsize=9, y=1 - 0.1 / height, va="top", **PLAIN)
    cells = figure.subplots(
        len(stages),
        count + 1,
        squeeze=False,
        gridspec_kw={
            "left": left / width,
            "right": 1 - right / width,
            "top": 1 - 0.42 / height,
            "bottom": footer / height,
            "wspace": 0.06,
            "hspace": 0.06,
        },
    )
    for axes in cells.flat:
        axes.set_xticks([])
        axes.set_yticks([])
        axes.spines[:].set_visible(False)
    note = "each map from its minimum (dark) to its maximum (bright), with the channel's number"
    figure.text(0.5, 0.08 / height, note, ha="center", fontsize=6.5)
    cells[0, 0].imshow(view)
    for row, stage in zip(cells, stages, strict=True):
        row[0].set_ylabel(stage.caption, rotation=0, ha="right", va="center", fontsize=7)
        for axes, channel in zip(row[1:], stage.strongest(image, count), strict=False):
            axes.imshow(stage.maps[image, channel].cpu().numpy(), cmap=FEATURE_COLOURS)
            corner = {"transform": axes.transAxes, "ha": "left", "va": "top", "fontsize": 5}
            axes.text(0.03, 0.97, f"{channel}", color="white", path_effects=OUTLINE, **corner)
    return figure


def _title(text: str) -> str:
    """Return a title broken into lines of a column's width."""
    return "\n".join(broken(line, 23) for line in text.splitlines())
