"""Search for alpha, beta and gamma: accuracy of each candidate at equal multiply-adds."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.patches import Rectangle

from lit_effnet.results.figures.drawing import (
    COLUMN_IN,
    PERCENT,
    SIZE,
    MarkedFigure,
    Words,
    canvas,
    english,
    note,
)
from lit_effnet.results.figures.pareto import arm_points
from lit_effnet.results.frame.columns import clean_rows
from lit_effnet.scaling.compound import ALPHA, BETA, GAMMA

COEFFICIENTS = ("alpha", "beta", "gamma")
PUBLISHED = (ALPHA, BETA, GAMMA)
FEWEST = 3  # candidates that a slope needs
STEP = 0.05


def coefficient_points(frame: pd.DataFrame) -> tuple[pd.DataFrame, float]:
    """Return a row for each candidate with `at_equal_macs`, and the slope behind that column.

    Some candidates cost a third more than others. A straight line is fitted to accuracy over the
    logarithm of multiply-adds by least squares, and each accuracy is moved along it to the median
    of the multiply-adds. The slope is top-1 for each doubling.

    Args:
        frame: Rows of runs of one data set.

    Raises:
        ValueError: there are fewer than three finished candidates at phi = 1.
    """
    clean = clean_rows(frame)
    candidates = clean[clean["phi"].eq(1) & clean["rounding"].ne("round")]
    points = arm_points(candidates, "macs").reset_index(drop=True)
    if len(points) < FEWEST:
        raise ValueError(
            f"runs: must have {FEWEST} finished candidates at phi = 1, and have {len(points)}; "
            "`python -m lit_effnet.sweep sweeps/coefficient_search.yaml --on photos` makes them"
        )
    doublings = np.log2(points["macs"] / points["macs"].median())
    spread = float(np.ptp(doublings))
    slope = float(np.polyfit(doublings, points["top1"], 1)[0]) if spread > 0 else 0.0
    return points.assign(at_equal_macs=points["top1"] - slope * doublings), slope


def coefficient_figure(
    frame: pd.DataFrame, *, width_in: float = COLUMN_IN, words: Words = english
) -> MarkedFigure:
    """Draw a heat map of beta and gamma for each alpha; the published candidate has a frame.

    Args:
        frame: Rows of runs of one data set.
        width_in: Width in inches.
        words: Translates labels.

    Raises:
        ValueError: there are fewer than three finished candidates at phi = 1.
    """
    points, slope = coefficient_points(frame)
    alphas = sorted(points["alpha"].unique())
    betas, gammas = (_grid(points[name]) for name in ("beta", "gamma"))
    values = PERCENT * points["at_equal_macs"]
    shape: Any = (1, len(alphas))
    with canvas(width_in, 0.1 + 0.72 * width_in, shape, sharey=True) as (figure, panels):
        image: Any = None
        for panel, alpha in zip(panels, alphas, strict=True):
            cells = np.full((len(gammas), len(betas)), np.nan)
            for point in points[points["alpha"] == alpha].to_dict("records"):
                row, column = _index(gammas, point["gamma"]), _index(betas, point["beta"])
                cells[row, column] = PERCENT * point["at_equal_macs"]
            style: Any = {"cmap": "viridis", "vmin": values.min(), "vmax": values.max()}
            image = panel.imshow(cells, origin="lower", aspect="equal", **style)
            _ticks(panel.xaxis, betas)
            panel.tick_params(axis="x", labelrotation=90)
            panel.set_xlabel("$\\beta$")
            panel.set_title(f"$\\alpha$ = {alpha:g}", fontsize=SIZE + 1)
            panel.spines[:].set_visible(True)
            panel.set_facecolor("#f4f4f4")
            if alpha == ALPHA and _has(points, PUBLISHED):
                corner = (_index(betas, BETA) - 0.5, _index(gammas, GAMMA) - 0.5)
                panel.add_patch(Rectangle(corner, 1, 1, fill=False, ec="#D55E00", lw=1.6))
        _ticks(panels[0].yaxis, gammas)
        panels[0].set_ylabel("$\\gamma$")
        bar = figure.colorbar(image, ax=panels, location="bottom", shrink=0.8, aspect=30)
        bar.set_label(words("top-1 at equal multiply-adds (%)"))
        texts = [
            words("frame: the published (1.2, 1.1, 1.15)"),
            words(
                "corrected by {slope:+.1f} points for each doubling of multiply-adds",
                slope=PERCENT * slope,
            ),
            words("mean of n = {n}", n=int(points["n"].min())),
        ]
        note(figure, texts[0 if _has(points, PUBLISHED) else 1 :])
    return figure


def _has(points: pd.DataFrame, wanted: tuple[float, float, float]) -> bool:
    return bool(np.isclose(points[[*COEFFICIENTS]].to_numpy(float), wanted).all(axis=1).any())


def _grid(values: "pd.Series[Any]") -> list[float]:
    """Return the grid from the least to the greatest value, in steps of the search."""
    low, high = float(values.min()), float(values.max())
    fine = not np.allclose(np.round(values / STEP) * STEP, values)
    step = STEP / 5 if fine else STEP
    return [round(low + step * index, 4) for index in range(round((high - low) / step) + 1)]


def _index(grid: list[float], value: float) -> int:
    return int(np.argmin(np.abs(np.subtract(grid, value))))


def _ticks(axis: Any, grid: list[float]) -> None:
    every = max(1, len(grid) // 7 + (len(grid) > 7))
    axis.set_ticks(range(0, len(grid), every), [f"{value:g}" for value in grid[::every]])
