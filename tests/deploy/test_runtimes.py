"""A file of each format is the network that it was made of."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copy

import pytest
import torch

from lit_effnet.deploy import packages
from lit_effnet.deploy.base import FLOAT32, Conversion
from lit_effnet.deploy.export_files import metadata_file
from lit_effnet.deploy.export_spec import ExportSpec
from lit_effnet.deploy.layers import se_gates, silu_modules
from lit_effnet.deploy.parity import eager_logits
from lit_effnet.deploy.registry import load
from lit_effnet.evaluation.scoring import score
from tests.conftest import ROOT
from tests.deploy.conftest import FORMATS, SIZE, images, needs, small

NETWORKS = ("efficientnet", "efficientnet_lite", "mobilenetv3_large")
QUICK = {("onnx", "efficientnet"), ("openvino", "efficientnet")}
CASES = [
    pytest.param(name, network, marks=() if (name, network) in QUICK else pytest.mark.slow)
    for name in FORMATS
    for network in NETWORKS
]


@pytest.mark.parametrize(("name", "network"), CASES)
def test_a_file_gives_the_logits_of_its_network(
    name: str, network: str, tmp_path: Path, small_file: Callable[[str], Path]
) -> None:
    needs(name)
    module = small(network)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    eager = eager_logits(module, images())
    if network == "efficientnet":
        file = small_file(name)
    else:
        file = tmp_path / f"small{FORMATS[name].suffix}"
        FORMATS[name].write(module, SIZE, file, FLOAT32)
    if packages.missing([FORMATS[name].runner]):
        pytest.skip(f"needs {FORMATS[name].runner}: {FORMATS[name].install}")
    runtime = load(file, threads=1)
    for batch in (1, 5):
        given = runtime(images()[:batch].to(memory_format=torch.channels_last))
        error = (given - eager[:batch]).abs().amax() / eager[:batch].abs().amax()
        assert given.dtype == torch.float32
        assert error < 1e-4, f"{batch} images"
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    assert not module.training


@pytest.mark.parametrize(
    ("name", "precision", "least_db", "most_bytes"),
    # Measured 14.2, 13.3 and 13.5 dB, and 0.36, 0.48 and 0.33 of the bytes, of which OpenVINO's
    # graph is 0.2. One bit less everywhere is four times the noise, 6 dB.
    [
        ("litert", "float16", 40, 0.65),
        ("litert", "int8", 8, 0.55),
        ("executorch", "int8", 11, 0.4),
        ("onnx", "int8", 12, 0.4),
        ("openvino", "int8", 11, 0.5),
    ],
)
@pytest.mark.slow
def test_fewer_bits_are_nearly_the_network(
    name: str, precision: str, least_db: float, most_bytes: float, tmp_path: Path
) -> None:
    needs(name)
    module, file = small("efficientnet_lite"), tmp_path / f"small{FORMATS[name].suffix}"
    conversion = Conversion(precision=precision, calibration=images())
    FORMATS[name].write(module, SIZE, file, conversion)
    whole = sum(parameter.nbytes for parameter in module.parameters())
    assert sum(part.stat().st_size for part in tmp_path.iterdir()) < most_bytes * whole
    eager, given = eager_logits(module, images()), load(file)(images())
    noise = (given - eager).square().sum()
    assert 10 * (eager.square().sum() / noise).log10() > least_db


@pytest.mark.parametrize("name", list(FORMATS))
@pytest.mark.slow
def test_parts_that_int8_keeps_are_in_float(name: str, tmp_path: Path) -> None:
    needs(name)
    module = small("efficientnet")
    eager, sizes, noises = eager_logits(module, images()), [], []
    words = [se_gates(module), silu_modules(module)][: len(FORMATS[name].keep_float)]
    for kept in ([], *words, [""]):
        file = tmp_path / f"kept_{len(kept)}_{'' in kept}{FORMATS[name].suffix}"
        names = [part for part, _ in module.named_children()] if kept == [""] else kept
        conversion = Conversion(precision="int8", calibration=images(), keep_float=names)
        FORMATS[name].write(module, SIZE, file, conversion)
        parts = [file, file.with_suffix(".bin")]
        sizes.append(sum(part.stat().st_size for part in parts if part.exists()))
        noises.append(float((load(file)(images()) - eager).square().sum()))
    assert max(sizes[:2]) < sizes[-1]  # a gate's few weights are less than what describes INT8
    left = 0.2 if name == "litert" else 1e-6  # LiteRT's last layer is in INT8 all the same
    assert noises[-1] < left * float(eager.square().sum()) < min(noises[:-1])
    assert len(set(noises)) == len(noises)  # no word is without effect


def test_executorch_has_nothing_to_keep_in_float_of_silu(tmp_path: Path) -> None:
    needs("executorch")
    assert FORMATS["executorch"].keep_float == ("se",)
    spec = ExportSpec(
        file=tmp_path / "a.pte", format="executorch", precision="int8", keep_float="se+silu"
    )
    with pytest.raises(
        ValueError, match="keep_float se\\+silu: ExecuTorch XNNPACK never quantizes"
    ):
        spec.check()


@pytest.mark.slow
def test_silu_kept_by_executorch_is_no_other_file(tmp_path: Path) -> None:
    needs("executorch")
    module, files = small("efficientnet"), [tmp_path / "a.pte", tmp_path / "b.pte"]
    for file, kept in zip(files, ([], silu_modules(module)), strict=True):
        conversion = Conversion(precision="int8", calibration=images(), keep_float=kept)
        FORMATS["executorch"].write(module, SIZE, file, conversion)
    logits = [load(file)(images()) for file in files]
    assert torch.equal(*logits)


def test_a_file_is_scored_as_a_network_is(small_file: Callable[[str], Path]) -> None:
    file = small_file("onnx")
    labels = eager_logits(small("efficientnet"), images()).argmax(1)
    row = score(load(file), [(images()[:3], labels[:3]), (images()[3:], labels[3:])], 7)
    assert (row["top1"], row["images"], row["device"]) == (1.0, 5, "cpu")


def test_no_path_of_this_machine_is_in_a_file(small_file: Callable[[str], Path]) -> None:
    """torch writes the stack of every operation into ONNX."""
    file = small_file("onnx")
    assert str(ROOT).encode() not in file.read_bytes()


def test_openvino_computes_in_float32_whatever_its_default_is(
    small_file: Callable[[str], Path],
) -> None:
    loaded = load(small_file("openvino"), threads=1)
    (compiled,) = loaded.compiled.values()
    assert compiled.get_property("INFERENCE_PRECISION_HINT").to_string() == "f32"
    assert compiled.get_property("INFERENCE_NUM_THREADS") == 1


def test_openvino_tells_nobody_that_it_is_used() -> None:
    needs("openvino")
    code = (
        "from lit_effnet.deploy.packages import import_optional; "
        "print(import_optional('openvino.tools.ovc').telemetry.__class__.__module__)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "openvino.tools.ovc.telemetry_stub", done.stderr


@pytest.mark.slow
def test_executorch_has_as_many_threads_as_asked_for(small_file: Callable[[str], Path]) -> None:
    file = small_file("executorch")
    bindings = packages.import_optional("executorch.extension.pybindings.portable_lib")
    for threads in (2, 1):
        load(file, threads)
        assert bindings._threadpool_get_thread_count() == threads


@pytest.mark.parametrize(
    ("file", "message"),
    [("a.pt", "file a.pt: must end in one of .onnx, .xml, .pte, .tflite"),
     ("a.onnx", "file a.onnx: no such file")],
)  # fmt: skip
def test_a_file_that_cannot_be_loaded_is_one_line(file: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(Path(file))


@pytest.mark.parametrize("name", list(FORMATS))
def test_a_damaged_file_is_reported_in_one_line(name: str, tmp_path: Path) -> None:
    needs(name)
    if packages.missing([FORMATS[name].runner]):
        pytest.skip(f"needs {FORMATS[name].runner}: {FORMATS[name].install}")
    file = tmp_path / f"a{FORMATS[name].suffix}"
    file.write_bytes(b"this is no network")
    with pytest.raises(ValueError, match=rf"^file {file}: cannot be run \(.+\)$") as raised:
        load(file)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("text", ["[]", "{", '"text"'])
def test_a_description_that_is_none_is_reported_in_one_line(
    text: str, tmp_path: Path, small_file: Callable[[str], Path]
) -> None:
    file = Path(copy(small_file("onnx"), tmp_path))
    metadata_file(file).write_text(text)
    with pytest.raises(ValueError, match=rf"^file {file}: cannot be run \(.+\)$"):
        load(file)
    metadata_file(file).write_text("{}")
    assert load(file).name == "ONNX Runtime"


@pytest.mark.parametrize("name", list(FORMATS))
def test_a_missing_package_is_reported_with_its_installation(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda module: None)
    # Another Python is there only for what `make mobile` brings.
    other = tmp_path / "none" if name == "litert" else Path(sys.executable)
    monkeypatch.setenv(packages.MOBILE_VARIABLE, str(other))
    row = FORMATS[name]
    with pytest.raises(
        ValueError, match=f"format {name}: needs {', '.join(row.writers)}; "
    ) as raised:
        ExportSpec(file=Path(f"a{row.suffix}"), format=name).check()
    assert ("make mobile" if name == "litert" else "pip install") in str(raised.value)
