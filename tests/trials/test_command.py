"""A command's macros are filled in as W&B's agent does it."""

import json
import random
from collections import deque
from pathlib import Path
from typing import Any

import pytest
from wandb.sdk.launch.sweeps.utils import (
    DEFAULT_SWEEP_COMMAND,
    create_sweep_command,
    create_sweep_command_args,
)

from lit_effnet.trials import command
from lit_effnet.trials.command import DEFAULT_COMMAND, MACROS, expand

POINT = {
    "model.depth_mult": 1.5,
    "on": True,
    "off": False,
    "none": None,
    "layers": [1, 2],
    "name": "a b",
    "rate": 1e-05,
    "nested": {"a": None, "b": {"c": "d"}},
}
JSON_FILE = Path("runs/config.json")
ENVIRONMENT = {"LIT_A": "a b", "LIT_MACRO": "${program}", "LIT_2": ""}


def _theirs(items: list[Any], program: str | None, point: dict[str, Any]) -> list[str]:
    """The loop of `wandb.wandb_agent.Agent._command_run`, around W&B's own functions."""
    filled: dict[str, Any] = create_sweep_command_args(
        {"args": {name: {"value": value} for name, value in point.items()}}
    )
    filled |= {"interpreter": ["python"], "program": [program], "env": ["/usr/bin/env"]}
    filled["args_json_file"] = [str(JSON_FILE)]
    words: list[str] = []
    for item in map(str, create_sweep_command(list(items))):
        whole = item.startswith("${") and item.endswith("}")
        words += (filled.get(item[2:-1]) or []) if whole else [item]
    return words


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("LIT_UNSET", raising=False)


@pytest.mark.parametrize("macro", MACROS)
def test_each_macro_alone_gives_what_wandb_gives(macro: str) -> None:
    items = [f"${{{macro}}}"]
    assert expand(items, "fit.py", POINT, JSON_FILE, ENVIRONMENT) == _theirs(items, "fit.py", POINT)


@pytest.mark.parametrize("seed", range(200))
def test_random_commands_give_what_wandb_gives(seed: int) -> None:
    rng = random.Random(seed)
    choices: list[Any] = [f"${{{macro}}}" for macro in MACROS]
    choices += ["-m", "--config=${args}", "${nothing}", "${}", 3, 0.5, "", "$", "${program}${args}"]
    choices += ["${envvar:LIT_A}", "x-${envvar:LIT_A}/${envvar:LIT_UNSET}.${envvar:LIT_2}"]
    choices += ["${envvar:lower}", "a${envvar:lower}", "${envvar:LIT_MACRO}", "${envvar:}"]
    items = rng.choices(choices, k=rng.randint(1, 6))
    point = dict(rng.sample(sorted(POINT.items()), k=rng.randint(0, len(POINT))))
    before = list(items)
    assert expand(items, "fit.py", point, JSON_FILE, ENVIRONMENT) == _theirs(items, "fit.py", point)
    assert items == before


def test_the_default_command_is_wandbs_own() -> None:
    assert list(DEFAULT_COMMAND) == DEFAULT_SWEEP_COMMAND
    assert expand([], "fit.py", {"a": 1}, JSON_FILE, {}) == [
        "/usr/bin/env",
        "python",
        "fit.py",
        "--a=1",
    ]


def test_the_json_is_of_the_point_with_dotted_names_and_null() -> None:
    (text,) = expand(["${args_json}"], None, POINT, JSON_FILE, {})
    assert json.loads(text) == POINT


def test_a_variable_that_is_not_set_stands_for_its_own_name_and_the_given_ones_count() -> None:
    items = ["${envvar:LIT_A}", "/data/${envvar:LIT_A}/x"]
    assert expand(items, None, {}, JSON_FILE, {}) == ["LIT_A", "/data/LIT_A/x"]
    assert expand(items, None, {}, JSON_FILE, {"LIT_A": "b"}) == ["b", "/data/b/x"]


def test_windows_has_no_env_as_under_wandb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.platform, "system", lambda: "Windows")
    assert expand(["${env}", "${interpreter}"], None, {}, JSON_FILE, {}) == ["python"]


def test_a_program_that_is_missing_is_said() -> None:
    with pytest.raises(ValueError, match=r"program: missing, and the command uses \$\{program\}"):
        expand(["${program}"], None, {}, JSON_FILE, {})
    assert expand(deque(["-m", "${args}"]), None, {}, JSON_FILE, {}) == ["-m"]
