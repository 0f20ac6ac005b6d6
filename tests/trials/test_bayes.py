"""Bayesian search: proposals are of the sweep, repeat, survive a restart, and get better."""

import json
import math
import random
from typing import Any

import pytest

from lit_effnet.trials.bayes import Proposals
from tests.trials import engine

LOSS = {"name": "loss", "goal": "minimize"}
PARAMETERS = {
    "lr": {"distribution": "log_uniform_values", "min": 1.0e-4, "max": 1.0},
    "depth": {"min": 1, "max": 5},
    "layers": {"values": [[1, 2], {"a": 1}, "x", 3.0]},
    "seed": {"value": 0},
    "recipe": {
        "parameters": {
            "drop": {"distribution": "q_uniform", "min": 0.1, "max": 0.5, "q": 0.2},
            "decay": {"distribution": "normal", "mu": 1, "sigma": 0.5},
            "kind": {"values": ["a", "b"], "probabilities": [0.25, 0.75]},
        }
    },
}


def _loss(point: dict[str, Any]) -> float:
    return abs(math.log10(point["lr"]) + 2) + abs(point["recipe"]["decay"] - 1.5)


def _run(proposals: Proposals, trials: int) -> list[dict[str, Any]]:
    points = []
    for _ in range(trials):
        points.append(proposals.ask())
        proposals.tell(points[-1], _loss(points[-1]))
    return points


def test_points_have_the_form_of_a_grids_and_values_of_the_sweep() -> None:
    for point in _run(Proposals(PARAMETERS, LOSS, seed=0), 20):
        assert list(point) == sorted(point) == ["depth", "layers", "lr", "recipe", "seed"]
        assert point["seed"] == 0
        assert type(point["depth"]) is int
        assert point["depth"] in range(1, 6)
        assert point["layers"] in PARAMETERS["layers"]["values"]
        assert 1e-4 <= point["lr"] <= 1
        assert min(abs(point["recipe"]["drop"] - x) for x in (0.0, 0.2, 0.4)) < 1e-9
        assert point["recipe"]["kind"] in "ab"


@pytest.mark.parametrize("seed", range(25))
def test_every_distribution_can_be_searched_and_told_again(seed: int) -> None:
    parameters = engine.random_parameters(random.Random(seed), engine.ALL)
    first, again = Proposals(parameters, LOSS, seed), Proposals(parameters, LOSS, seed)
    for value in (0.5, None, 0.25, 1.0):
        point = first.ask()
        first.tell(point, value)
        again.tell(point, value)
    assert [t.state for t in again._study.trials] == [t.state for t in first._study.trials]
    for ours, asked in zip(again._study.trials, first._study.trials, strict=True):
        assert ours.params.keys() == asked.params.keys()
        assert ours.value == asked.value


def test_the_same_seed_and_answers_give_the_same_points_and_another_seed_others() -> None:
    points = _run(Proposals(PARAMETERS, LOSS, seed=1), 15)
    assert _run(Proposals(PARAMETERS, LOSS, seed=1), 15) == points
    assert _run(Proposals(PARAMETERS, LOSS, seed=2), 15) != points


def test_a_process_that_is_told_the_past_goes_on_as_the_first_would_have() -> None:
    only = {name: PARAMETERS[name] for name in ("lr", "depth", "layers")}
    first, again = Proposals(only, LOSS, seed=0), Proposals(only, LOSS, seed=0)
    told = []
    for _ in range(14):
        point = first.ask()
        first.tell(point, point["lr"])
        told.append(point)
    for point in json.loads(json.dumps(told)):
        again.tell(point, point["lr"])
    following = again.ask()
    assert following == first.ask()
    assert following not in told


def test_several_points_can_be_open_and_are_told_in_any_order() -> None:
    proposals = Proposals(PARAMETERS, LOSS, seed=0)
    points = [proposals.ask() for _ in range(12)]
    assert len({json.dumps(point) for point in points}) == 12
    for point in reversed(points):
        proposals.tell(point, _loss(point))
    values = [trial.value for trial in proposals._study.trials]
    assert values == [_loss(point) for point in points]


def test_the_same_point_open_twice_is_told_twice() -> None:
    proposals = Proposals({"a": {"values": [1]}}, LOSS, seed=0)
    points = [proposals.ask(), proposals.ask()]
    for value, point in enumerate(points):
        proposals.tell(point, float(value))
    assert [trial.value for trial in proposals._study.trials] == [0.0, 1.0]


def test_failed_trials_are_told_as_failed_and_left_out() -> None:
    proposals = Proposals(PARAMETERS, LOSS, seed=0)
    for value in (None, math.nan, math.inf, 0.5):
        proposals.tell(proposals.ask(), value)
    states = [trial.state.name for trial in proposals._study.trials]
    assert states == ["FAIL", "FAIL", "FAIL", "COMPLETE"]


@pytest.mark.parametrize("goal", ["minimize", "maximize"])
def test_later_proposals_are_better_than_the_first_ones(goal: str) -> None:
    sign = 1 if goal == "minimize" else -1
    proposals = Proposals(PARAMETERS, {"name": "loss", "goal": goal}, seed=0)
    losses = []
    for _ in range(50):
        point = proposals.ask()
        losses.append(_loss(point))
        proposals.tell(point, sign * losses[-1])
    assert sum(losses[-10:]) < 0.6 * sum(losses[:10])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lr": 2.0}, "lr 2.0: must be from 0.0001 to 1.0"),
        ({"depth": "deep"}, "depth 'deep': must be a number"),
        ({"layers": "y"}, "layers 'y': is not among the values"),
        ({"recipe": {}}, "recipe.decay: missing in a point of this sweep"),
    ],
)
def test_a_point_of_another_sweep_is_refused(change: dict[str, Any], message: str) -> None:
    proposals = Proposals(PARAMETERS, LOSS, seed=0)
    with pytest.raises(ValueError, match=message):
        proposals.tell(proposals.ask() | change, 1.0)
    assert proposals.ask()["seed"] == 0
