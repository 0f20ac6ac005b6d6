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
    """Arms of nearly equal cost.

    Args:
        cost: Column of the cost.
        device: Device of a measured cost; None for a computed cost.
        arms: Median cost of each arm, in ascending order.
    """

    cost: str
    device: str | None
    arms: dict[str, float]

    def reference(self, wanted: Sequence[str]) -> str:
        """Return the first preferred arm in the group, or its cheapest arm."""
        return next((arm for arm in wanted if arm in self.arms), next(iter(self.arms)))


def groups_of(
    frame: pd.DataFrame, cost: str, tolerance: float = TOLERANCE, by: str = "arm"
) -> list[Group]:
    """Group finished arms by nearly equal cost; a single arm is a group too.

    A group holds the arms that cost at most `tolerance` more than its cheapest arm. Training times
    are compared on one device only.

    Args:
        frame: Rows of runs.
        cost: Column of the cost.
        tolerance: Largest relative difference, 0.05 for 5 %.
        by: Column that names the arms.

    Raises:
        ValueError: The tolerance is negative.
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
    """Group arms by their cost relative to reference arms, one group per reference.

    The cheapest reference comes first. An arm between two references is in both groups.

    Args:
        frame: Rows of runs.
        references: Reference arms; one with too few repeats for a test is replaced by a candidate
            of nearly equal cost that has enough.
        cost: Column of a computed cost, such as MACs.
        spare: Candidates, used as references only at costs without a reference.
        tolerance: Largest relative difference in cost, 0.05 for 5 %.
        by: Column that names the arms.
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
    """Compare arms with a reference within each group of nearly equal cost, for each cost.

    P-values are adjusted over the whole table; a pair of arms under several costs counts once.
    `residual` is the relative difference in cost. Groups of one arm have no row.

    Args:
        frame: Rows of one data set, split and condition.
        references: Preferred reference arms; a group without one uses its cheapest arm.
        value: Column to compare.
        costs: Columns of the costs.
        tolerance: Largest relative difference in cost within a group.
        by: Column that names the arms.
        confidence: Confidence level of the intervals.

    Raises:
        ValueError: Rows are not repeats of each other, or the tolerance is negative.
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
