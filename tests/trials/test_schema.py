"""What W&B's schema refuses is refused, and nothing else but what is listed here."""

import copy
import math
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lit_effnet.trials.parameter_schema import PARAMETER_KEYS
from lit_effnet.trials.sweep_file import Problem, Sweep, problems
from tests.trials import engine

# Where W&B's schema has nothing to say: `key: message`.
ONLY_OURS = [
    r"works with W&B's server only",
    r"a grid cannot count",
    r"^method: bayes needs a metric",
    r"early_terminate: needs a metric",
    r"min and max are of two types",
    r"is there twice",
    r"program: missing|which is missing",
    r"^command\.\d+: ",
    r"(must be a finite number|inf is text)$",
    r"\.(sigma|a|b): 0(\.0)?: must be above 0",
    r"parameters\..*\.parameters\..*(must be below|their sum is|must be equally many|exponents of e)",
    r"^early_terminate\.s: .*: must be a whole number",
    r"^early_terminate: must have min_iter, or max_iter and s",
    r"^early_terminate: .*has no band",
]

JUNK = [None, True, "min", "grid", -1, 0, 1, 2.5, 3.0, [], {}, [1], [1, 1], "1e-5", math.nan]
JUNK += [math.inf, {"a": 1}, {"value": 1}, "hyperband", "custom", "${argz}", "uniform", [0.5, 0.5]]

KEYS = [*PARAMETER_KEYS, "parameters", "valeus", "method", "metric", "goal", "run_cap", "job"]
KEYS += ["scheduler", "metrics", "controller", "early_terminate", "program", "kind", "name", "s"]
KEYS += ["min_iter", "max_iter", "type", "impute", "impute_while_running", "target", "9"]


def _random_sweep(rng: random.Random) -> dict[str, Any]:
    method = rng.choice(["grid", "random", "bayes"])
    kinds = engine.COUNTED if method == "grid" else engine.ALL
    sweep = {
        "method": method,
        "program": "fit.py",
        "metric": {"name": "loss", **rng.choice([{}, {"goal": "maximize"}, {"target": 0.5}])},
        "parameters": engine.random_parameters(rng, kinds),
    }
    more = {
        "early_terminate": rng.choice(
            [{"type": "hyperband", "min_iter": 3}, {"type": "hyperband", "max_iter": 9.0, "s": 2}]
        ),
        "command": ["python", "${program}", "${args}"],
        "run_cap": rng.choice([1, 30.0]),
        "controller": {"type": "local", "more": 1},
        "name": "a sweep",
        "kind": "sweep",
    }
    return sweep | {key: value for key, value in more.items() if rng.random() < 0.3}


def _mutated(rng: random.Random, sweep: dict[str, Any]) -> dict[str, Any]:
    sweep = copy.deepcopy(sweep)
    for _ in range(rng.randint(1, 2)):
        inside = rng.choice(list(_containers(sweep)))
        place = rng.choice(list(inside) if isinstance(inside, dict) else range(len(inside)))
        match rng.randrange(4):
            case 0:
                del inside[place]
            case 1 if isinstance(inside, dict):
                inside[rng.choice(KEYS)] = inside.pop(place)
            case 2 if isinstance(inside, dict):
                inside[rng.choice(KEYS)] = copy.deepcopy(rng.choice(JUNK))
            case _:
                inside[place] = copy.deepcopy(rng.choice(JUNK))
    return sweep


def _containers(value: Any) -> Iterator[Any]:
    if isinstance(value, dict | list) and value:
        yield value
        for inside in value.values() if isinstance(value, dict) else value:
            yield from _containers(inside)


def _wandb_refuses(sweep: dict[str, Any]) -> bool:
    try:
        return bool(engine.sweeps.schema_violations_from_proposed_config(copy.deepcopy(sweep)))
    except Exception:  # it stumbles over what it should report
        return True


def _problems(sweep: dict[str, Any]) -> list[Problem]:
    return problems(Sweep(Path("x.yaml"), sweep, {}))


def _not_listed(found: list[Problem]) -> list[str]:
    told = [f"{problem.key}: {problem.message}".removeprefix(": ") for problem in found]
    return [line for line in told if not any(re.search(extra, line) for extra in ONLY_OURS)]


@engine.needs_engine
@pytest.mark.parametrize("seed", range(60))
def test_right_and_mutated_sweeps_get_wandbs_verdict(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(10):
        right = _random_sweep(rng)
        for sweep in (right, _mutated(rng, right), _mutated(rng, right)):
            found = _problems(sweep)
            if _wandb_refuses(sweep):
                assert found, sweep
            else:
                assert _not_listed(found) == [], sweep


@engine.needs_engine
def test_the_mutated_sweeps_of_these_tests_are_both_right_and_wrong() -> None:
    rng = random.Random(0)
    verdicts = [_wandb_refuses(_mutated(rng, _random_sweep(rng))) for _ in range(60)]
    assert 15 < sum(verdicts) < 57


@engine.needs_engine
def test_a_sweep_without_fault_has_no_problem() -> None:
    named = {"a": {"min": 1, "max": 5}, "b": {"distribution": "beta"}, "c": {"values": [1, "x"]}}
    sweep = {"method": "random", "program": "fit.py", "parameters": named}
    assert _problems(sweep) == []
    assert not _wandb_refuses(sweep)


HYPERBAND = {"type": "hyperband", "min_iter": 1}


@engine.needs_engine
@pytest.mark.parametrize(
    "section",
    [
        {"parameters": {"a": {"min": 1, "max": 1}}},
        {"parameters": {"a": {"min": 1.0, "max": 1.0}}},
        {"parameters": {"a": {"values": [1, 2], "probabilities": [0.5, 0.500009]}}},
        {"parameters": {"a": {"values": [1, 2], "probabilities": [0.5, 0.50002]}}},
        {"parameters": {"a": {"values": [1, 2], "probabilities": [0, 1]}}},
        {"parameters": {"a": {"values": [1, 2], "probabilities": [-0.5, 1.5]}}},
        {"parameters": {"a": {"distribution": "q_normal", "q": 0}}},
        {"parameters": {"a": {"distribution": "log_uniform_values", "min": 0, "max": 1}}},
        {"parameters": {"a": {"distribution": "int_uniform", "min": 0, "max": 1.0}}},
        {"parameters": {"a-b.c_1": {"value": None}}},
        {"parameters": {".a": {"value": None}}},
        {"early_terminate": {**HYPERBAND, "eta": 1}},
        {"early_terminate": {**HYPERBAND, "eta": 1.0001}},
        {"early_terminate": {**HYPERBAND, "min_iter": 0}},
        {"early_terminate": {**HYPERBAND, "min_iter": 1.0}},
        {"early_terminate": {**HYPERBAND, "strict": 1}},
        {"run_cap": 1},
        {"run_cap": 1.5},
        {"run_cap": 0},
        {"metric": {"name": "loss", "impute_while_running": "false"}},
        {"metric": {"name": "loss", "target": True}},
        {"command": []},
    ],
)
def test_at_the_edges_the_verdict_is_wandbs(section: dict[str, Any]) -> None:
    sweep = {"method": "random", "program": "fit.py", "metric": {"name": "loss"}}
    sweep |= {"parameters": {"a": {"value": 1}}} | section
    assert bool(_problems(sweep)) == _wandb_refuses(sweep)
