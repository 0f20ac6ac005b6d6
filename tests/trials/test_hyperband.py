"""Hyperband stops the trials that W&B's engine stops."""

import math
import random
from typing import Any

import pytest

from lit_effnet.trials.hyperband import bands, to_stop
from tests.trials.engine import needs_engine, sweeps


def _theirs(
    early: dict[str, Any], metric: dict[str, Any], histories: dict[str, list], running: set[str]
) -> set[str]:
    runs = [
        sweeps.SweepRun(
            name=name,
            state="running" if name in running else "finished",
            history=[{"loss": value} for value in history],
        )
        for name, history in histories.items()
    ]
    config = {"method": "random", "parameters": {"a": {"value": 1}}}
    stopped = sweeps.stop_runs({**config, "metric": metric, "early_terminate": early}, runs)
    return {run.name for run in stopped}


def _random_early_terminate(rng: random.Random) -> dict[str, Any]:
    form = rng.choice(
        [{"min_iter": rng.randint(1, 6)}, {"max_iter": rng.randint(9, 60), "s": rng.randint(1, 5)}]
    )
    eta = rng.choice([{}, {"eta": 2}, {"eta": 3}, {"eta": 1.5}, {"eta": 2.7}])
    strict = rng.choice([{}, {"strict": True}, {"strict": False}])
    return {"type": "hyperband", **form, **eta, **strict}


def _random_history(rng: random.Random) -> list[Any]:
    values = [round(rng.uniform(-1, 1), 1) for _ in range(rng.randint(0, 30))]
    odd = [math.nan, math.inf, -math.inf, True, None, "nan"]
    return [rng.choice(odd) if rng.random() < 0.1 else value for value in values]


@needs_engine
@pytest.mark.parametrize("seed", range(400))
def test_the_trials_that_wandbs_engine_stops_are_stopped(seed: int) -> None:
    rng = random.Random(seed)
    early = _random_early_terminate(rng)
    goal = rng.choice([{}, {"goal": "minimize"}, {"goal": "maximize"}, {"goal": "min"}])
    metric = {"name": "loss", **goal}
    histories = {f"t{i}": _random_history(rng) for i in range(rng.randint(0, 9))}
    running = {name for name in histories if rng.random() < 0.6}
    assert to_stop(early, metric, histories, running) == _theirs(
        early, metric, histories, running
    ), (early, metric)


def test_these_random_histories_do_stop_some_trials_and_leave_others() -> None:
    stopped = running = 0
    for seed in range(100):
        rng = random.Random(seed)
        histories = {f"t{i}": _random_history(rng) for i in range(6)}
        stopped += len(to_stop(_random_early_terminate(rng), {}, histories, histories.keys()))
        running += len(histories)
    assert 0.1 * running < stopped < 0.9 * running


def test_strict_looks_at_the_band_and_is_what_an_absent_key_means() -> None:
    early = {"type": "hyperband", "min_iter": 2, "eta": 2}
    histories = {"good": [1.0, 0.2], "fair": [1.0, 0.3], "bad": [0.1, 0.9]}
    assert to_stop(early, {"name": "loss"}, histories, {"bad"}) == {"bad"}
    assert to_stop({**early, "strict": False}, {"name": "loss"}, histories, {"bad"}) == set()


def test_what_does_not_run_is_not_stopped_and_what_has_logged_nothing_goes_on() -> None:
    early = {"type": "hyperband", "min_iter": 1}
    histories: dict[str, list[float]] = {"a": [9.0], "b": [1.0], "c": [1.1], "new": []}
    assert to_stop(early, {"name": "loss"}, histories, {"new", "unheard of"}) == set()
    assert to_stop(early, {"name": "loss"}, histories, histories.keys()) == {"a"}


def test_bands_are_those_of_both_forms() -> None:
    assert bands({"min_iter": 3}, longest=100) == [3, 9, 27, 81]
    assert bands({"max_iter": 27, "s": 2}, longest=100) == [3, 9]
    assert bands({"max_iter": 27, "s": 9}, longest=8) == [1, 3]


def test_hyperband_without_a_band_is_refused_with_the_reason() -> None:
    early = {"type": "hyperband", "max_iter": 2, "s": 2}
    with pytest.raises(
        ValueError, match=r"early_terminate: max_iter 2 with eta 3 and .* has no band"
    ):
        to_stop(early, {"name": "loss"}, {"a": [1.0]}, {"a"})
    assert bands({**early, "eta": 2}, longest=1) == [1]


@needs_engine
def test_hyperband_without_a_band_is_refused_by_wandbs_engine_too() -> None:
    early = {"type": "hyperband", "max_iter": 2, "s": 2}
    with pytest.raises(ValueError, match="Bands"):
        assert _theirs(early, {"name": "loss"}, {"a": [1.0]}, {"a"}) is None
