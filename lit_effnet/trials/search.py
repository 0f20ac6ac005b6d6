"""The points of a sweep, in W&B's own order: a grid's, and random ones.

A point is what W&B puts into a run's config: every parameter by its name, constants included,
nested parameters as nested mappings.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import yaml

from lit_effnet.trials.distributions import Parameter, flat, nested, quantile

GRID_DISTRIBUTIONS = ("constant", "categorical", "int_uniform", "q_uniform")


def grid(parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """All points of a grid, the last parameter's values changing fastest, each point once.

    Raises:
        ValueError: a parameter whose values cannot be counted.
    """
    described = list(flat(parameters))
    values = [_values(parameter) for parameter in described]
    paths = [parameter.path for parameter in described]
    return (nested(dict(zip(paths, chosen, strict=True))) for chosen in product(*values))


def random_points(parameters: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    """Random points without end, those that W&B's engine draws after `random.seed(seed)`."""
    described = list(flat(parameters))
    generator = random.Random(seed)
    while True:
        # A constant draws a number too, as in W&B's engine: the others' values depend on it.
        yield nested({p.path: quantile(p, generator.random()) for p in described})


def spelling(value: Any) -> str:
    """What W&B tells two values of a grid apart by: their YAML, 3.0 spelt as 3."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(yaml.dump(value, default_flow_style=True, sort_keys=True))


def _values(parameter: Parameter) -> Sequence[Any]:
    config = parameter.config
    match parameter.distribution:
        case "constant":
            return (config["value"],)
        case "categorical":
            # Of two that are spelt alike the first's place and the last's type count.
            return list({spelling(value): value for value in config["values"]}.values())
        case "int_uniform":
            return range(config["min"], config["max"] + 1)
        case "q_uniform":
            return _steps(config["min"], config["max"], config["q"])
    name = ".".join(parameter.path)
    raise ValueError(
        f"parameters.{name}: a grid cannot count the values of {parameter.distribution}"
    )


def _steps(low: float, high: float, step: float) -> list[float]:
    """From `low` by `step` as numpy counts, `high` left out: W&B's grid never reaches it."""
    import numpy as np

    counted: list[float] = np.arange(low, high, step).tolist()
    return list(dict.fromkeys(counted))
