"""Configurations put together from those of single values: the same as parsed, and the same ids."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from lit_effnet.experiment import preview as outlook
from lit_effnet.orchestration.options import Options
from lit_effnet.orchestration.planner import Planner
from lit_effnet.trials.sweep_file import Sweep

START = ["${env}", "${interpreter}", "-m", "lit_effnet.fit"]
FILE, FLAGS = [*START, "--config", "${args_json_file}"], [*START, "${args}"]


def planner(parameters: dict[str, Any], command: list[str] = FILE, method: str = "grid") -> Planner:
    config = {"name": "s", "method": method, "command": command, "parameters": parameters}
    return Planner(Sweep(Path("s.yaml"), config, {}), Options(count=4))


def counted(planner: Planner) -> list[Mapping[str, Any]]:
    """The points that are parsed from now on."""
    parse, points = planner.parse, []

    def count(point: Mapping[str, Any]) -> Any:
        points.append(point)
        return parse(point)

    planner.composer._parse = count
    return points


# By these names the run folders of sweeps that have begun are found again.
IDENTITIES = [
    (
        {"recipe.learning_rate": {"values": [0.1, 0.2]}, "seed_everything": {"values": [0, 1]}},
        ["09a7b3e94385", "2c37ca46d7f6", "85193cd3c40f", "5fb727f56feb"],
    ),
    (
        {
            "model.se_ratio": {"values": [0, 0.25]},
            "scaling.arm": {"values": ["baseline", "depth=1.5"]},
        },
        ["8c3c8c1bef4b", "c6dacb71ca84", "0d8382c3c6da", "fb52ffee1780"],
    ),
    (
        {
            "model.name": {"values": ["efficientnet", "resnet50"]},
            "data.batch_size": {"values": [16, 32]},
        },
        ["7bed3cc8217b", "df0c5e99d78a", "da7732af1d74", "97c3636a3671"],
    ),
    (
        {"run.noise": {"value": [0.1, 0.2]}, "trainer.max_epochs": {"values": [None, 3]}},
        ["1c0f1899945c", "f17134e8378e"],
    ),
    (
        {
            "recipe": {
                "parameters": {
                    "name": {"values": ["plain", "paper"]},
                    "weight_decay": {"value": 1e-05},
                }
            }
        },
        ["640328f5736d", "0c0768704322"],
    ),
    (
        {
            "trainer.accumulate_grad_batches": {"value": 2},
            "scaling.depth": {"min": 1.0, "max": 2.0},
        },
        ["62dc7bdb2cea", "6912eb888816", "cf28405ea819", "3003bfda6192"],
    ),
]


@pytest.mark.parametrize(("parameters", "expected"), IDENTITIES)
def test_a_trial_keeps_its_identity(parameters: dict[str, Any], expected: list[str]) -> None:
    method = "random" if "scaling.depth" in parameters else "grid"
    assert [trial.id for trial in planner(parameters, method=method).trials()] == expected


@pytest.mark.parametrize("parameters", [parameters for parameters, _ in IDENTITIES[:-1]])
def test_what_is_put_together_is_what_is_parsed(parameters: dict[str, Any]) -> None:
    plans = planner(parameters)
    for point in plans.points():
        composed, parsed = plans.composer.config(point), plans.parse(point)
        for config in (composed, parsed):
            config.config = None  # the name of a temporary file
        assert repr(composed) == repr(parsed)
        assert outlook.preview(composed) == outlook.preview(parsed)


def test_each_value_of_a_grid_is_parsed_once() -> None:
    plans = planner(
        {"recipe.learning_rate": {"values": [0.1, 0.2, 0.3]}, "seed_everything": {"values": [1, 2]}}
    )
    parsed = counted(plans)
    assert len({trial.id for trial in plans.trials()}) == 4  # what is counted
    assert len(parsed) == 1 + 2 + 2  # without any, two rates, two seeds
    plans.composer.config({"recipe.learning_rate": 0.1, "seed_everything": 2})
    assert len(parsed) == 5


def test_one_batch_and_all_of_them_are_not_one_value() -> None:
    plans = planner({"trainer.limit_train_batches": {"values": [1, 1.0]}})
    for part in (1, 1.0):
        point = {"trainer.limit_train_batches": part}
        assert plans.trial(point, 1).id == outlook.identity(plans.parse(point))


def test_a_value_that_changes_more_than_its_flag_is_parsed_with_its_point(tmp_path: Path) -> None:
    files = [tmp_path / "a.yaml", tmp_path / "b.yaml"]
    files[0].write_text("recipe: {learning_rate: 0.1}")
    files[1].write_text("recipe: {learning_rate: 0.2, weight_decay: 0.1}")
    plans = planner(
        {
            "config": {"values": [str(file) for file in files]},
            "recipe.learning_rate": {"value": 0.3},
        },
        FLAGS,
    )
    parsed = counted(plans)
    configs = [plans.composer.config(point) for point in plans.points()]
    assert [(c.recipe.learning_rate, c.recipe.weight_decay) for c in configs] == [
        (0.3, configs[0].recipe.weight_decay),
        (0.3, 0.1),
    ]
    assert sum(len(point) == 2 for point in parsed) == 2


def test_a_point_with_more_than_the_sweeps_parameters_is_parsed() -> None:
    plans = planner({"recipe": {"parameters": {"name": {"values": ["plain", "paper"]}}}})
    more = {"recipe": {"name": "plain", "weight_decay": 0.5}}
    assert plans.composer.config(more).recipe.weight_decay == 0.5
    without: dict[str, Any] = {"recipe": {}}
    assert repr(plans.composer.config(without).recipe) == repr(plans.parse({}).recipe)


def test_a_wrong_value_is_told_as_by_parsing_its_point() -> None:
    plans = planner(
        {"recipe.learning_rate": {"values": [0.1]}, "seed_everything": {"values": ["first"]}}
    )
    point = {"recipe.learning_rate": 0.1, "seed_everything": "first"}
    with pytest.raises(ValueError, match="seed_everything") as parsed:
        plans.parse(point)
    with pytest.raises(ValueError, match="seed_everything") as composed:
        plans.trial(point, 1)
    assert str(composed.value) == str(parsed.value)
