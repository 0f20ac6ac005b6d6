"""`method: bayes` by Optuna's tree of Parzen estimators, through its ask and tell."""

import math
import operator
import random
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lit_effnet.trials.distributions import KeyPath, Parameter, flat, nested, quantile
from lit_effnet.trials.search import spelling

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import Trial

# The quantiles at 0 and 1 of what has no bounds are no numbers.
_EDGE = 1e-6


class Proposals:
    """Points of which the next is chosen by what the earlier ones gave.

    The proposals are not W&B's, whose engine fits a Gaussian process. Its `metric.impute`, a
    value made up for a failed trial, is not followed: failed trials are told as failed, and
    Optuna leaves them out. A proposal depends on the seed and on the trials so far alone, in
    their order: a process that is told them goes on where another ended. (Of a distribution
    that is searched by its quantile, the value tells the place only to its rounding.)

    Args:
        parameters: The sweep file's section.
        metric: The sweep file's section; a goal other than maximize is minimize.
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
        """The next point; any number of them may be open at a time."""
        from optuna.samplers import TPESampler

        # A generator that lives on would begin anew after a restart, with points already tried.
        seed = random.Random(f"{self._seed} {len(self._study.trials)}").randrange(2**32)
        self._study.sampler = TPESampler(seed=seed)
        trial = self._study.ask({name: space for name, (_, space) in self._searched.items()})
        values: dict[KeyPath, Any] = {p.path: p.config.get("value") for p in self._parameters}
        for name, (parameter, _) in self._searched.items():
            values[parameter.path] = _value(parameter, trial.params[name])
        point = nested(values)
        self._open[self._spelling(point)].append(trial)
        return point

    def tell(self, point: Mapping[str, Any], value: float | None) -> None:
        """What a point gave, None or no finite number if it failed; also one asked elsewhere.

        Raises:
            ValueError: a point without one of the parameters, or with a value that it cannot have.
        """
        from optuna.trial import TrialState, create_trial

        done = value is not None and math.isfinite(value)
        state = TrialState.COMPLETE if done else TrialState.FAIL
        result = float(value) if done and value is not None else None
        if asked := self._open.get(self._spelling(point)):
            self._study.tell(asked.pop(0), result, state=state)
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
        """Whether the point is one of this search's."""
        try:
            for parameter, _ in self._searched.values():
                _place(parameter, _at(point, parameter.path))
        except (ValueError, KeyError, TypeError):
            return False
        return True

    def _spelling(self, point: Mapping[str, Any]) -> tuple[str, ...]:
        return tuple(spelling(_at(point, p.path)) for p, _ in self._searched.values())


def _searched(parameter: Parameter) -> "BaseDistribution":
    """What Optuna searches: the value itself, its index or multiple, else its quantile."""
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
    """The parameter's value where Optuna searches at `place`."""
    match parameter.distribution:
        case "categorical":
            return parameter.config["values"][place]
        case "q_uniform":
            return place * parameter.config["q"]
        case "int_uniform" | "uniform" | "log_uniform_values" | "inv_log_uniform_values":
            return place
    return quantile(parameter, place)


def _place(parameter: Parameter, value: Any) -> Any:
    """Where Optuna searches for the parameter's value: `_value` the other way round.

    Raises:
        ValueError: the parameter cannot have that value.
    """
    config, name = parameter.config, ".".join(parameter.path)
    if "values" in config:
        spelt = [spelling(one) for one in config["values"]]
        if spelling(value) not in spelt:
            raise ValueError(f"{name} {value!r}: is not among the values of the sweep")
        index = spelt.index(spelling(value))
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
            f"{name} {value!r}: must be from {config['min']} to {config['max']} as the sweep has it"
        )
    return place


def _quantile_of(parameter: Parameter, value: float) -> float:
    """The u of a value, by halves: in the middle of all those that give it, if many do."""
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
