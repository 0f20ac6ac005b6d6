"""The examples in docs/ classify as the project does, with nothing of it installed."""

import ast
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from lit_effnet.data.batches import normalised_batch
from lit_effnet.data.decoding import ORIENTATION
from lit_effnet.data.photos import photographs
from lit_effnet.data.transforms import Evaluation
from lit_effnet.evaluation.exporting.formats import FORMATS

from ...conftest import ROOT
from .conftest import Written

ALLOWED = {
    "onnx": {"onnxruntime"},
    "openvino": {"openvino"},
    "executorch": {"executorch", "torch"},  # its own package brings torch
    "litert": {"ai_edge_litert"},
}


@pytest.mark.parametrize(
    "name",
    ["onnx", *(pytest.param(n, marks=pytest.mark.slow) for n in FORMATS if n != "onnx")],
)
def test_an_example_gives_the_class_and_probability_of_the_projects_own_view(
    name: str, written: Callable[[str], Written], tmp_path: Path
) -> None:
    made, python = written(name), FORMATS[name].python([FORMATS[name].runner])
    prepared = made.data.preprocessing
    view = Evaluation(48, prepared)
    seen = set()
    for photograph, pixels in list(photographs())[:4]:
        odd = pixels[: pixels.shape[0] // 2 * 2 - 1, : pixels.shape[1] // 3]  # an upright window
        file = tmp_path / f"{photograph}.png"
        # As a camera held upside down stores it, with a note to turn it.
        exif = Image.Exif()
        exif[ORIENTATION] = 3
        Image.fromarray(odd[::-1, ::-1]).save(file, exif=exif)
        batch, _ = normalised_batch([(view(odd, (0,)), 0)], prepared.mean, prepared.std)
        with torch.inference_mode():
            probabilities = made.network(batch).softmax(1)[0]
        done = subprocess.run(
            [python, ROOT / "docs" / f"run_{name}.py", made.file, file],
            cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        lines = [line for line in done.stdout.splitlines() if " %  " in line]
        top = int(probabilities.argmax())
        assert len(lines) == 5
        assert lines[0].split(" %  ")[1] == made.told["classes"][top]
        shown = float(lines[0].split(" %")[0])
        assert shown == pytest.approx(100 * float(probabilities[top]), abs=0.1)
        seen.add(top)
    assert len(seen) > 1


@pytest.mark.parametrize("name", list(FORMATS))
def test_an_example_imports_nothing_of_the_project(name: str) -> None:
    tree = ast.parse((ROOT / "docs" / f"run_{name}.py").read_text())
    modules = {
        (node.module if isinstance(node, ast.ImportFrom) else alias.name).split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert modules - sys.stdlib_module_names - {"numpy", "PIL"} == ALLOWED[name]
