"""The examples in docs/ see images and classify as the project does, without anything of it."""

import ast
import inspect
import io
import json
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from lit_effnet.data import prepare
from lit_effnet.data.batches import normalised_batch
from lit_effnet.data.decoding import BadImageError, decode
from lit_effnet.data.photos import photographs
from lit_effnet.data.preprocessing import Preprocessing
from lit_effnet.data.transforms import Evaluation
from lit_effnet.deploy.export_files import preparation_file
from tests.conftest import ROOT
from tests.deploy.conftest import FORMATS, Written
from tests.odd import odd_images, saved

ALLOWED = {
    "onnx": {"onnxruntime"},
    "openvino": {"openvino"},
    "executorch": {"executorch", "torch"},  # its own package brings torch
    "litert": {"ai_edge_litert"},
}
ODD = odd_images()
SCRIPTS = {name: (ROOT / "docs" / f"run_{name}.py").read_text() for name in FORMATS}

# Runs an example on each image, as a person does, and tells what it computed beside its lines.
RUN = """
import hashlib, json, runpy, sys
script, model, *photos = sys.argv[1:]
for photo in photos:
    sys.argv = [script, model, photo]
    made = runpy.run_path(script)
    digest = hashlib.sha256(made["images"].tobytes()).hexdigest()
    print(json.dumps({"images": digest, "logits": made["logits"].tolist()}))
"""


def seen_by_the_project(encoded: bytes, prepared: Preprocessing, size: int) -> torch.Tensor:
    """The input `float32 [1, 3, H, W]` that evaluation makes of an image."""
    pixels = Evaluation(size, prepared)(decode(encoded), (0,))
    images, _ = normalised_batch([(pixels, 0)], prepared.mean, prepared.std)
    return images.contiguous()


@pytest.mark.parametrize("name", ODD)
def test_an_odd_image_is_prepared_as_by_the_project(name: str, tmp_path: Path) -> None:
    """To the bit: decoded, resized, cropped and normalised."""
    assert np.array_equal(prepare.decode(ODD[name]), decode(ODD[name]))
    (tmp_path / name).write_bytes(ODD[name])
    prepared = Preprocessing(48, 0.8, "bicubic", (0.4, 0.5, 0.6), (0.2, 0.3, 0.4))
    given = prepare.prepare(tmp_path / name, {**vars(prepared), "image_size": 48})
    expected: NDArray[np.float32] = seen_by_the_project(ODD[name], prepared, 48).numpy()
    assert given.dtype == np.float32
    assert np.array_equal(given, expected)


def test_what_odd_images_show() -> None:
    """A plain `convert("RGB")` would show something else of each."""
    for name in ("alpha.png", "grey_alpha.png", "grey_16.png", "turned_6.jpg"):
        plain = np.asarray(Image.open(io.BytesIO(ODD[name])).convert("RGB"))
        given = decode(ODD[name])
        assert plain.shape != given.shape or np.abs(plain.astype(int) - given).max() > 50, name


@pytest.mark.realdata
def test_odd_images_of_other_projects_are_prepared_as_by_the_project(real_data: Path) -> None:
    good = 0
    for file in sorted((real_data / "odd_images").iterdir()):
        results = []
        for decoder in (prepare.decode, decode):
            try:
                results.append(decoder(file.read_bytes()))
            except BadImageError as error:
                results.append(np.array(str(error)))
        assert np.array_equal(*results), file.name
        good += results[0].ndim == 3
    assert good >= 20


@pytest.mark.parametrize(
    "name",
    ["onnx", *(pytest.param(n, marks=pytest.mark.slow) for n in FORMATS if n != "onnx")],
)
def test_an_example_sees_the_pixels_and_gives_the_class_of_the_project(
    name: str, written: Callable[[str], Written], tmp_path: Path
) -> None:
    made, python = written(name), FORMATS[name].python([FORMATS[name].runner])
    shown = {
        "alpha.png": ODD["alpha.png"],
        "grey_16.png": ODD["grey_16.png"],
        "turned_6.jpg": ODD["turned_6.jpg"],
        **{
            f"{photo}.png": saved(Image.fromarray(pixels), "PNG")
            for photo, pixels in list(photographs())[:3]
        },
    }
    for file, encoded in shown.items():
        (tmp_path / file).write_bytes(encoded)
    done = subprocess.run(
        [python, "-c", RUN, ROOT / "docs" / f"run_{name}.py", made.file, *shown],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    results = [json.loads(line) for line in lines if line.startswith("{")]
    printed = [line for line in lines if " %  " in line]
    assert len(results) == len(shown)
    assert len(printed) == 5 * len(shown)
    seen = set()
    for index, (file, encoded) in enumerate(shown.items()):
        images = seen_by_the_project(encoded, made.data.preprocessing, 48)
        assert results[index]["images"] == sha256(images.numpy().tobytes()).hexdigest(), file
        with torch.inference_mode():
            logits = made.network(images)[0]
        error = (torch.tensor(results[index]["logits"]) - logits).abs().max() / logits.abs().max()
        assert error < 1e-4, file
        top = int(logits.argmax())
        assert printed[5 * index].split(" %  ")[1] == made.metadata["classes"][top]
        percent = float(printed[5 * index].split(" %")[0])
        assert percent == pytest.approx(100 * float(logits.softmax(0)[top]), abs=0.1)
        seen.add(top)
    assert len(seen) > 1


def test_an_image_that_cannot_be_decoded_is_one_line(
    written: Callable[[str], Written], tmp_path: Path
) -> None:
    made, file = written("onnx"), tmp_path / "page.jpg"
    file.write_bytes(b"<html>")
    done = subprocess.run(
        [sys.executable, ROOT / "docs" / "run_onnx.py", made.file, file],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr == f"{file}: an HTML or XML page, not an image\n"


def test_the_preparation_beside_a_file_is_the_projects_own(
    written: Callable[[str], Written],
) -> None:
    assert preparation_file(written("onnx").file).read_text() == inspect.getsource(prepare)


def test_the_examples_differ_only_in_what_runs_the_file() -> None:
    def shared(text: str) -> list[str]:
        first, last = text.index("if len(sys.argv)"), text.index("sys.exit(f")
        _usage, *lines = text[first : text.index("\n\n", last)].splitlines()[1:]
        return [*lines, *text[text.index("probabilities = ") :].splitlines()]

    first, *others = (shared(text) for text in SCRIPTS.values())
    assert len(first) > 8
    assert all(other == first for other in others)


@pytest.mark.parametrize("name", [*FORMATS, "prepare"])
def test_an_example_imports_nothing_of_the_project(name: str) -> None:
    text = SCRIPTS.get(name) or inspect.getsource(prepare)
    modules = {
        (node.module if isinstance(node, ast.ImportFrom) else alias.name).split(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert modules - sys.stdlib_module_names - {"numpy", "PIL"} == ALLOWED.get(name, set())
