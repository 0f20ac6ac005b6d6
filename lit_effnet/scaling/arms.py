"""Arms of a scaling ablation: from flags to a scaling.

An arm scales one axis or several, by multipliers or up to a budget. A budget is a multiple of the
baseline's cost (`axis=width, budget=2`), so its multiplier depends on the image size and the number
of classes, and is settled once these are known.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, get_args

from lit_effnet.scaling.budget import Budget, Cost, MatchedAxis, on_base
from lit_effnet.scaling.compound import (
    ALPHA,
    BETA,
    GAMMA,
    VARIANTS,
    Axis,
    Rounding,
    Scaling,
    compound,
)
from lit_effnet.scaling.cost import Measure

MEASURES = {"macs": "MACs", "params": "parameters", "activations": "activations"}
SCALABLE = ("efficientnet", "efficientnet_lite")  # networks of a fixed size have no axis
COEFFICIENTS = {"alpha": ALPHA, "beta": BETA, "gamma": GAMMA}


@dataclass(frozen=True)
class Properties:
    """Properties of an arm, stored as columns of the runs DataFrame.

    Args:
        axis: baseline, depth, width, resolution or compound; None if no single axis applies, as for
            several multipliers, a variant, or a network of fixed size.
        budget: Cost as a multiple of the baseline's, for an arm matched on cost.
        measure: Cost that the budget counts: macs, params or activations.
        phi: Compound coefficient, if it was set.
        alpha: Base of the depth multiplier; set for compound arms.
        beta: Base of the width multiplier; set for compound arms.
        gamma: Base of the resolution multiplier; set for compound arms.
        rounding: Rounding of depth to whole blocks: ceil or round.
    """

    axis: str | None = None
    budget: float | None = None
    measure: str | None = None
    phi: float | None = None
    alpha: float | None = None
    beta: float | None = None
    gamma: float | None = None
    rounding: str | None = None


@dataclass(frozen=True)
class Arm:
    """One setting of a scaling ablation.

    Args:
        name: Name in tables and stored files.
        base: Baseline that is scaled; B0 if its multipliers are 1. Its resolution is 1.
        fixed: Multipliers on top of the base, if they do not follow from a budget.
        budget: Cost from which the multipliers follow; None for fixed multipliers.
        network: Name of the network, on which its cost depends.
        se_ratio: SE ratio of the network; None for its default.
        properties: Axis, budget, phi, coefficients and rounding, as in the frame of runs.
    """

    name: str
    base: Scaling
    fixed: Scaling
    budget: Budget | None = None
    network: str = "efficientnet"
    se_ratio: float | None = None
    properties: Properties = Properties()

    def settle(self, base_size: int, cost: Cost) -> Scaling:
        """Return the multipliers relative to B0, for images of `base_size` pixels at resolution 1.

        Raises:
            ValueError: No network meets the budget.
        """
        if self.budget is None:
            return on_base(self.base, self.fixed)
        return self.budget.spend(self.base, base_size, cost)


def coefficient_grid(
    alphas: tuple[float, ...], step: float, largest: float, tolerance: float
) -> list[tuple[float, float, float]]:
    """Candidates (alpha, beta, gamma) of algorithm 3.1: alpha * beta^2 * gamma^2 is about 2.

    beta and gamma go from 1 to `largest` by `step`; `tolerance` is relative, 0.05 for 5 %.
    Of candidates that give the same network at phi = 1 under the released rounding the one with the
    smallest alpha is kept.
    """
    sides = [round(1 + index * step, 6) for index in range(round((largest - 1) / step) + 1)]
    kept: dict[tuple[object, ...], tuple[float, float, float]] = {}
    for alpha in sorted(alphas):
        for beta in sides:
            for gamma in sides:
                if abs(alpha * beta**2 * gamma**2 - 2) <= 2 * tolerance + 1e-9:
                    same = (Scaling(alpha, beta).stages(), gamma)
                    kept.setdefault(same, (alpha, beta, gamma))
    return list(kept.values())


def choose(
    *,
    variant: str | None = None,
    phi: float | None = None,
    depth: float | None = None,
    width: float | None = None,
    resolution: float | None = None,
    axis: MatchedAxis | None = None,
    budget: float | None = None,
    measure: Measure = "macs",
    alpha: float = ALPHA,
    beta: float = BETA,
    gamma: float = GAMMA,
    rounding: Rounding = "ceil",
    arm: str | None = None,
    base_depth: float = 1.0,
    base_width: float = 1.0,
    network: str = "efficientnet",
    se_ratio: float | None = None,
) -> Arm:
    """Return the arm for a variant, phi, multipliers or a budget; B0 by default.

    Args:
        variant: A released network: b0 to b8 or l2.
        phi: Compound coefficient; d = alpha^phi, w = beta^phi, r = gamma^phi. May be negative.
        depth: Multiplier of the blocks in each stage (d).
        width: Multiplier of the channels (w).
        resolution: Multiplier of the image size (r).
        axis: Axis that spends the budget: depth, width, resolution or compound.
        budget: Cost as a multiple of the baseline's; the multiplier is solved for it.
        measure: Cost that the budget counts: macs, params or activations.
        alpha: Base of the depth multiplier under phi.
        beta: Base of the width multiplier under phi.
        gamma: Base of the resolution multiplier under phi.
        rounding: Rounding of depth to whole blocks: ceil as released, round as in pycls.
        arm: Several of these flags as one string, as sweeps use: "phi=1,rounding=round".
        base_depth: Depth of the baseline that is scaled, relative to B0.
        base_width: Width of the baseline that is scaled, relative to B0.
        network: Set by --model.name.
        se_ratio: Set by --model.se_ratio.

    Raises:
        ValueError: Several ways to scale are given, a variant is unknown, or a number is invalid.
    """
    given = {key: value for key, value in locals().items() if value is not None}
    given.update(parse(given.pop("arm", None) or ""))
    rounding = given.get("rounding", rounding)
    base = Scaling(given.pop("base_depth"), given.pop("base_width"))
    coefficients = given["alpha"], given["beta"], given["gamma"]
    multipliers = {key: given[key] for key in get_args(Axis) if key in given}
    ways = {
        "variant": "variant" in given,
        "phi": "phi" in given,
        "/".join(multipliers): bool(multipliers),
        "axis": "axis" in given,
    }
    asked = [way for way, used in ways.items() if used]
    if len(asked) > 1:
        raise ValueError(f"{' and '.join(asked)} given together: choose one way to scale")
    if ("axis" in given) != ("budget" in given):
        alone, missing = ("axis", "budget") if "axis" in given else ("budget", "axis")
        raise ValueError(f"{alone} {given[alone]!r}: needs {missing} too")
    fixed, spend = Scaling(rounding=rounding), None
    if asked == ["variant"]:
        if given["variant"] not in VARIANTS:
            raise ValueError(f"variant {given['variant']!r}: must be one of {', '.join(VARIANTS)}")
        fixed = replace(VARIANTS[given["variant"]].scaling, rounding=rounding)
    elif asked == ["phi"]:
        fixed = compound(given["phi"], *coefficients, rounding=rounding)
    elif asked == ["axis"]:
        spend = Budget(given["axis"], given["budget"], given["measure"], rounding, coefficients)
    else:
        fixed = Scaling(**multipliers, rounding=rounding)
    named = _name(asked, given, multipliers)
    scaled = [axis for axis, value in multipliers.items() if value != 1]
    return Arm(named, base, fixed, spend, network, se_ratio, _properties(asked, given, scaled))


def arm_name(arm: Arm, model: Mapping[str, Any]) -> str:
    """Return the name of an arm: its scaling, and the other options of its network.

    Args:
        arm: Arm with its scaling.
        model: Explicit options of the network, its name among them.
    """
    network = [] if arm.network == "efficientnet" else [arm.network]
    options = [f"{key}={value}" for key, value in sorted(model.items()) if key != "name"]
    return ", ".join([*network, arm.name, *options])


@cache
def named_properties(name: str) -> Properties:
    """Return the properties of an arm from its name, for files that hold only the name.

    Args:
        name: Name that `arm_name` returned; any other name has no properties.
    """
    flags: dict[str, Any] = {}
    known = False
    with suppress(ValueError):
        for index, part in enumerate(name.split(", ")):
            match part.split(" "):
                case [axis, "at", times, "x", counted] if counted in MEASURES.values():
                    measure = next(key for key, word in MEASURES.items() if word == counted)
                    flags |= {"axis": axis, "budget": float(times), "measure": measure}
                case [("phi" | "depth" | "width" | "resolution") as key, value]:
                    flags[key] = float(value)
                case [("alpha" | "beta" | "gamma") as key, value] if known:
                    flags[key] = float(value)
                    continue
                case ["round"] if known:
                    flags["rounding"] = "round"
                    continue
                case ["baseline"]:
                    pass
                case [variant] if variant.lower() in VARIANTS:
                    flags["variant"] = variant.lower()
                case [network] if index == 0:
                    flags["network"] = network
                    continue
                case _:
                    continue
            known = True
        if known:
            return choose(**flags).properties
    return Properties()


def parse(arm: str) -> dict[str, Any]:
    """Return the flags of an arm: "axis=depth,budget=2" becomes {"axis": "depth", "budget": 2.0}.

    Raises:
        ValueError: A part is not `name=value`, or an arm has no such name.
    """
    words = {"variant": None, "axis": MatchedAxis, "measure": Measure, "rounding": Rounding}
    numbers = ("phi", "depth", "width", "resolution", "budget", "alpha", "beta", "gamma")
    flags: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in arm.split(","))):
        name, equals, value = (text.strip() for text in part.partition("="))
        if part == "baseline":
            continue
        if not equals or name not in (*words, *numbers) or name in flags:
            raise ValueError(
                f"arm {arm!r}: {part!r} must be baseline, or NAME=VALUE with each NAME once, of "
                f"{', '.join((*words, *numbers))}"
            )
        try:
            flags[name] = value if name in words else float(value)
        except ValueError:
            raise ValueError(f"arm {arm!r}: {name} {value!r} must be a number") from None
        accepted = get_args(words.get(name))
        if accepted and value not in accepted:
            raise ValueError(f"arm {arm!r}: {name} must be one of {', '.join(accepted)}")
    return flags


def _properties(asked: list[str], given: dict[str, Any], scaled: list[str]) -> Properties:
    """Properties of an arm from its flags; `scaled` names axes whose multiplier is not 1."""
    axis = given.get("axis")
    if asked == ["phi"]:
        axis = "compound"
    elif not asked or (axis is None and asked != ["variant"] and len(scaled) < 2):
        axis = scaled[0] if scaled else "baseline"
    if given["network"] not in SCALABLE:
        axis = None
    names = [*(("budget", "measure") if "budget" in given else ()), "phi", "rounding"]
    if axis == "compound":
        names += COEFFICIENTS
    return Properties(axis, **{name: given.get(name) for name in names})


def _name(asked: list[str], given: dict[str, Any], multipliers: dict[str, float]) -> str:
    """Return the name of an arm: its scaling, then non-default coefficients and rounding."""
    match asked:
        case ["variant"]:
            parts = [given["variant"].upper()]
        case ["phi"]:
            parts = [f"phi {given['phi']:g}"]
        case ["axis"]:
            parts = [f"{given['axis']} at {given['budget']:g} x {MEASURES[given['measure']]}"]
        case _:
            parts = [f"{axis} {value:g}" for axis, value in multipliers.items() if value != 1]
    if asked == ["phi"] or given.get("axis") == "compound":
        parts += [f"{key} {given[key]:g}" for key, of in COEFFICIENTS.items() if given[key] != of]
    rounding = ["round"] if given["rounding"] == "round" else []
    return ", ".join([*(parts or ["baseline"]), *rounding])
