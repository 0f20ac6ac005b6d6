"""What a person sees of the numbers of maps: means of each network, paired by image."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.table import Table

from lit_effnet.looking import mean_scores, score_of

BETTER = {
    "insertion": "higher is better",
    "deletion": "lower is better",
    "road": "higher is better",
    "randomisation": "near 0 is better",
}


def scores_table(rows: Sequence[Mapping[str, Any]], scores: Sequence[str]) -> Table:
    """Mean and standard error over images; the difference from the first is paired by image."""
    groups: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["network"], row["arm"], row["method"]), []).append(row)
    first = next(iter(groups.values()))
    table = Table(title=f"maps of {len(first)} images", title_justify="left")
    table.add_column("score")
    table.add_column("network", overflow="fold")
    table.add_column("method")
    table.add_column("mean", justify="right", no_wrap=True)
    if len(groups) > 1:
        table.add_column("from the first", justify="right", no_wrap=True)
    for name in scores:
        for number, ((_, arm, method), found) in enumerate(groups.items()):
            mean, error = mean_scores(found, name)
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
    values = np.array(
        [score_of(a, name) - score_of(b, name) for a, b in zip(rows, first, strict=True)]
    )
    if len(values) < 2:
        return f"{values.mean():+.3f}"
    return f"{values.mean():+.3f} ± {values.std(ddof=1) / np.sqrt(len(values)):.3f}"
