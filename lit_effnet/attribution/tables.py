"""Table of the scores of maps: means of each network, paired by image."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_effnet.cli.tables import Column, PlainTable, tabulate

BETTER = {
    "insertion": "higher is better",
    "deletion": "lower is better",
    "road": "higher is better",
    "randomisation": "magnitude; 0 is best",
}
NOTE = (
    "Means and standard errors over images; differences are paired by image. Insertion and "
    "deletion range from 0 to 1, ROAD from -1 to 1. Randomisation is the magnitude of the rank "
    "correlation once all weights are random, over the images that have a map."
)

Row = Mapping[str, Any]
COLUMNS = (
    Column(heading="score", value="score", left=True),
    Column(heading="network", value="arm", left=True),
    Column(heading="method", value="method", left=True),
    Column(heading="mean", value="mean"),
    Column(heading="difference from the first", value="difference", optional=True),
)


def scores_table(rows: Sequence[Row], scores: Sequence[str]) -> PlainTable:
    """Return the mean of each score for every network and method.

    Args:
        rows: One for each network, method and image.
        scores: Names of the scores.
    """
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["network"], row["arm"], row["method"]), []).append(row)
    first = next(iter(groups.values()))
    lines = []
    for name in scores:
        reference = _values(first, name)
        for (_, arm, method), group in groups.items():
            values = _values(group, name)
            line = {"score": f"{name} ({BETTER[name]})" if group is first else ""}
            line |= {"arm": arm, "method": method, "mean": _mean(values, ".3f")}
            if group is not first:
                line["difference"] = _mean(values - reference, "+.3f")
            lines.append(line)
    return tabulate(COLUMNS, lines, title=f"maps of {len(first)} images", notes=[NOTE])


def _mean(values: NDArray[np.float64], spec: str) -> str:
    """Return mean and standard error of the finite values; NaN with too few of them."""
    finite = values[np.isfinite(values)]
    mean = float(finite.mean()) if len(finite) else np.nan
    error = float(finite.std(ddof=1) / np.sqrt(len(finite))) if len(finite) > 1 else np.nan
    return f"{mean:{spec}} ± {error:.3f}"


def _values(rows: Sequence[Row], name: str) -> NDArray[np.float64]:
    """Return each row's score; for randomisation, its magnitude with all weights random."""
    values = [row[name] for row in rows]
    if name == "randomisation":
        last = [list(value.values())[-1] for value in values]
        values = [None if value is None else abs(value) for value in last]
    return np.array([np.nan if value is None else value for value in values], np.float64)
