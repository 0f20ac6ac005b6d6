"""Arms that cost the same against each other: at equal MACs, parameters and training time.

Which arm is better depends on what is held equal, so the three stand side by side.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from lit_effnet.results.frame.records import FINISHED
from lit_effnet.results.stats.comparison import Comparison, adjusted, compare, comparison_frame
from lit_effnet.results.stats.estimates import CONFIDENCE, FEWEST, Repeats, repeats

COSTS = ("macs", "parameters", "duration_s")
TOLERANCE = 0.05  # relative; steps of whole blocks and of eight channels are often as large


@dataclass(frozen=True)
class Group:
    """Arms of nearly one cost.

    Args:
        cost: The column that is nearly equal.
        device: Where a training time was measured; null for what is counted.
        arms: Cost of each, its repeats' median, from the lowest on.
    """

    cost: str
    device: str | None
    arms: dict[str, float]

    def reference(self, wanted: Sequence[str]) -> str:
        """The first wanted arm that is in the group, else its cheapest."""
        return next((arm for arm in wanted if arm in self.arms), next(iter(self.arms)))


def groups_of(
    frame: pd.DataFrame, cost: str, tolerance: float = TOLERANCE, by: str = "arm"
) -> list[Group]:
    """Finished arms in groups of nearly one cost; an arm that is alone is a group too.

    A group is filled from its cheapest arm on, with what costs at most `tolerance` more than that.
    Training times are equal on one device only, so there no group holds two.

    Args:
        frame: Rows of runs.
        cost: A column.
        tolerance: Relative, 0.05 for 5 %.
        by: The column that tells what is compared.

    Raises:
        ValueError: a negative tolerance.
    """
    if tolerance < 0:
        raise ValueError(f"tolerance {tolerance}: must not be negative")
    known = frame[(frame["status"] == FINISHED) & frame[cost].notna()]
    keys = [by, "device"] if cost == "duration_s" else [by]
    found: list[Group] = []
    medians = known.groupby(keys)[cost].median().reset_index()
    for row in medians.sort_values([*keys[1:], cost, by]).to_dict("records"):
        arm, price = str(row[by]), float(row[cost])
        device = str(row["device"]) if "device" in row else None
        latest = found[-1] if found and found[-1].device == device else None
        if latest is None or price > (1 + tolerance) * min(latest.arms.values()):
            latest = Group(cost, device, {})
            found.append(latest)
        latest.arms[arm] = price
    return found


def around(
    frame: pd.DataFrame,
    references: Sequence[str],
    *,
    cost: str = "macs",
    tolerance: float = TOLERANCE,
    by: str = "arm",
    spare: Sequence[str] = (),
) -> dict[str, Group]:
    """The arms that cost nearly what a reference does, itself among them, by finished references.

    The cheapest reference comes first; an arm between two of them is in both groups.

    Args:
        frame: Rows of runs.
        references: Arms; one with too few repeats for a test gives way to a candidate near it that
            has enough.
        cost: A column that is counted, and not measured on a device.
        tolerance: Relative, to either side.
        by: The column that tells what is compared.
        spare: Further candidates, each a reference where no other costs nearly what it does.
    """
    known = frame[(frame["status"] == FINISHED) & frame[cost].notna()]
    costs = known.groupby(by)[cost].median().sort_values(kind="stable")
    near = {arm: costs[(costs / costs[arm] - 1).abs() <= tolerance] for arm in costs.index}
    tested = known.groupby(by)["seed"].nunique() >= FEWEST
    candidates = [arm for arm in (*references, *spare) if arm in costs.index]
    taken: set[str] = set()
    for arm in sorted(candidates, key=lambda arm: not tested[arm]):
        instead = taken.intersection(near[arm].index)
        if arm in references:  # gives way only to what a test can be made of
            instead = {other for other in instead if tested[other] and not tested[arm]}
        if not instead:
            taken.add(arm)
    return {
        str(arm): Group(cost, None, {str(one): float(price) for one, price in near[arm].items()})
        for arm in costs.index
        if arm in taken
    }


def at_equal_cost(
    frame: pd.DataFrame,
    references: Sequence[str] = (),
    *,
    value: str = "top1",
    costs: Iterable[str] = COSTS,
    tolerance: float = TOLERANCE,
    by: str = "arm",
    confidence: float = CONFIDENCE,
) -> pd.DataFrame:
    """Differences to a reference arm within each group of nearly one cost, for each kind of cost.

    P-values are adjusted for the whole table; two arms that stand in it for several costs are one
    comparison. `residual` is the arm's cost relative to that of its reference, less one. A group of
    one arm has no row: `groups_of` names it.

    Args:
        frame: Rows of one data set, split and condition.
        references: Arms to compare with, the first that a group has; else its cheapest arm.
        value: The column to compare.
        costs: Columns that are nearly equal.
        tolerance: Relative, within a group.
        by: The column that tells what is compared.
        confidence: Of the intervals.

    Raises:
        ValueError: rows that cannot be repeats of each other, or a negative tolerance.
    """
    made: list[Comparison] = []
    rows = []
    for cost in costs:
        for group in groups_of(frame, cost, tolerance, by):
            reference = group.reference(references)
            values = _values(frame, group, value, by).values
            for arm in (arm for arm in group.arms if arm != reference):
                of_both = values.get(arm, {}), values.get(reference, {})
                made.append(compare(arm, reference, *of_both, confidence))
                price, of_reference = group.arms[arm], group.arms[reference]
                equal = {"equal": cost, "device": group.device, "cost": price}
                rows.append(equal | {"residual": price / of_reference - 1})
    names = ["equal", "device", "cost", "residual"]
    prices = pd.DataFrame(rows, columns=names).astype(dict.fromkeys(names[2:], "float64"))
    distinct = [*dict.fromkeys(made)]
    known = dict(zip(distinct, adjusted(distinct), strict=True))
    return pd.concat([prices, comparison_frame(known[one] for one in made)], axis=1)


def _values(frame: pd.DataFrame, group: Group, value: str, by: str) -> Repeats:
    """Repeats of the group's arms, on its device where that counts."""
    used = frame[frame[by].isin([*group.arms])]
    return repeats(
        used if group.device is None else used[used["device"] == group.device], value, by
    )
