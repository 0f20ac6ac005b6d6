"""What the project's own files promise."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

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
    *("training/distributed/heartbeats.py", "deploy/isolated_run.py", "deploy/packages.py"),
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


class Room(NamedTuple):
    """A row of CONTRIBUTING.md's map."""

    level: int
    forbidden: frozenset[str]


def rooms_of_the_map() -> dict[str, Room]:
    rows = re.findall(
        r"^\| (\d) \| `(\w+)` \| [^|]+ \| ([^|]*)\|$",
        (ROOT / "CONTRIBUTING.md").read_text(),
        re.MULTILINE,
    )
    return {
        name: Room(int(level), frozenset(filter(None, re.split(r"[, ]+", forbidden))))
        for level, name, forbidden in rows
    }


ROOMS = rooms_of_the_map()
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


def test_the_map_has_every_room_and_the_root_holds_commands_only() -> None:
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == set(ROOMS)
    assert {file.stem for file in PACKAGE.glob("*.py")} == {*COMMANDS, "__init__"}
    assert {room.level for room in ROOMS.values()} == set(range(1, 8))  # commands are the eighth


@pytest.mark.parametrize("name", ROOMS)
def test_imports_point_down_only(name: str) -> None:
    below = {other for other, room in ROOMS.items() if room.level < ROOMS[name].level}
    for file in modules_of(name):
        wrong = imported_rooms(file) - {name} - below
        assert not wrong, f"{file} imports {wrong}"


# Each room is imported in a fork of its own. The parent imports a heavy package as soon as no room
# that is left may not load it, so that most are imported once.
LOADED = """
import json, os, sys
heavy = ["torch", "lightning.pytorch", "datasets", "timm"]
rooms = json.loads(sys.argv[1])
for index, (name, modules, _) in enumerate(rooms):
    forbidden = {package for *_, packages in rooms[index:] for package in packages}
    for package in heavy:
        if package.split(".")[0] not in forbidden:
            __import__(package)
    if not os.fork():
        for module in modules:
            __import__(module)
        print(json.dumps([name, *sys.modules]), flush=True)
        os._exit(0)
    assert os.wait()[1] == 0, name
"""


def test_no_room_loads_what_it_must_not() -> None:
    """Import each room in a fresh process, and look at everything that came with it."""
    rooms = [
        (
            name,
            [
                ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
                for file in modules_of(name)
            ],
            sorted(room.forbidden),
        )
        for name, room in sorted(ROOMS.items(), key=lambda item: len(item[1].forbidden))
        if room.forbidden
    ][::-1]
    done = subprocess.run(
        [sys.executable, "-c", LOADED, json.dumps(rooms)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    loaded = {name: names for name, *names in map(json.loads, done.stdout.splitlines())}
    assert set(loaded) == {name for name, *_ in rooms}
    wrong = {
        name: package
        for name, names in loaded.items()
        for package in ROOMS[name].forbidden
        if any(module == package or module.startswith(f"{package}.") for module in names)
    }
    assert not wrong


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
