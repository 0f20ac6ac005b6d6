"""What a person sees of the numbers of maps: means of each network, paired by image."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

BETTER = {
    "insertion": "higher is better",
    "deletion": "lower is better",
    "road": "higher is better",
    "randomisation": "without sign; 0 is best",
}


def scores_table(rows: Sequence[Mapping[str, Any]], scores: Sequence[str]) -> Table:
    """Mean and standard error over images; the difference from the first is paired by image."""
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["network"], row["arm"], row["method"]), []).append(row)
    first = next(iter(groups.values()))
    table = Table(
        title=f"maps of {len(first)} images",
        title_justify="left",
        caption="Means and their standard errors over images; differences paired by image. "
        "Insertion and deletion are from 0 to 1, ROAD from -1 to 1, randomisation is the magnitude "
        "of the rank correlation once all weights are random, over the images that have a map.",
        caption_justify="left",
    )
    table.add_column("score")
    table.add_column("network", overflow="fold")
    table.add_column("method")
    table.add_column("mean", justify="right", no_wrap=True)
    if len(groups) > 1:
        table.add_column("from the first", justify="right", no_wrap=True)
    for name in scores:
        for number, ((_, arm, method), found) in enumerate(groups.items()):
            mean, error = _mean(np.array([score_of(row, name) for row in found]))
            heading = ("" if number > 1 else BETTER[name]) if number else name
            if len(groups) == 1:
                heading = f"{name}, {BETTER[name]}"
            cells = [heading, arm, method, f"{mean:.3f} ± {error:.3f}"]
            if len(groups) > 1:
                cells.append("" if found is first else _difference(found, first, name))
            table.add_row(*cells, end_section=number == len(groups) - 1)
    return table


def _difference(
    rows: Sequence[Mapping[str, Any]], first: Sequence[Mapping[str, Any]], name: str
) -> str:
    pairs = zip(rows, first, strict=True)
    mean, error = _mean(np.array([score_of(a, name) - score_of(b, name) for a, b in pairs]))
    return f"{mean:+.3f} ± {error:.3f}"


def _mean(values: NDArray[np.float64]) -> tuple[float, float]:
    """Mean and standard error of the numbers that there are; NaN where there are too few."""
    there = values[np.isfinite(values)]
    if len(there) < 2:
        return (float(there[0]) if len(there) else np.nan), np.nan
    return float(there.mean()), float(there.std(ddof=1) / np.sqrt(len(there)))


def score_of(row: Mapping[str, Any], name: str) -> float:
    """A row's number, NaN for null; of randomisation how far from 0 it is with all random."""
    value = row[name]
    if isinstance(value, dict):
        last = list(value.values())[-1]
        return np.nan if last is None else abs(float(last))
    return np.nan if value is None else float(value)
