"""A file has its name only where it is the network, and tells how to use it."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from shutil import copy

import numpy as np
import pytest
import torch

from lit_effnet.deploy.calibration import Calibration
from lit_effnet.deploy.checked import Export
from lit_effnet.deploy.formats import FORMATS, beside, preparation
from lit_effnet.deploy.packages import ConversionError, imported
from lit_effnet.deploy.parity import ParityError, Tolerance
from tests.deploy.conftest import Written, images, needs, small

STRICT = Tolerance(agreement=1, relative_error=0)  # which no other order of sums passes


@pytest.mark.parametrize(
    "name",
    ["onnx", *(pytest.param(n, marks=pytest.mark.slow) for n in FORMATS if n != "onnx")],
)
def test_a_file_tells_how_to_use_it_and_what_it_costs(
    name: str, written: Callable[[str], Written]
) -> None:
    made = written(name)
    told = json.loads(beside(made.file).read_text())
    assert told == json.loads(json.dumps(made.told))
    assert told["preprocessing"]["mean"] == list(made.data.preprocessing.mean)
    assert told["classes"][0] == "astronaut"
    assert (told["format"], told["precision"]) == (name, "float32")
    batch = "any" if FORMATS[name].any_batch else 1
    assert told["input"]["shape"] == [batch, 3, 48, 48]
    assert (told["input"]["name"], told["output"]["name"]) == ("images", "logits")
    assert set(told["versions"]) == {"torch", *FORMATS[name].makers, FORMATS[name].runner}
    parity, cost = told["parity"], told["cost"]
    assert (parity["images"], parity["agreement"]) == (24, 1)
    assert parity["top1_eager"] == parity["top1_exported"] > 0.4
    assert 0 < parity["max_relative_error"] < 1e-4
    assert parity["signal_to_noise_db"] > 80
    others = (beside(made.file), preparation(made.file))
    files = [p for p in made.file.parent.iterdir() if p not in others]
    assert cost["file_bytes"] == sum(p.stat().st_size for p in files)
    assert cost["load_ms"] > 0
    assert cost["peak_memory_bytes"] is None or 1e6 < cost["peak_memory_bytes"] < 1e9
    assert 0 < cost["latency"]["p5_ms"] <= cost["latency"]["median_ms"]
    assert (cost["latency"]["threads"], cost["latency"]["batch"]) == (1, 1)
    assert {stat.S_IMODE(p.stat().st_mode) for p in made.file.parent.iterdir()} == {0o644}


def test_an_onnx_file_tells_it_alone_too(written: Callable[[str], Written]) -> None:
    made = written("onnx")
    entries = imported("onnx").load(made.file).metadata_props
    props = {entry.key: entry.value for entry in entries}
    for key in ("preprocessing", "classes", "source", "input", "output", "versions"):
        assert json.loads(props[key]) == json.loads(json.dumps(made.told[key])), key


@pytest.mark.parametrize("before", [None, b"an older file"])
@pytest.mark.usefixtures("here")
def test_what_fails_parity_leaves_no_file_and_the_old_one_as_it_was(
    before: bytes | None,
    tmp_path: Path,
    small_file: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ready = small_file("onnx")
    monkeypatch.setattr(FORMATS["onnx"].module, "write", lambda *rest, **_: copy(ready, rest[-1]))
    file = tmp_path / "small.onnx"
    if before:
        file.write_bytes(before)
    with pytest.raises(
        ParityError, match=r"not written.*on 5 images.*relative error .* \(most 0\)"
    ):
        Export(file, "onnx", tolerance=STRICT).write(small("efficientnet"), images(), None, {})
    assert [p.read_bytes() for p in tmp_path.iterdir()] == ([before] if before else [])


@pytest.mark.usefixtures("here")
def test_another_network_in_the_file_fails_parity(
    tmp_path: Path, small_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = small_file("onnx")
    monkeypatch.setattr(FORMATS["onnx"].module, "write", lambda *rest, **_: copy(ready, rest[-1]))
    with pytest.raises(ParityError, match="top-1 agreement"):
        Export(tmp_path / "a.onnx", "onnx").write(small("efficientnet_lite"), images(), None, {})
    assert list(tmp_path.iterdir()) == []


def test_a_converter_that_gives_up_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("onnx")

    def give_up(*_: object, **__: object) -> None:
        raise RuntimeError("an operator is not known\nand a page of hints")

    monkeypatch.setattr(FORMATS["onnx"].module, "write", give_up)
    with pytest.raises(ConversionError, match=r"format onnx: .*\(an operator is not known\)$"):
        Export(tmp_path / "a.onnx", "onnx").write(small("efficientnet"), images(), None, {})
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_its_runtime_does_not_take_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("onnx")
    module = FORMATS["onnx"].module
    monkeypatch.setattr(module, "write", lambda *rest, **_: rest[-1].write_bytes(b"no ONNX"))
    monkeypatch.setattr(module, "describe", lambda *_: None)
    with pytest.raises(ConversionError, match="running failed: ") as told:
        Export(tmp_path / "a.onnx", "onnx").write(small("efficientnet"), images(), None, {})
    assert "\n" not in str(told.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("network", "name", "kept", "advice"),
    [
        ("efficientnet", "onnx", "nothing", "; keep more in float: --kept se+silu"),
        ("efficientnet", "onnx", "se+silu", ""),
        ("efficientnet", "executorch", "nothing", "; keep more in float: --kept se"),
        ("efficientnet", "executorch", "se", ""),
        ("efficientnet_lite", "onnx", "nothing", ""),  # it has neither
        ("efficientnet_lite", "onnx", "se", ""),
    ],
)
def test_more_is_advised_to_be_kept_only_where_there_is_more(
    network: str, name: str, kept: str, advice: str
) -> None:
    needs(name)
    file = Path(f"a{FORMATS[name].suffix}")
    export = Export(file, name, "int8", calibration=images(), kept=kept)
    assert export._advice(small(network)) == advice
    assert Export(file, name)._advice(small(network)) == ""


@pytest.mark.parametrize("name", list(FORMATS))
def test_int8_names_its_quantiser_and_its_version(name: str) -> None:
    needs(name)
    row, shown = FORMATS[name], images()
    calibrated_on = Calibration("photos", "0123", len(shown), 7, 0.05)
    file = Path(f"a{row.suffix}")
    export = Export(file, name, "int8", shown, calibrated_on, kept="se")
    told = export._told(shown, torch.zeros(5, 7))
    assert told["calibration"] == {
        "quantizer": row.quantizer,
        "data": "photos",
        "fingerprint": "0123",
        "images": 5,
        "seed": 7,
        "outliers": 0.05,
        "method": row.methods[0] if row.methods else f"{row.quantizer}'s own",
        "kept": "se",
    }
    assert told["versions"][row.quantizer][0].isdecimal()
    in_float = Export(file, name)._told(shown, torch.zeros(5, 7))
    assert in_float["calibration"] is None
    assert "nncf" not in in_float["versions"]


def test_int8_must_be_calibrated() -> None:
    needs("executorch")
    with pytest.raises(ValueError, match="calibration null: int8 needs images"):
        Export(Path("a.pte"), "executorch", "int8")


def test_images_are_left_as_they_are(written: Callable[[str], Written]) -> None:
    """The networks work in place where no gradient is recorded."""
    made, shown = written("onnx"), images().clone()
    from lit_effnet.deploy.parity import eager_logits

    first = eager_logits(made.network, shown[:, :, :48, :48].contiguous())
    again = eager_logits(made.network, images()[:, :, :48, :48].contiguous())
    assert torch.equal(shown, images())
    assert np.array_equal(first, again)
