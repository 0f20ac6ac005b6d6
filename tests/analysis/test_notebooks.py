"""Notebooks ask a question, hold no logic and no outputs, and run top to bottom."""

import ast
import json
import re
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from lit_effnet.results.figures.notebook import Shown
from lit_effnet.results.frame.shipped import ship, ship_rows
from tests.results.figures import examples

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "analysis").glob("*.ipynb"))
OF_A_NETWORK = ("feature_maps", "grad_cam")
OF_RESULTS = [path for path in NOTEBOOKS if path.stem not in OF_A_NETWORK]
LOGIC = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda, ast.For, ast.While, ast.If),
    *(ast.IfExp, ast.Try, ast.With, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
    *(ast.BinOp, ast.BoolOp, ast.Compare, ast.Subscript),
)
of_each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]


def code(path: Path) -> list[str]:
    return [cell.source for cell in read(path).cells if cell.cell_type == "code"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the project's, with results of all kinds."""
    root = tmp_path_factory.mktemp("project")
    for name in ("analysis", "lit_effnet", "sweeps", "results"):
        (root / name).mkdir()
    for name, frame in (
        ("scaling_ablation", examples.scaling_runs()),
        ("coefficient_search", examples.coefficient_runs()),
        ("se_ratio", examples.se_runs()),
        ("transfer", examples.transfer_runs()),
        ("noise_robustness", examples.noise_runs()),
    ):
        ship(frame, root / "results" / f"{name}_photos.json", "command")
    ship_rows(examples.efficiency_rows(), root / "results" / "efficiency.json", "command")
    ship_rows(examples.int8_rows(), root / "results" / "int8.json", "command")
    return root


def test_there_is_a_notebook_for_each_question() -> None:
    assert {path.stem for path in NOTEBOOKS} == {
        *("scaling", "coefficient_search", "se_ratio", "transfer", "robustness", "feature_maps"),
        *("grad_cam", "efficiency", "int8"),
    }


@of_each
def test_it_opens_with_its_question(path: Path) -> None:
    first = read(path).cells[0]
    assert first.cell_type == "markdown"
    assert first.source.startswith("# ")
    assert first.source.endswith("?")
    assert "\n" not in first.source


@of_each
def test_it_is_stored_without_outputs(path: Path) -> None:
    notebook = read(path)
    for cell in notebook.cells:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
    assert notebook.metadata.kernelspec.name == "python3"
    assert json.loads(path.read_text())["nbformat"] == 4


@of_each
def test_it_holds_no_logic(path: Path) -> None:
    for source in code(path):
        found = [node for node in ast.walk(ast.parse(source)) if isinstance(node, LOGIC)]
        assert not found, source


def shown(path: Path) -> list[Shown]:
    """What the cells of a notebook show, run in this process."""
    names: dict[str, Any] = {}
    made = []
    for source in code(path):
        if source.startswith("show("):
            made.append(eval(source, names))
        else:
            exec(source, names)
    return made


@of_each
def test_without_results_it_says_in_one_line_what_makes_them(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = shown(path)
    assert len(found) >= 2
    for one in found:
        assert isinstance(one.content, str)
        assert one.content.startswith("**Nothing to show:** ")
        assert one.content.endswith("` makes them")
        assert "\n" not in one.content


def outputs(path: Path, folder: Path) -> list[dict[str, Any]]:
    """What a notebook's cells show, run top to bottom by a kernel of its own."""
    notebook = read(path)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=180, kernel_name="python3", resources=resources).execute()
    found = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    assert all(output.output_type == "execute_result" for output in found), found
    return [output.data for output in found]


def told(found: list[dict[str, Any]]) -> str:
    """The sentence below the figures."""
    *images, sentence = found
    assert images
    assert all("image/png" in image for image in images)
    text: str = sentence["text/markdown"]
    assert "Nothing to show" not in text
    return text


@pytest.mark.parametrize("path", OF_RESULTS, ids=lambda path: path.stem)
def test_it_runs_top_to_bottom(path: Path, project: Path) -> None:
    assert re.search(r"\d", told(outputs(path, project / "analysis")))


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_A_NETWORK)
def test_it_shows_the_network_that_make_fit_trains(
    name: str, project: Path, photos_run: Path
) -> None:
    run = project / "runs" / "photos" / "trained"
    if not run.exists():
        shutil.copytree(photos_run, run)
    assert re.search(
        r"\d", told(outputs(ROOT / "analysis" / f"{name}.ipynb", project / "analysis"))
    )
