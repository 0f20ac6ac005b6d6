"""Bad input of `python -m lit_effnet.measure`."""

from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.test_measure import run


@pytest.mark.parametrize(
    ("beside", "message"),
    [
        ("{}", "it.onnx.json: does not describe it.onnx (KeyError: 'precision')"),
        ("[1]", "does not describe it.onnx (TypeError: "),
        ("none", "it.onnx.json: is no JSON, or not all of it ("),
        (None, "it.onnx.json is missing, which has its image size"),
        (
            '{"precision": "float32", "preprocessing": {"image_size": 48}}',
            "it.onnx: cannot be ",
        ),
    ],
)
def test_a_broken_file_is_one_line(
    tmp_path: Path, capfd: pytest.CaptureFixture, beside: str | None, message: str
) -> None:
    pytest.importorskip("onnxruntime", reason='needs the extra "export"')
    file = tmp_path / "it.onnx"
    file.write_bytes(b"garbage")
    if beside is not None:
        (tmp_path / "it.onnx.json").write_text(beside)
    assert run(file) == 2
    error = capfd.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1


def test_a_run_without_a_whole_record_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    (tmp_path / "run.json").write_text("{}")
    assert run(tmp_path) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith(f"error: {tmp_path}")
    assert len(error.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "error: names: must be one network at least"),
        (["--from_log", "README.md"], "error: --device_name null: must name the device"),
        (
            ["--from_log", "README.md", "--device_name=it"],
            "error: --from_log README.md: must be the output of a known benchmark program",
        ),
        (["--from_log", "no.log", "--device_name=it"], "error: --from_log no.log: cannot be read"),
        (["efficientdet_d0"], "cannot be measured; `python -m lit_effnet.scale --network"),
        (["amoebanet_b"], "cannot be measured; `python -m lit_effnet.scale --network"),
        (["b00"], "b00: no such file, folder or name; nearest: b0"),
        (["b0", "--batch=0"], "error: --batch 0: must be at least 1"),
        (["b0", "--runs=0"], "error: --runs 0: must be at least 1"),
        (["b0", "--seconds=0"], "error: --seconds 0.0: must be above 0"),
        (["b0", "--threads=0"], "error: --threads 0: must be at least 1"),
        (["b0", "--image_size=0"], "error: --image_size 0: must be at least 1 pixel"),
        (["b0", "--precision=int4"], "'int4' must be float32, bf16, fp16"),
        (["depht=2"], "depht"),
        (["b0", "--output=/proc/none/rows"], "error: --output /proc/none/rows: cannot be written"),
        (["b0", "--device=cuda:7"], "error: --device cuda:7: is not on this machine"),
        (["b0", "--device=meta"], "error: --device meta: must be cpu or cuda"),
        (["no.onnx"], "no.onnx: no such file"),
    ],
)
def test_bad_input_is_one_line_and_status_2(
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(ROOT)
    assert run(*arguments) == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1
