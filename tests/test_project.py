"""What the project's own files promise."""

import re
import subprocess
import tomllib
from importlib.metadata import version

import pytest
import yaml

from .conftest import ROOT


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


@pytest.mark.parametrize(
    ("room", "foreign"),
    [
        *(
            (f"{name}.py", ["torch", "lightning", "numpy"])
            for name in ("scaling", "counting", "budget", "arms", "locations")
        ),
        ("runs", ["torch", "lightning", "lit_effnet.training", "lit_effnet.data"]),
        ("network", ["lightning", "datasets", "lit_effnet.data", "lit_effnet.training"]),
        ("data", ["lit_effnet.network", "lit_effnet.training", "timm"]),
        ("training", ["lit_effnet.network", "lit_effnet.data", "datasets"]),
        ("evaluation", ["lit_effnet.training", "lightning"]),
        ("trials", ["lit_effnet.network", "lit_effnet.data", "torch", "wandb", "sweeps"]),
        ("results", ["torch", "lightning", "lit_effnet.training", "lit_effnet.data"]),
    ],
)
def test_a_room_does_not_know_what_it_must_not(room: str, foreign: list[str]) -> None:
    path = ROOT / "lit_effnet" / room
    for file in [path] if path.is_file() else path.rglob("*.py"):
        modules = re.findall(r"^\s*(?:from|import) ([\w.]+)", file.read_text(), re.MULTILINE)
        known = {m for m in modules for f in foreign if m == f or m.startswith(f + ".")}
        assert not known, file


# What parses text that the suite itself made or packed: its own dump, a child's answer, a data file.
OWN_TEXT = {
    *("runs/documents.py", "experiment.py", "outlook.py", "network/golden.py", "training/ranks.py"),
    *("evaluation/exporting/running.py", "evaluation/exporting/packages.py", "data/store.py"),
    *("results/document.py", "results/figures/noise.py", "results/runs_tables.py"),
    *("results/wandb_log.py", "runs/csv_text.py", "network/properties.py"),
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


def test_imports_point_down_only() -> None:
    """Floors of the house: a room imports none above its own."""
    paper = {
        "scaling": 0,
        "counting": 0,
        "budget": 0,
        "arms": 0,
        "metrics": 0,
        "locations": 0,
        "runs": 0,
    }
    rooms = ("network", "data", "training", "evaluation", "trials", "results")
    floors = paper | {room: floor for floor, room in enumerate(rooms, start=1)}
    package = ROOT / "lit_effnet"
    for file in package.rglob("*.py"):
        room = file.relative_to(package).with_suffix("").parts[0]
        if room not in floors or file.name == "__main__.py":  # which is a command
            continue
        text = file.read_text()
        imported = re.findall(r"(?:from|import) lit_effnet\.(\w+)", text)
        imported += re.findall(r"from lit_effnet import ([\w, ]+)", text)
        above = {name for name in imported if floors.get(name, 7) > floors[room]}
        assert not above, f"{file} imports {above}"


def test_commands_do_not_know_each_other() -> None:
    package = ROOT / "lit_effnet"
    commands = {
        file.stem
        for file in package.glob("*.py")
        if 'if __name__ == "__main__":' in file.read_text()
    }
    assert commands == {
        *("fit", "sweep", "evaluate", "explain", "measure", "quantize", "scale", "export"),
        "report",
    }
    for command in commands:
        text = (package / f"{command}.py").read_text()
        imported = set(re.findall(r"(?:from|import) lit_effnet\.(\w+)", text))
        assert not imported & commands, command


def test_make_lists_its_targets() -> None:
    text = subprocess.run(["make"], check=True, cwd=ROOT, capture_output=True, text=True).stdout
    for target in ("fit", "test", "lint", "format", "typecheck", "bench", "results", "notebooks"):
        assert re.search(rf"^  {target} +\S", text, re.MULTILINE), target


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "LICENSE"])
def test_documents_are_there(name: str) -> None:
    assert len((ROOT / name).read_text()) > 200
