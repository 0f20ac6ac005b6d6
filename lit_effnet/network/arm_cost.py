"""Cost of an arm's network, counted from its layers without building it."""

from functools import partial

from lit_effnet.network.registry import OURS
from lit_effnet.scaling.arms import Arm
from lit_effnet.scaling.budget import Budget
from lit_effnet.scaling.compound import Scaling
from lit_effnet.scaling.cost import Complexity, count


def cost(arm: Arm, num_classes: int, scaling: Scaling, image_size: int) -> Complexity:
    """Return the complexity of the arm's network at a scaling.

    Raises:
        ValueError: the network cannot be scaled.
    """
    if arm.network not in OURS:
        raise ValueError(f"axis: {arm.network} has no budget to match, only {' and '.join(OURS)}")
    own = OURS[arm.network]
    options = {key: own[key] for key in ("se_ratio", "lite") if key in own}
    if arm.se_ratio is not None:
        options["se_ratio"] = arm.se_ratio
    return count(scaling, image_size, num_classes, **options)


def settled(arm: Arm, base_size: int, num_classes: int) -> Scaling:
    """Return the arm's scaling for images of `base_size` pixels at resolution 1.

    Raises:
        ValueError: the arm cannot reach its budget.
    """
    return arm.settle(base_size, partial(cost, arm, num_classes))


def residual_of(budget: Budget, cost: Complexity, baseline: Complexity) -> float:
    """Return the relative difference between a network's cost and its budget."""
    target = budget.times * getattr(baseline, budget.measure)
    return float(getattr(cost, budget.measure) / target - 1)
