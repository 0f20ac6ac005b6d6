"""Points are those of W&B's engine: the same, of the same types, in the same order."""

import itertools
import random
import time
from typing import Any

import numpy as np
import pytest

from lit_effnet.trials.distributions import DISTRIBUTIONS, flat, quantile
from lit_effnet.trials.search import grid, random_points
from tests.trials import engine


def _same(ours: Any, theirs: Any) -> bool:
    """Equal to the last bit and of the same type, a numpy scalar as what it holds."""
    theirs = theirs.item() if isinstance(theirs, np.generic) else theirs
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(_same(ours[k], theirs[k]) for k in ours)
    return type(ours) is type(theirs) and repr(ours) == repr(theirs)


@engine.needs_engine
@pytest.mark.parametrize("seed", range(150))
def test_a_grid_has_wandbs_points_in_wandbs_order(seed: int) -> None:
    parameters = engine.random_parameters(random.Random(seed), engine.COUNTED)
    theirs = engine.wandb_points("grid", parameters, number=100)
    ours = list(itertools.islice(grid(parameters), 100))
    assert len(ours) == len(theirs) > 0
    assert all(map(_same, ours, theirs)), parameters


@engine.needs_engine
@pytest.mark.parametrize("seed", range(25))
def test_a_grid_asked_for_one_point_after_the_other_has_the_same(seed: int) -> None:
    parameters = engine.random_parameters(random.Random(seed), engine.COUNTED)
    sweep = {"method": "grid", "parameters": parameters}
    runs: list[Any] = []
    for point in itertools.islice(grid(parameters), 30):
        runs.append(engine.sweeps.next_run(sweep, runs))
        assert _same(point, engine.point_of(runs[-1]))
    if len(runs) < 30:
        assert engine.sweeps.next_run(sweep, runs) is None


@engine.needs_engine
@pytest.mark.parametrize("seed", range(150))
def test_random_points_are_those_of_wandbs_engine_with_that_seed(seed: int) -> None:
    parameters = engine.random_parameters(random.Random(seed), engine.ALL)
    random.seed(seed)
    theirs = engine.wandb_points("random", parameters, number=5)
    ours = list(itertools.islice(random_points(parameters, seed), 5))
    assert all(map(_same, ours, theirs)), parameters


@engine.needs_engine
@pytest.mark.parametrize("weights", [[0.5, 0.25, 0.25], [0, 1, 0], [0.25, 0.25, 0.4999999]])
def test_at_the_edges_of_probabilities_the_value_is_that_of_wandbs_engine(
    weights: list[float],
) -> None:
    from sweeps.params import HyperParameter

    spec = {"values": ["a", "b", "c"], "probabilities": weights}
    (ours,), theirs = flat({"a": spec}), HyperParameter("a", spec)
    shares = (0.0, 0.25, 0.5, 0.75, 0.99999999, 1.0)
    assert [quantile(ours, u) for u in shares] == [theirs.ppf(u) for u in shares]


def test_the_random_sweeps_of_these_tests_reach_every_distribution() -> None:
    made = str([engine.random_parameters(random.Random(s), engine.ALL) for s in range(150)])
    unseen = {name for name in DISTRIBUTIONS if f"'{name}'" not in made}
    assert unseen <= {"categorical_w_probabilities"}  # is never named, `probabilities` tell
    assert "'probabilities'" in made


def test_the_first_point_of_a_grid_of_a_billion_comes_at_once() -> None:
    parameters = {name: {"values": list(range(1000))} for name in "abc"}
    start = time.process_time()  # of a list of all there would be minutes
    assert next(grid(parameters)) == {"a": 0, "b": 0, "c": 0}
    assert time.process_time() - start < 10


def test_values_spelt_alike_are_one_point_and_texts_are_not_numbers() -> None:
    values = [3.0, 3, "3", True, 1, None, "null"]
    points = [point["a"] for point in grid({"a": {"values": values}})]
    assert repr(points) == repr([3, "3", True, 1, None, "null"])


def test_a_point_that_is_edited_changes_no_other() -> None:
    points = grid({"layers": {"value": [1, 2]}, "seed": {"values": [0, 1]}})
    next(points)["layers"].append(3)
    assert next(points) == {"layers": [1, 2], "seed": 1}


def test_a_grid_over_a_range_of_numbers_is_refused_with_the_parameters_name() -> None:
    with pytest.raises(ValueError, match=r"parameters\.m\.lr: a grid cannot count .* uniform"):
        grid({"m": {"parameters": {"lr": {"min": 0.0, "max": 1.0}}}})
    assert next(grid({"m": {"parameters": {"lr": {"value": 0.1}}}})) == {"m": {"lr": 0.1}}
