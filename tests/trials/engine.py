"""W&B's own engine, and random sweeps to ask it about; the suite itself never imports it."""

import random
import warnings
from typing import Any

import pytest

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydantic's, on its own old names
        import sweeps
except ImportError:  # it asks for an old numpy, and so is in no list of requirements
    sweeps = None

needs_engine = pytest.mark.skipif(sweeps is None, reason="W&B's engine `sweeps` is not installed")

NAMES = ("lr", "model.width", "model.depth", "b", "Z_last", "data-set", "_a")


def wandb_points(method: str, parameters: dict[str, Any], number: int) -> list[dict[str, Any]]:
    """What W&B's engine puts into the configs of the first runs of a sweep."""
    runs = sweeps.next_runs({"method": method, "parameters": parameters}, [], n=number)
    return [point_of(run) for run in runs if run is not None]


def point_of(run: Any) -> dict[str, Any]:
    return {name: held["value"] for name, held in run.config.items()}


def random_parameters(rng: random.Random, kinds: list[Any], depth: int = 0) -> dict[str, Any]:
    """Parameters by random names, each made by one of `kinds` or nested, two levels deep at most."""
    names = rng.sample(NAMES, rng.randint(1, 4 - depth))
    return {
        name: {"parameters": random_parameters(rng, kinds, depth + 1)}
        if depth < 2 and rng.random() < 0.2
        else rng.choice(kinds)(rng)
        for name in names
    }


def _scalar(rng: random.Random) -> Any:
    scalars = [1, 2, 3.0, 3, 0.5, -0.0, 1e6, 1_000_000, "a b", "3", "on", True, False, None]
    return rng.choice([*scalars, [1, 2], [1.0, 2], {"d": 1, "w": 2.0}, {"w": 2}, "é", float("inf")])


def constant(rng: random.Random) -> dict[str, Any]:
    return {"value": _scalar(rng), **rng.choice([{}, {"distribution": "constant"}])}


def categorical(rng: random.Random) -> dict[str, Any]:
    values = [_scalar(rng) for _ in range(rng.randint(1, 5))]
    return {"values": values, **rng.choice([{}, {"distribution": "categorical"}])}


def weighted(rng: random.Random) -> dict[str, Any]:
    values = categorical(rng)["values"]
    weights = [rng.randint(0, 4) + 0.1 for _ in values]
    return {"values": values, "probabilities": [weight / sum(weights) for weight in weights]}


def int_uniform(rng: random.Random) -> dict[str, Any]:
    low = rng.randint(-5, 5)
    named = rng.choice([{}, {"distribution": "int_uniform"}])
    return {"min": low, "max": low + rng.randint(1, 4), **named}


def q_uniform(rng: random.Random) -> dict[str, Any]:
    low = rng.choice([0, 1, -2, 0.1, 0.5])
    step = rng.choice([{}, {"q": 1}, {"q": 0.3}, {"q": 0.1}, {"q": 2}])
    return {"distribution": "q_uniform", "min": low, "max": low + rng.choice([1, 1.5, 3]), **step}


def uniform(rng: random.Random) -> dict[str, Any]:
    low = rng.uniform(-3, 3)
    bounds = rng.choice([{"min": low, "max": low + 2.5}, {"min": 1, "max": 2.5}])
    return {**bounds, **rng.choice([{}, {"distribution": "uniform"}])}


def logarithmic(rng: random.Random) -> dict[str, Any]:
    kind = rng.choice(["log_uniform", "inv_log_uniform", "q_log_uniform"])
    low = rng.choice([1e-5, 0.5, 1, 3])
    bounds = {"min": low, "max": low * rng.choice([2, 10, 1000])}
    if rng.random() < 0.3:
        bounds = {"min": rng.uniform(-5, 0), "max": rng.uniform(1, 3)}
    else:
        kind += "_values"
    step = rng.choice([{}, {"q": 2}, {"q": 0.25}]) if kind.startswith("q_") else {}
    return {"distribution": kind, **bounds, **step}


def unbounded(rng: random.Random) -> dict[str, Any]:
    kind = rng.choice(["normal", "q_normal", "log_normal", "q_log_normal", "beta", "q_beta"])
    options = {"a": 2, "b": 0.5} if "beta" in kind else {"mu": -1.5, "sigma": 2}
    options = {key: value for key, value in options.items() if rng.random() < 0.6}
    if kind.startswith("q_") and rng.random() < 0.7:
        options["q"] = rng.choice([1, 0.1, 2])
    return {"distribution": kind, **options}


COUNTED = [constant, categorical, categorical, int_uniform, q_uniform]
ALL = [*COUNTED, weighted, uniform, logarithmic, logarithmic, unbounded, unbounded]
