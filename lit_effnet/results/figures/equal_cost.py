"""Each axis alone against compound scaling at the same multiply-adds, with intervals."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from lit_effnet.results.figures.drawing import (
    COLOURS,
    COLUMN_IN,
    Look,
    Mark,
    MarkedFigure,
    Words,
    axis_look,
    canvas,
    draw_point,
    english,
    is_rounded,
    name_rows,
    note,
    repeats_note,
)
from lit_effnet.results.frame.columns import clean_rows
from lit_effnet.results.stats.comparison import (
    ALPHA,
    POINTS,
    Comparison,
    adjusted,
    compare,
    comparison_frame,
)
from lit_effnet.results.stats.equal_cost import around
from lit_effnet.results.stats.estimates import repeats

ROW_IN = 0.19


def equal_cost_points(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each arm that costs as much as a compound arm: its difference to that arm.

    The columns are those of `comparison.comparison_frame`, with p-values adjusted for all rows, the
    arm's `axis` and `rounding`, and the compound arm's MACs, also in multiples of the baseline's
    (NaN without a baseline).

    Args:
        frame: Rows of runs of one data set.

    Raises:
        ValueError: no arm costs as much as a compound arm.
    """
    clean = clean_rows(frame)
    arms = clean.drop_duplicates("arm").set_index("arm")
    compound = arms[arms["axis"].eq("compound") & arms["budget"].notna()].to_dict("index")
    rounded = [str(arm) for arm, properties in compound.items() if is_rounded(properties)]
    plain = [str(arm) for arm in compound if arm not in rounded]
    values = repeats(clean).values
    made: list[Comparison] = []
    for reference, group in around(clean, plain, spare=rounded).items():
        made += [
            compare(arm, reference, values[arm], values[reference])
            for arm in group.arms
            if arm != reference and (reference, arm) not in {(one.a, one.b) for one in made}
        ]
    if not made:
        raise ValueError(
            "runs: must have arms of one cost, a compound one among them, and have none; "
            "`python -m lit_effnet.sweep sweeps/scaling_ablation.yaml --on photos` makes them"
        )
    points = comparison_frame(adjusted(made))
    points[["axis", "rounding"]] = arms.loc[points["arm"], ["axis", "rounding"]].to_numpy()
    costs = clean.groupby("arm")["macs"].median().astype(float)
    points["macs"] = points["reference"].map(costs)
    points["times"] = points["macs"] / costs.get("baseline", float("nan"))
    return points.sort_values(["macs", "difference"], ignore_index=True)


def equal_cost_figure(
    frame: pd.DataFrame, *, width_in: float = COLUMN_IN, words: Words = english
) -> MarkedFigure:
    """Draw each arm's top-1 minus that of compound scaling at the same multiply-adds, by budget.

    Filled markers are significant after Holm's correction for all differences.

    Args:
        frame: Rows of runs of one data set.
        width_in: Width in inches.
        words: Translates labels.

    Raises:
        ValueError: no arm costs as much as a compound arm.
    """
    points = equal_cost_points(frame)
    budgets = [rows for _, rows in points.groupby("reference", sort=False)]
    counts = [len(rows) for rows in budgets]
    shape: Any = {"sharex": True, "height_ratios": [count + 1.2 for count in counts]}
    height = 0.6 + ROW_IN * (sum(counts) + 1.6 * len(counts))
    with canvas(width_in, height, (len(budgets), 1), **shape) as (figure, panels):
        for panel, rows in zip(panels, budgets, strict=True):
            _draw(figure, panel, rows, words)
        panels[-1].set_xlabel(words("difference of top-1 (points)"))
        panels[-1].xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        data = words(str(clean_rows(frame)["data"].iloc[0]))
        bars = "bars: {confidence:g} % interval of the difference, n = {n}"
        texts = [
            words("{data}: each arm minus compound scaling (MACs in baselines)", data=data),
            *repeats_note(points, words, bars),
        ]
        if tested := int(points["p"].notna().sum()):
            texts.append(words("filled: p < 0.05 after Holm's correction for {n} tests", n=tested))
        note(figure, texts)
    return figure


def _draw(figure: MarkedFigure, panel: Axes, rows: pd.DataFrame, words: Words) -> None:
    """Draw the arms of one budget."""
    panel.axvline(0, color=COLOURS["compound"], linewidth=1.0, zorder=1)
    for row, point in enumerate(rows.to_dict("records")):
        look, arm = axis_look(point), str(point["arm"])
        significant = pd.notna(point["p_holm"]) and point["p_holm"] < ALPHA
        difference, low, high = (POINTS * point[name] for name in ("difference", "low", "high"))
        draw_point(
            figure, panel, (difference, row), (low, high), across=True,
            look=Look(look.colour, look.marker, hollow=not significant), mark=Mark(arm),
        )  # fmt: skip
    name_rows(panel, [words(str(arm)) for arm in rows["arm"]])
    first = rows.iloc[0]
    cost = words("{macs:,.1f} M MACs", macs=first["macs"] / 1e6)
    if pd.notna(first["times"]):
        cost = words("{times:.2f} x", times=first["times"])
    title = words("minus {arm} ({cost})", arm=words(str(first["reference"])), cost=cost)
    panel.set_title(title, loc="right", parse_math=False)
