"""Points to trials: order, limits, names, and what a command must look like."""

from pathlib import Path

import pytest

from lit_effnet.trials.plan import arguments_of, arm_of, points, program, varied
from lit_effnet.trials.sweep_file import Sweep


def sweep(parameters: dict, **config: object) -> Sweep:
    return Sweep(Path("s.yaml"), {"method": "grid", "parameters": parameters, **config}, {})


SEEDS = {"values": [0, 1]}


def test_a_grid_ends_by_itself_and_a_cap_or_count_ends_it_sooner() -> None:
    three = {"a": {"values": [1, 2, 3]}}
    assert [p["a"] for p in points(sweep(three), 0, None)] == [1, 2, 3]
    assert [p["a"] for p in points(sweep(three, run_cap=2), 0, None)] == [1, 2]
    assert [p["a"] for p in points(sweep(three, run_cap=2), 0, 1)] == [1]


def test_a_random_search_needs_an_end_and_repeats_with_its_seed() -> None:
    wide = sweep({"a": {"min": 0.0, "max": 1.0}}, method="random")
    with pytest.raises(ValueError, match="no end of its own; set run_cap or --count"):
        next(points(wide, 0, None))
    assert [*points(wide, 1, 3)] == [*points(wide, 1, 3)] != [*points(wide, 2, 3)]


def test_an_arm_is_what_varies_without_the_random_seed() -> None:
    plan = sweep(
        {
            "scaling.arm": {"values": ["depth=1.5", "baseline"]},
            "recipe.name": {"values": ["plain", "paper"]},
            "model.se_ratio": {"values": [0.25]},
            "trainer.max_epochs": {"value": 3},
            "seed_everything": SEEDS,
        }
    )
    names = [arm_of(varied(plan), point) for point in points(plan, 0, None)]
    assert names[::2] == [
        "plain, depth=1.5",
        "plain, baseline",
        "paper, depth=1.5",
        "paper, baseline",
    ]


def test_an_arm_names_the_parameter_where_its_value_does_not_speak() -> None:
    plan = sweep(
        {"model.se_ratio": {"values": [0.25, None]}, "config": {"values": ["a/b.yaml", "c.yaml"]}}
    )
    assert [arm_of(varied(plan), p) for p in points(plan, 0, None)] == [
        "b, se_ratio=0.25", "b, se_ratio=None", "c, se_ratio=0.25", "c, se_ratio=None",
    ]  # fmt: skip
    assert arm_of(varied(sweep({"seed_everything": SEEDS})), {"seed_everything": 0}) == "all"
    same_leaf = sweep({"a.rate": {"values": [1, 2]}, "b.rate": {"values": [3, 4]}})
    assert arm_of(varied(same_leaf), {"a.rate": 1, "b.rate": 3}) == "a.rate=1, b.rate=3"


def test_a_command_is_a_module_of_python_with_arguments() -> None:
    plan = sweep(
        {"a": {"values": [1]}},
        command=["${env}", "${interpreter}", "-m", "some.module", "--on=${envvar:ON}", "${args}"],
    )
    point = {"a": 1, "b": None}
    assert arguments_of(plan, point, Path("p.json"), {"ON": "x"}) == ["--on=x", "--a=1", "--b=None"]
    assert program(["/usr/bin/env", "python", "-m", "m", "x"]) == ("m", ["x"])
    for other in (["python", "train.py"], ["torchrun", "-m", "m"], []):
        with pytest.raises(ValueError, match=r"must be \$\{env\} \$\{interpreter\} -m MODULE"):
            program(other)
