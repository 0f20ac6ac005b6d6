"""Cost of the network of an arm, counted from its plan: no network is built."""

from functools import partial

from lit_effnet.network.registry import OURS
from lit_effnet.scaling.arms import Arm
from lit_effnet.scaling.budget import Budget
from lit_effnet.scaling.compound import Scaling
from lit_effnet.scaling.cost import Complexity, count


def cost(arm: Arm, num_classes: int, scaling: Scaling, image_size: int) -> Complexity:
    """What the arm's network costs at a scaling.

    Raises:
        ValueError: it is none that can be scaled.
    """
    if arm.network not in OURS:
        raise ValueError(f"axis: {arm.network} has no budget to match, only {' and '.join(OURS)}")
    own = OURS[arm.network]
    options = {key: own[key] for key in ("se_ratio", "lite") if key in own}
    if arm.se_ratio is not None:
        options["se_ratio"] = arm.se_ratio
    return count(scaling, image_size, num_classes, **options)


def settled(arm: Arm, base_size: int, num_classes: int) -> Scaling:
    """The arm's scaling on images of `base_size` pixels at resolution 1.

    Raises:
        ValueError: its budget cannot be reached.
    """
    return arm.settle(base_size, partial(cost, arm, num_classes))


def residual_of(budget: Budget, here: Complexity, baseline: Complexity) -> float:
    """By which part a network misses its budget."""
    target = budget.times * getattr(baseline, budget.measure)
    return float(getattr(here, budget.measure) / target - 1)
