"""Bayesian search (`method: bayes`) by Optuna's tree-structured Parzen estimator."""

import math
import operator
import random
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lit_effnet.trials.distributions import KeyPath, Parameter, flat, nested, quantile
from lit_effnet.trials.search import canonical_yaml

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

# Unbounded distributions have no finite quantile at 0 and 1.
_EDGE = 1e-6


class Proposals:
    """Propose points by the results of earlier ones.

    W&B's engine fits a Gaussian process, so its proposals differ. `metric.impute`, W&B's substitute
    value for a failed trial, has no effect: Optuna ignores failed trials. A proposal depends only
    on the seed and on the earlier trials in their order, so that another process can go on with
    the search. (For distributions that are searched by their quantile, up to rounding.)

    Args:
        parameters: The sweep file's section.
        metric: The sweep file's section; a goal other than maximize means minimize.
        seed: The random seed.
    """

    def __init__(self, parameters: Mapping[str, Any], metric: Mapping[str, Any], seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self._parameters = list(flat(parameters))
        self._searched = {
            ".".join(p.path): (p, _searched(p))
            for p in self._parameters
            if p.distribution != "constant"
        }
        self._seed = seed
        maximize = metric.get("goal") == "maximize"
        self._study = optuna.create_study(direction="maximize" if maximize else "minimize")
        self._open: dict[tuple[str, ...], list[Trial]] = defaultdict(list)

    def ask(self) -> dict[str, Any]:
        """Return the next point; any number of points may be open at a time."""
        from optuna.samplers import TPESampler

        # After a restart, one generator for all proposals would repeat its first points.
        seed = random.Random(f"{self._seed} {len(self._study.trials)}").randrange(2**32)
        self._study.sampler = TPESampler(seed=seed)
        trial = self._study.ask({name: space for name, (_, space) in self._searched.items()})
        values: dict[KeyPath, Any] = {p.path: p.config.get("value") for p in self._parameters}
        for name, (parameter, _) in self._searched.items():
            values[parameter.path] = _value(parameter, trial.params[name])
        point = nested(values)
        self._open[self._key(point)].append(trial)
        return point

    def tell(self, point: Mapping[str, Any], value: float | None) -> None:
        """Take the result of a point, which another process may have proposed.

        A value of None, or one that is not finite, means that the trial failed.

        Raises:
            ValueError: The point lacks a parameter, or has a value outside its distribution.
        """
        from optuna.trial import TrialState, create_trial

        done = value is not None and math.isfinite(value)
        state = TrialState.COMPLETE if done else TrialState.FAIL
        result = float(value) if done and value is not None else None
        if proposed := self._open.get(self._key(point)):
            self._study.tell(proposed.pop(0), result, state=state)
            return
        places = {
            name: _place(parameter, _at(point, parameter.path))
            for name, (parameter, _) in self._searched.items()
        }
        spaces = {name: space for name, (_, space) in self._searched.items()}
        self._study.add_trial(
            create_trial(state=state, value=result, params=places, distributions=spaces)
        )

    def knows(self, point: Mapping[str, Any]) -> bool:
        """Whether this search can propose the point."""
        try:
            for parameter, _ in self._searched.values():
                _place(parameter, _at(point, parameter.path))
        except (ValueError, KeyError, TypeError):
            return False
        return True

    def _key(self, point: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(canonical_yaml(_at(point, p.path)) for p, _ in self._searched.values())


def _searched(parameter: Parameter) -> "BaseDistribution":
    """Return what Optuna searches: the value, its index or multiple, otherwise its quantile."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    config = parameter.config
    match parameter.distribution:
        case "categorical":
            return CategoricalDistribution(range(len(config["values"])))
        case "int_uniform":
            return IntDistribution(config["min"], config["max"])
        case "q_uniform":
            low, high = (round(config[bound] / config["q"]) for bound in ("min", "max"))
            return IntDistribution(low, high)
        case "uniform":
            return FloatDistribution(config["min"], config["max"])
        case "log_uniform_values" | "inv_log_uniform_values":
            return FloatDistribution(config["min"], config["max"], log=True)
    return FloatDistribution(_EDGE, 1 - _EDGE)


def _value(parameter: Parameter, place: Any) -> Any:
    """Return the parameter's value at a place of Optuna's search space."""
    match parameter.distribution:
        case "categorical":
            return parameter.config["values"][place]
        case "q_uniform":
            return place * parameter.config["q"]
        case "int_uniform" | "uniform" | "log_uniform_values" | "inv_log_uniform_values":
            return place
    return quantile(parameter, place)


def _place(parameter: Parameter, value: Any) -> Any:
    """Return the place of a value in Optuna's search space: the inverse of `_value`.

    Raises:
        ValueError: The parameter cannot have that value.
    """
    config, name = parameter.config, ".".join(parameter.path)
    if "values" in config:
        keys = [canonical_yaml(item) for item in config["values"]]
        if canonical_yaml(value) not in keys:
            raise ValueError(f"{name} {value!r}: is not among the values of the sweep")
        index = keys.index(canonical_yaml(value))
        if parameter.distribution == "categorical":
            return index
        before = math.fsum(config["probabilities"][:index])
        return _inside(before + config["probabilities"][index] / 2)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{name} {value!r}: must be a number")
    space = _searched(parameter)
    match parameter.distribution:
        case "q_uniform":
            place: float = round(value / config["q"])
        case "int_uniform" | "uniform" | "log_uniform_values" | "inv_log_uniform_values":
            place = value
        case _:
            return _quantile_of(parameter, value)
    if not space._contains(space.to_internal_repr(place)):
        raise ValueError(
            f"{name} {value!r}: must be from {config['min']} to {config['max']}, as in the sweep"
        )
    return place


def _quantile_of(parameter: Parameter, value: float) -> float:
    """Return the quantile of a value by bisection; if several have it, the middle of them."""
    ends = []
    for reached in (operator.ge, operator.gt):
        low, high = _EDGE, 1 - _EDGE
        for _ in range(40):
            middle = (low + high) / 2
            passed = reached(quantile(parameter, middle), value)
            low, high = (low, middle) if passed else (middle, high)
        ends.append(low)
    return sum(ends) / 2


def _inside(u: float) -> float:
    return min(max(u, _EDGE), 1 - _EDGE)


def _at(point: Mapping[str, Any], path: KeyPath) -> Any:
    value: Any = point
    for depth, name in enumerate(path):
        if not isinstance(value, Mapping) or name not in value:
            raise ValueError(f"{'.'.join(path[: depth + 1])}: missing in a point of this sweep")
        value = value[name]
    return value
