"""Distributions of a sweep's parameters: their keys and quantiles.

Quantiles equal those of W&B's engine to the last bit.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

KeyPath = tuple[str, ...]


@dataclass(frozen=True)
class Keys:
    """Required keys of a distribution, and optional ones with their defaults."""

    needed: tuple[str, ...] = ()
    optional: Mapping[str, float] = field(default_factory=dict)

    @property
    def all(self) -> tuple[str, ...]:
        """All accepted keys besides `distribution`."""
        return (*self.needed, *self.optional)


_BOUNDS = ("min", "max")
_NORMAL = {"mu": 0.0, "sigma": 1.0}
_BETA = {"a": 1, "b": 1}
_STEP = {"q": 1.0}

DISTRIBUTIONS: Mapping[str, Keys] = {
    "constant": Keys(("value",)),
    "categorical": Keys(("values",)),
    "categorical_w_probabilities": Keys(("values", "probabilities")),
    "int_uniform": Keys(_BOUNDS),
    "uniform": Keys(_BOUNDS),
    "q_uniform": Keys(_BOUNDS, _STEP),
    "log_uniform": Keys(_BOUNDS),
    "log_uniform_values": Keys(_BOUNDS),
    "inv_log_uniform": Keys(_BOUNDS),
    "inv_log_uniform_values": Keys(_BOUNDS),
    "q_log_uniform": Keys(_BOUNDS, _STEP),
    "q_log_uniform_values": Keys(_BOUNDS, _STEP),
    "normal": Keys((), _NORMAL),
    "q_normal": Keys((), _NORMAL | _STEP),
    "log_normal": Keys((), _NORMAL),
    "q_log_normal": Keys((), _NORMAL | _STEP),
    "beta": Keys((), _BETA),
    "q_beta": Keys((), _BETA | _STEP),
}

# W&B's own list: their bounds are exponents of e, which users mistake for values.
DEPRECATED = ("log_uniform", "inv_log_uniform", "q_log_uniform")


@dataclass(frozen=True)
class Parameter:
    """One parameter of a sweep: its path, its distribution, and its keys with all defaults."""

    path: KeyPath
    distribution: str
    config: Mapping[str, Any]


def distribution_of(spec: Mapping[str, Any]) -> str | None:
    """Return a parameter's distribution, which its keys may imply; None if they do not."""
    if "distribution" in spec:
        return str(spec["distribution"])
    if "value" in spec:
        return "constant"
    if "values" in spec or "probabilities" in spec:
        return "categorical_w_probabilities" if "probabilities" in spec else "categorical"
    if "min" in spec or "max" in spec:
        integers = all(type(spec.get(bound, 0)) is int for bound in _BOUNDS)
        return "int_uniform" if integers else "uniform"
    return None


def flat(parameters: Mapping[str, Any], above: KeyPath = ()) -> Iterator[Parameter]:
    """Yield the parameters in W&B's order: sorted by name, nested ones in their parent's place."""
    for name, spec in sorted(parameters.items()):
        path = (*above, name)
        distribution = distribution_of(spec)
        if distribution is None:
            yield from flat(spec["parameters"], path)
            continue
        defaults = DISTRIBUTIONS[distribution].optional
        yield Parameter(path, distribution, {**defaults, **spec})


def nested(values: Mapping[KeyPath, Any]) -> dict[str, Any]:
    """Return a point as a run's config holds it, with nested parameters as nested mappings.

    Values are copied, so that a trial that edits a list does not change another one's.
    """
    point: dict[str, Any] = {}
    for path, value in values.items():
        place = point
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = deepcopy(value)
    return point


def quantile(parameter: Parameter, u: float) -> Any:
    """Return the quantile of the distribution at `u` (0 to 1), as plain Python."""
    config = parameter.config
    match parameter.distribution:
        case "constant":
            return config["value"]
        case "categorical":
            return config["values"][_whole(0, len(config["values"]), u)]
        case "categorical_w_probabilities":
            return config["values"][_weighted(config["probabilities"], u)]
        case "int_uniform":
            return _whole(config["min"], config["max"] + 1, u)
    kind = parameter.distribution.removeprefix("q_")
    value = _continuous(kind, config, u)
    return value if kind == parameter.distribution else _quantised(value, config["q"])


def _whole(low: int, above: int, u: float) -> int:
    from scipy import stats

    return int(stats.randint.ppf(u, low, above))


def _weighted(probabilities: Sequence[float], u: float) -> int:
    # If rounding leaves the sum below u, W&B takes the first value.
    sums = accumulate(probabilities)
    return next((index for index, total in enumerate(sums) if u < total), 0)


def _continuous(kind: str, config: Mapping[str, Any], u: float) -> float:
    import numpy as np
    from scipy import stats

    match kind:
        case "normal":
            return float(stats.norm.ppf(u, loc=config["mu"], scale=config["sigma"]))
        case "log_normal":
            return float(stats.lognorm.ppf(u, s=config["sigma"], scale=np.exp(config["mu"])))
        case "beta":
            return float(stats.beta.ppf(u, a=config["a"], b=config["b"]))
    low, high = config["min"], config["max"]
    if kind.endswith("_values"):
        low, high = np.log(low), np.log(high)
        if kind == "inv_log_uniform_values":
            low, high = -high, -low
    if kind.startswith("inv_"):
        return float(np.exp(-stats.uniform.ppf(1 - u, low, high - low)))
    exponent_or_value = stats.uniform.ppf(u, low, high - low)
    return float(exponent_or_value if kind == "uniform" else np.exp(exponent_or_value))


def _quantised(value: float, step: float) -> float:
    """Return the multiple of `step` nearest to `value`; an integer if the step is one."""
    import numpy as np

    multiple = float(np.round(value / step) * step)
    return int(multiple) if isinstance(step, int) and math.isfinite(multiple) else multiple
