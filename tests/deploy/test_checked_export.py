"""A file has its name only where it is the network, and tells how to use it."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from shutil import copy

import numpy as np
import pytest
import torch

from lit_effnet.deploy import checked_export
from lit_effnet.deploy.calibration_images import CalibrationImages, CalibrationSource
from lit_effnet.deploy.checked_export import write_checked
from lit_effnet.deploy.export_files import metadata_file, preparation_file
from lit_effnet.deploy.export_spec import ExportSpec
from lit_effnet.deploy.packages import ConversionError, import_optional
from lit_effnet.deploy.parity import ParityError
from tests.deploy.conftest import FORMATS, Written, images, needs, small, write_onnx_by


def write(file: Path, network: str = "efficientnet", **values: object) -> dict:
    spec = ExportSpec(file=file, format="onnx", **values)
    return write_checked(
        spec, small(network), images(), labels=None, calibration=None, description={}
    )


@pytest.mark.parametrize(
    "name",
    ["onnx", *(pytest.param(n, marks=pytest.mark.slow) for n in FORMATS if n != "onnx")],
)
def test_a_file_tells_how_to_use_it_and_what_it_costs(
    name: str, written: Callable[[str], Written]
) -> None:
    made = written(name)
    metadata = json.loads(metadata_file(made.file).read_text())
    assert metadata == json.loads(json.dumps(made.metadata))
    assert metadata["preprocessing"]["mean"] == list(made.data.preprocessing.mean)
    assert metadata["classes"][0] == "astronaut"
    assert (metadata["format"], metadata["precision"]) == (name, "float32")
    batch = "any" if FORMATS[name].any_batch else 1
    assert metadata["input"]["shape"] == [batch, 3, 48, 48]
    assert (metadata["input"]["name"], metadata["output"]["name"]) == ("images", "logits")
    assert set(metadata["versions"]) == {"torch", *FORMATS[name].writers, FORMATS[name].runner}
    parity, cost = metadata["parity"], metadata["cost"]
    assert (parity["images"], parity["agreement"]) == (24, 1)
    assert parity["top1_eager"] == parity["top1_exported"] > 0.4
    assert 0 < parity["max_relative_error"] < 1e-4
    assert parity["signal_to_noise_db"] > 80
    others = (metadata_file(made.file), preparation_file(made.file))
    files = [p for p in made.file.parent.iterdir() if p not in others]
    assert cost["file_bytes"] == sum(p.stat().st_size for p in files)
    assert cost["load_ms"] > 0
    assert cost["peak_memory_bytes"] is None or 1e6 < cost["peak_memory_bytes"] < 1e9
    assert 0 < cost["latency"]["p5_ms"] <= cost["latency"]["median_ms"]
    assert (cost["latency"]["threads"], cost["latency"]["batch"]) == (1, 1)
    assert {stat.S_IMODE(p.stat().st_mode) for p in made.file.parent.iterdir()} == {0o644}


def test_an_onnx_file_tells_it_alone_too(written: Callable[[str], Written]) -> None:
    made = written("onnx")
    entries = import_optional("onnx").load(made.file).metadata_props
    props = {entry.key: entry.value for entry in entries}
    for key in ("preprocessing", "classes", "source", "input", "output", "versions"):
        assert json.loads(props[key]) == json.loads(json.dumps(made.metadata[key])), key


@pytest.mark.parametrize("before", [None, b"an older file"])
@pytest.mark.usefixtures("here")
def test_a_failed_parity_check_leaves_no_file_and_keeps_an_older_one(
    before: bytes | None,
    tmp_path: Path,
    small_file: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ready = small_file("onnx")
    write_onnx_by(monkeypatch, lambda *rest: copy(ready, rest[2]))
    file = tmp_path / "small.onnx"
    if before:
        file.write_bytes(before)
    message = r"not written.*on 5 images.*relative error .* \(maximum 1e-300\)"
    with pytest.raises(ParityError, match=message):
        write(file, relative_error=1e-300)
    assert [p.read_bytes() for p in tmp_path.iterdir()] == ([before] if before else [])


@pytest.mark.usefixtures("here")
def test_another_network_in_the_file_fails_parity(
    tmp_path: Path, small_file: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    ready = small_file("onnx")
    write_onnx_by(monkeypatch, lambda *rest: copy(ready, rest[2]))
    with pytest.raises(ParityError, match="top-1 agreement"):
        write(tmp_path / "a.onnx", "efficientnet_lite")
    assert list(tmp_path.iterdir()) == []


def test_a_converter_that_fails_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("onnx")

    def fail(*_: object) -> None:
        raise RuntimeError("an operator is not known\nand a page of hints")

    write_onnx_by(monkeypatch, fail)
    with pytest.raises(ConversionError, match=r"format onnx: .*\(an operator is not known\)$"):
        write(tmp_path / "a.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_its_runtime_refuses_is_reported_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("onnx")
    write_onnx_by(monkeypatch, lambda *rest: rest[2].write_bytes(b"no ONNX"))
    monkeypatch.setattr(checked_export, "add_metadata", lambda *_: None)
    with pytest.raises(ConversionError, match="isolated_run failed: ") as raised:
        write(tmp_path / "a.onnx")
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("network", "name", "keep_float", "advice"),
    [
        ("efficientnet", "onnx", "nothing", "; keep more in float: --keep_float se+silu"),
        ("efficientnet", "onnx", "se+silu", ""),
        ("efficientnet", "executorch", "nothing", "; keep more in float: --keep_float se"),
        ("efficientnet", "executorch", "se", ""),
        ("efficientnet_lite", "onnx", "nothing", ""),  # it has neither
        ("efficientnet_lite", "onnx", "se", ""),
    ],
)
def test_keeping_more_in_float_is_advised_only_where_there_is_more(
    network: str, name: str, keep_float: str, advice: str
) -> None:
    file = Path(f"a{FORMATS[name].suffix}")
    spec = ExportSpec(file=file, format=name, precision="int8", keep_float=keep_float)
    assert checked_export._advice(spec, small(network)) == advice
    in_float = ExportSpec(file=file, format=name)
    assert checked_export._advice(in_float, small(network)) == ""


@pytest.mark.parametrize("name", list(FORMATS))
def test_int8_records_its_quantizer_and_its_version(name: str) -> None:
    needs(name)
    row, batch = FORMATS[name], images()
    source = CalibrationSource("photos", "0123", images=len(batch), seed=7, outliers=0.05)
    file = Path(f"a{row.suffix}")
    spec = ExportSpec(file=file, format=name, precision="int8", keep_float="se")
    metadata = checked_export._metadata(
        spec, batch, torch.zeros(5, 7), CalibrationImages([batch], source)
    )
    assert metadata["calibration"] == {
        "quantizer": row.quantizer,
        "data": "photos",
        "fingerprint": "0123",
        "images": 5,
        "seed": 7,
        "outliers": 0.05,
        "method": row.methods[0] if row.methods else f"{row.quantizer}'s own",
        "kept": "se",
    }
    assert metadata["versions"][row.quantizer][0].isdecimal()
    in_float = ExportSpec(file=file, format=name)
    metadata = checked_export._metadata(in_float, batch, torch.zeros(5, 7), None)
    assert metadata["calibration"] is None
    assert "nncf" not in metadata["versions"]


def test_images_are_left_as_they_are(written: Callable[[str], Written]) -> None:
    """The networks work in place where no gradient is recorded."""
    made, shown = written("onnx"), images().clone()
    from lit_effnet.deploy.parity import eager_logits

    first = eager_logits(made.network, shown[:, :, :48, :48].contiguous())
    again = eager_logits(made.network, images()[:, :, :48, :48].contiguous())
    assert torch.equal(shown, images())
    assert np.array_equal(first, again)
