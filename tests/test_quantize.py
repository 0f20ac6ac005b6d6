"""`python -m lit_effnet.quantize` as a person types it."""

import json
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lit_effnet import quantize
from lit_effnet.deploy import packages, quantize_job, variant_rows, variants
from lit_effnet.deploy.base import BuiltNetwork, Quantizer, RuntimeModule
from lit_effnet.deploy.registry import RUNTIMES, Runtime, by_backend
from lit_effnet.runs.provenance import cpu_name
from tests.conftest import HUNG_S, start

QUICK = ("--runs_timed=2", "--calibration=16", "--backends=rounding")


def run(*arguments: object) -> int:
    with pytest.raises(SystemExit) as end:
        quantize.main([str(argument) for argument in arguments])
    return int(end.value.code or 0)


def rows(folder: Path) -> list[dict]:
    file = folder / "evaluations.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()]


class Rounded(RuntimeModule):
    def __init__(self, network: nn.Module, step: float) -> None:
        super().__init__("rounding", 1)
        self.held, self.step = [network], step

    def forward(self, images: Tensor) -> Tensor:
        with torch.inference_mode():
            logits: Tensor = self.held[0](images)
        return (logits / self.step).round() * self.step if self.step else logits


class Rounding(Quantizer):
    """Rounds logits, so that the command needs no other runtime."""

    calls: Sequence[tuple[int, str, tuple[str, ...]]] = ()

    def build_float(self, precision: str = "float32") -> BuiltNetwork:
        return BuiltNetwork(Rounded(self.network, 0), 4000)

    def build_int8(
        self, batches: Sequence[Tensor], method: str, keep_float: Sequence[str]
    ) -> BuiltNetwork:
        if method == "mse" and not keep_float:
            raise RuntimeError("no such\nkernel")
        type(self).calls = [*self.calls, (sum(map(len, batches)), method, tuple(keep_float))]
        return BuiltNetwork(Rounded(self.network, 0.5), 1000)


ROUNDING = Runtime(
    name="rounding",
    title="Rounding",
    runner="torch",
    quantizers={"rounding": Rounding},
    methods=("min-max", "mse"),
)


@pytest.fixture(autouse=True)
def rounding(monkeypatch: pytest.MonkeyPatch) -> type[Rounding]:
    """`rounding` is among the backends."""
    monkeypatch.setattr(Rounding, "calls", [])
    monkeypatch.setitem(RUNTIMES, "rounding", ROUNDING)
    return Rounding


def test_every_variant_has_a_row_of_one_schema(
    trained: Path, capsys: pytest.CaptureFixture
) -> None:
    assert run(trained, *QUICK, "--keep_float=nothing,se,se+worst", "--worst=2") == 0
    clean, *found = rows(trained)
    assert clean["condition"] == "clean"
    assert [(row["condition"], row["parameters"].get("kept")) for row in found] == [
        ("float32 by PyTorch eager", None),
        ("float32 by Rounding", None),
        ("int8", "nothing"),
        ("int8", "se"),
        ("int8", "se+worst"),
    ]
    assert {tuple(row) for row in found} == {tuple(found[0])}
    assert set(clean) < set(found[0])
    assert {row["clean"] for row in found} == {clean["id"]}
    assert len({row["id"] for row in found}) == 5
    eager, in_float, nothing, se, worst = found
    assert eager["agreement"] == in_float["agreement"] == 1
    assert in_float["snr_db"] is None
    assert nothing["snr_db"] > 10
    assert nothing["parameters"] | {"calibrated_on_fingerprint": ""} == {
        "backend": "rounding",
        "precision": "int8",
        "method": "min-max",
        "kept": "nothing",
        "worst": None,
        "images": 16,
        "seed": 0,
        "outliers": 0.05,
        "calibrated_on": "photos",
        "calibrated_on_fingerprint": "",
    }
    assert eager["parameters"] == {"backend": "eager", "precision": "float32"}
    assert in_float["parameters"] == {"backend": "rounding", "precision": "float32"}
    assert nothing["versions"] == {"torch": version("torch")}
    assert nothing["kept_layers"] == []
    assert len(se["kept_layers"]) == 8
    assert len(worst["kept_layers"]) == 10
    for row in found:
        assert set(row["latency"]) == {"1", "32"}
        for batch, timing in row["latency"].items():
            assert timing["batch"] == int(batch)
            assert (timing["runs"], timing["threads"]) == (2, 1)
            assert timing["processor"] == cpu_name()
    assert eager["latency"]["32"]["eager_over_this"] == 1
    table = capsys.readouterr().out
    body = table[table.index("48 px") : table.index("540 images of")]
    assert 70 < max(len(line.rstrip()) for line in body.splitlines()) <= 80
    for text in (
        "se + worst",
        "eager",
        "Calibrated on 16 images of photos train, seed 0, without the 5 %",
    ):
        assert text in table


def test_a_variant_with_a_row_is_not_repeated_unless_asked(
    trained: Path, rounding: type[Rounding], capsys: pytest.CaptureFixture
) -> None:
    assert run(trained, *QUICK, "--keep_float=nothing") == 0
    first = rows(trained)
    assert run(trained, *QUICK, "--keep_float=nothing") == 0
    assert rows(trained) == first
    assert "0 of 3 variants" in capsys.readouterr().out
    assert run(trained, *QUICK, "--keep_float=nothing", "--calibration_seed=1") == 0
    assert len(rows(trained)) == len(first) + 1
    assert len(rounding.calls) == 2
    assert run(trained, *QUICK, "--keep_float=nothing", "--overwrite=true") == 0
    assert len(rounding.calls) == 3
    assert len(rows(trained)) == len(first) + 1


@pytest.mark.parametrize(
    ("flags", "other"),
    [
        (("--runs_timed=3",), {}),
        (("--keep_freed_memory=false",), {}),
        ((), {"cpu_name": lambda: "another processor"}),
    ],
)
def test_a_row_timed_elsewhere_is_timed_again_and_not_evaluated(
    flags: tuple[str, ...],
    other: dict,
    trained: Path,
    capsys: pytest.CaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("lit_effnet.runs.machine.keep_freed_memory", lambda: True)
    assert run(trained, *QUICK, "--keep_float=nothing") == 0
    first = rows(trained)
    for name, value in other.items():
        monkeypatch.setattr(quantize_job, name, value)
    quick = [flag for flag in QUICK if flag.split("=")[0] not in "".join(flags)]
    assert run(trained, *quick, *flags, "--keep_float=nothing") == 0
    assert "0 of 3 variants to be done, 3 to be timed" in capsys.readouterr().out
    again = rows(trained)
    without = [{k: v for k, v in row.items() if k != "latency"} for row in again]
    assert without == [{k: v for k, v in row.items() if k != "latency"} for row in first]
    assert [row["evaluated"] for row in again] == [row["evaluated"] for row in first]
    assert run(trained, *quick, *flags, "--keep_float=nothing") == 0
    assert "0 of 3 variants to be done\n" in capsys.readouterr().out
    assert rows(trained) == again


def test_more_rounds_than_are_asked_for_are_enough(trained: Path) -> None:
    assert run(trained, *QUICK, "--keep_float=nothing") == 0
    first = rows(trained)
    assert run(trained, *QUICK[1:], "--runs_timed=1", "--kept=nothing") == 0  # its old name
    assert rows(trained) == first


@pytest.mark.parametrize("changed", ["versions", "method_number"])
def test_another_version_or_meaning_is_another_row(
    changed: str, trained: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    assert run(trained, *QUICK, "--keep_float=nothing") == 0
    if changed == "versions":
        monkeypatch.setattr(variants, "version", lambda package: "0.1")
    else:
        number = variant_rows.METHOD_NUMBER + 1
        monkeypatch.setattr(variant_rows, "METHOD_NUMBER", number)
    assert run(trained, *QUICK, "--keep_float=nothing") == 0
    assert "3 of 3 variants to be done" in capsys.readouterr().out
    _, *found = rows(trained)
    assert len(found) == 6
    assert found[0][changed] != found[3][changed]


def test_rows_of_two_timings_are_distinguished(
    trained: Path, capsys: pytest.CaptureFixture
) -> None:
    assert run(trained, *QUICK, "--keep_float=nothing") == 0
    assert "were timed in" not in capsys.readouterr().out
    assert run(trained, *QUICK, "--keep_float=nothing,se") == 0
    assert "The variants were timed in 2 calls of this command, on" in capsys.readouterr().out


def test_parts_without_effect_give_no_variant(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RUNTIMES, "rounding", replace(ROUNDING, keep_float=("se",)))
    assert run(trained, *QUICK, "--keep_float=nothing,silu,se,se+silu") == 0
    kept = [row["parameters"].get("kept") for row in rows(trained)[1:]]
    assert kept == [None, None, "nothing", "se"]


def test_a_variant_that_fails_leaves_the_others_and_the_status(
    trained: Path, capsys: pytest.CaptureFixture
) -> None:
    assert run(trained, *QUICK, "--methods=mse", "--keep_float=nothing,se") == 1
    assert [row["parameters"].get("kept") for row in rows(trained)[1:]] == [None, None, "se"]
    assert capsys.readouterr().err.splitlines()[-1] == (
        "failed: rounding mse nothing: no such kernel; the others go on"
    )


def test_ctrl_c_keeps_what_has_a_row(
    trained: Path, rounding: type[Rounding], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> BuiltNetwork:
        raise KeyboardInterrupt

    monkeypatch.setattr(rounding, "build_int8", stop)
    assert run(trained, *QUICK) == 130
    assert [row["latency"] for row in rows(trained)[1:]] == [None, None]
    monkeypatch.undo()
    assert {row["condition"] for row in rows(trained)} >= {"clean", "float32 by Rounding"}


def test_sensitivity_is_a_table_a_figure_and_its_numbers(
    trained: Path, capsys: pytest.CaptureFixture
) -> None:
    assert run(trained, *QUICK, "--keep_float=nothing", "--sensitivity=block") == 0
    assert "sensitivity by block" in capsys.readouterr().out
    files = sorted(path.name for path in (trained / "quantization").iterdir())
    assert files == [f"sensitivity_by_block.{ending}" for ending in ("json", "png", "svg")]
    numbers = json.loads((trained / "quantization" / files[0]).read_text())
    assert len(numbers) == 11
    assert {tuple(part) for part in numbers} == {("name", "layers", "snr_db", "agreement")}


def test_other_images_to_calibrate_on_are_named(trained: Path, own_images: Path) -> None:
    flags = (*QUICK, "--keep_float=nothing", f"--calibration_data.name={own_images}")
    assert run(trained, *flags) == 0
    parameters = rows(trained)[-1]["parameters"]
    assert (parameters["calibrated_on"], parameters["images"]) == (str(own_images), 16)
    assert rows(trained)[-1]["data"] == "photos"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--backends=tflite"],
            "error: --backends 'tflite': must be among onnxruntime, openvino_mixed, openvino_performance, torchao",
        ),
        (["--backends=,"], "error: --backends ',': must name at least one"),
        (["--methods=median"], "error: --methods 'median': must be among min-max, mse"),
        (
            ["--keep_float=gates"],
            "error: --keep_float 'gates': must be nothing, or se, silu, worst joined by +",
        ),
        (["--calibration=0"], "error: --calibration 0: must be at least 1 image"),
        (["--worst=0"], "error: --worst 0: must be at least 1 layer"),
        (["--runs_timed=0"], "error: --runs_timed 0: must be at least 1"),
        (["--device=cuda"], "error: --device cuda: INT8 runs and is timed on cpu only"),
        (
            ["--split=train"],
            "error: --split train: is the one that int8 is calibrated on; name another split",
        ),
        (["--split=holdout"], "error: --split holdout: photos has only train, validation, test"),
        (
            ["--calibration_data.path=x"],
            "error: --calibration_data.name null: must name the data set that the path is of",
        ),
        (["--sensitivity=channel"], "error: --sensitivity: 'channel' must be layer, block or null"),
        (["--callibration=3"], "error: unknown flag --callibration; nearest: --calibration"),
    ],
)
def test_bad_input_is_one_line(
    trained: Path, flags: list[str], message: str, capsys: pytest.CaptureFixture
) -> None:
    quick = [flag for flag in QUICK if flag.split("=")[0] not in {f.split("=")[0] for f in flags}]
    assert run(trained, *quick, *flags) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(message)


def test_a_backend_whose_package_is_missing_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda package: None)
    with pytest.raises(ValueError, match=r"'onnxruntime': needs onnxruntime and .*\[int8\]"):
        by_backend("onnxruntime")


def test_help_needs_no_heavy_package() -> None:
    process = start("--help", command="quantize")
    out, error = process.communicate(timeout=HUNG_S)
    assert process.returncode == 0, error
    assert "--calibration_data.name" in out
    assert "--kept" not in out  # the old name of --keep_float


@pytest.mark.slow
def test_int8_of_three_programs(trained: Path) -> None:
    for package in ("openvino", "nncf", "onnxruntime", "onnxscript"):
        pytest.importorskip(package)
    assert run(trained, "--runs_timed=2", "--keep_float=nothing,se", "--calibration=64") == 0
    found = [row for row in rows(trained) if row["condition"] == "int8"]
    assert len(found) == 6
    assert all(row["agreement"] > 0.7 for row in found)
    mixed = [row for row in found if row["parameters"]["backend"] == "openvino_mixed"]
    assert all(row["agreement"] > 0.9 for row in mixed)
