"""What the project's own files promise."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from tests.conftest import ROOT


def test_the_conda_environment_installs_the_locked_versions_and_the_package() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    *_, pip = environment["dependencies"]
    assert pip == {"pip": ["-r requirements.lock", "-e ."]}
    python = next(d for d in environment["dependencies"] if str(d).startswith("python="))
    assert python.removeprefix("python=") == project["requires-python"].removeprefix(">=")


def test_every_dependency_is_locked_to_one_version_which_is_the_one_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = [
        re.match(r"[\w-]+", requirement)[0]
        for requirement in (*project["dependencies"], *project["optional-dependencies"]["dev"])
    ]
    lock = (ROOT / "requirements.lock").read_text()
    for name in names:
        locked = re.findall(rf"^{name}==([^\s;]+)", lock, re.MULTILINE)
        assert locked == [version(name)], name


# What parses text that the suite itself made or packed: its own dump, a child's answer, a data file.
OWN_TEXT = {
    *("runs/documents.py", "runs/csv_text.py", "network/golden.py", "network/properties.py"),
    *("experiment/lightning_cli.py", "experiment/preview.py", "data/decoded_cache.py"),
    *("training/distributed/heartbeats.py", "deploy/running.py", "deploy/packages.py"),
    *("results/design_doc/tables.py", "results/figures/noise.py", "results/tables/runs.py"),
    "results/frame/wandb_log.py",
}


def test_files_of_a_person_are_parsed_by_one_bounded_reader() -> None:
    package = ROOT / "lit_effnet"
    parsers = re.compile(
        r"json\.loads?\(|yaml\.(?:safe_|full_|unsafe_)?load\(|csv\.(?:Dict)?[rR]eader\("
    )
    found = {
        str(file.relative_to(package))
        for file in package.rglob("*.py")
        if parsers.search(file.read_text())
    }
    assert found <= OWN_TEXT


# The rooms by level, each with what it must not know: the table of CONTRIBUTING.md.
HEAVY = ("torch", "lightning")
LEVELS: list[dict[str, tuple[str, ...]]] = [
    {"scaling": (*HEAVY, "numpy"), "runs": HEAVY, "metrics": ("lightning",), "profiling": ()},
    {"cli": HEAVY},
    {
        "data": ("timm",),
        "network": ("lightning", "datasets"),
        "training": ("datasets",),
        "trials": (*HEAVY, "wandb", "sweeps"),
    },
    {"results": HEAVY},
    {"evaluation": ("lit_effnet.training",)},
    {"experiment": (), "attribution": ("lit_effnet.training",), "deploy": ("lit_effnet.training",)},
    {"orchestration": (), "benchmark": ("lit_effnet.trials",)},
]
ROOMS = {room: level for level, rooms in enumerate(LEVELS, start=1) for room in rooms}
COMMANDS = {
    *("fit", "sweep", "evaluate", "explain", "measure", "quantize", "scale", "export"),
    "report",
}
PACKAGE = ROOT / "lit_effnet"


def imported_rooms(file: Path) -> set[str]:
    """Rooms and commands that a module imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in names if name.startswith("lit_effnet.")}


def modules_of(room: str) -> list[Path]:
    """Modules of a room but its command."""
    return [file for file in (PACKAGE / room).rglob("*.py") if file.name != "__main__.py"]


def test_every_folder_is_a_room_and_the_root_holds_commands_only() -> None:
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == set(ROOMS)
    assert {file.stem for file in PACKAGE.glob("*.py")} == {*COMMANDS, "__init__"}
    assert len(LEVELS) < 8  # the commands are the last


@pytest.mark.parametrize("room", ROOMS)
def test_imports_point_down_only(room: str) -> None:
    below = {name for name, level in ROOMS.items() if level < ROOMS[room]}
    foreign = {name.removeprefix("lit_effnet.") for name in LEVELS[ROOMS[room] - 1][room]}
    for file in modules_of(room):
        wrong = imported_rooms(file) - {room} - (below - foreign)
        assert not wrong, f"{file} imports {wrong}"


@pytest.mark.parametrize(
    ("room", "foreign"),
    [
        (room, packages)
        for rooms in LEVELS
        for room, names in rooms.items()
        if (packages := {name for name in names if not name.startswith("lit_effnet")})
    ],
)
def test_a_room_does_not_load_what_it_must_not_know(room: str, foreign: set[str]) -> None:
    """Import its modules in a fresh interpreter, and look at everything that came with them."""
    names = [
        ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for file in modules_of(room)
    ]
    code = f"import sys, {', '.join(names)}; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert not {name.split(".")[0] for name in loaded.split()} & foreign


def test_commands_do_not_know_each_other() -> None:
    for command in COMMANDS:
        assert 'if __name__ == "__main__":' in (PACKAGE / f"{command}.py").read_text()
        assert not imported_rooms(PACKAGE / f"{command}.py") & COMMANDS, command


def test_make_lists_its_targets() -> None:
    text = subprocess.run(["make"], check=True, cwd=ROOT, capture_output=True, text=True).stdout
    for target in ("fit", "test", "lint", "format", "typecheck", "bench", "results", "notebooks"):
        assert re.search(rf"^  {target} +\S", text, re.MULTILINE), target


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"])
def test_documents_are_there(name: str) -> None:
    assert len((ROOT / name).read_text()) > 200
