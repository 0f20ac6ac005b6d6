"""Generate the points of a grid or a random search in W&B's own order.

A point is what W&B puts into a run's config: every parameter by name, with constants, and nested
parameters as nested mappings.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import yaml

from lit_effnet.trials.distributions import Parameter, flat, nested, quantile

GRID_DISTRIBUTIONS = ("constant", "categorical", "int_uniform", "q_uniform")


def grid(parameters: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Return each point of a grid once; the last parameter changes fastest.

    Raises:
        ValueError: A parameter's values cannot be counted.
    """
    axes = list(flat(parameters))
    values = [_values(parameter) for parameter in axes]
    paths = [parameter.path for parameter in axes]
    return (nested(dict(zip(paths, chosen, strict=True))) for chosen in product(*values))


def random_points(parameters: Mapping[str, Any], seed: int) -> Iterator[dict[str, Any]]:
    """Yield endless random points: those of W&B's engine after `random.seed(seed)`."""
    axes = list(flat(parameters))
    generator = random.Random(seed)
    while True:
        # As in W&B's engine, a constant draws a number too, on which the other values depend.
        yield nested({p.path: quantile(p, generator.random()) for p in axes})


def canonical_yaml(value: Any) -> str:
    """Return the YAML by which W&B compares two values of a grid, with 3.0 written as 3."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(yaml.dump(value, default_flow_style=True, sort_keys=True))


def _values(parameter: Parameter) -> Sequence[Any]:
    config = parameter.config
    match parameter.distribution:
        case "constant":
            return (config["value"],)
        case "categorical":
            # Of two equal values, the first one's place and the last one's type count.
            return list({canonical_yaml(value): value for value in config["values"]}.values())
        case "int_uniform":
            return range(config["min"], config["max"] + 1)
        case "q_uniform":
            return _steps(config["min"], config["max"], config["q"])
    name = ".".join(parameter.path)
    raise ValueError(
        f"parameters.{name}: a grid cannot count the values of {parameter.distribution}"
    )


def _steps(low: float, high: float, step: float) -> list[float]:
    """Return the steps from `low` as numpy counts; W&B's grid never reaches `high`."""
    import numpy as np

    counted: list[float] = np.arange(low, high, step).tolist()
    return list(dict.fromkeys(counted))
