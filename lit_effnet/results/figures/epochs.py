"""Validation accuracy after each epoch of training."""

from collections.abc import Iterator

import pandas as pd

from lit_effnet.results.figures.curves import curves_figure
from lit_effnet.results.figures.drawing import COLUMN_IN, Looks, MarkedFigure, Words, english
from lit_effnet.results.frame.run_parts import METRICS, text_of
from lit_effnet.runs.csv_text import read_rows


def epoch_points(runs: pd.DataFrame, value: str = "top1") -> pd.DataFrame:
    """Return a row for each arm and epoch: mean validation accuracy of the runs.

    Epochs that not all repeats of the arm have reached are left out, because the mean would jump.

    Args:
        runs: A row for each run.
        value: Accuracy.

    Raises:
        ValueError: no arm has two epochs.
    """
    rows = [
        {**row, "epoch": epoch + 1.0, value: score}
        for row in runs.to_dict("records")
        for epoch, score in dict(epoch_values(str(row["run"]), value)).items()
    ]
    points = pd.DataFrame(rows, columns=[*runs.columns, "epoch"])
    points = points.groupby(["arm", "epoch"], sort=False).agg(
        {value: "mean", "run": "nunique", "axis": "first", "rounding": "first", "macs": "median"}
    )
    points = points.rename(columns={"run": "n"}).reset_index()
    by_arm = points.groupby("arm")
    points = points[points["n"].eq(by_arm["n"].transform("max"))]
    points = points[points.groupby("arm")["epoch"].transform("size") > 1]
    if points.empty:
        raise ValueError("runs: must have two epochs with a validation accuracy, and have none")
    return points.assign(recipe="", low=float("nan"), high=float("nan"))


def epoch_values(run: str, value: str) -> Iterator[tuple[int, float]]:
    """Yield epoch and validation accuracy from the `metrics.csv` of a run.

    Args:
        run: Path of the run.
        value: Accuracy.
    """
    try:
        for row in read_rows(text_of(run, METRICS)):
            if score := row.get(f"val/{value}"):
                yield int(row["epoch"]), float(score)
    except (OSError, ValueError, KeyError, TypeError):
        return  # a line that is being written


def epochs_figure(
    runs: pd.DataFrame,
    value: str = "top1",
    *,
    width_in: float = COLUMN_IN,
    words: Words = english,
    looks: Looks | None = None,
) -> MarkedFigure:
    """Draw validation accuracy after each epoch, a curve for each arm.

    Args:
        runs: A row for each run.
        value: Accuracy.
        width_in: Width in inches.
        words: Translates labels.
        looks: Look of each arm; None for the default.

    Raises:
        ValueError: no arm has two epochs.
    """
    points = epoch_points(runs, value)
    return curves_figure(
        points, "epoch", "epoch", value,
        notes=[words("means over the runs of an arm")],
        width_in=width_in, words=words, looks=looks,
    )  # fmt: skip
