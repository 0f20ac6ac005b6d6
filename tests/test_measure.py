"""`python -m lit_effnet.measure` as a person types it."""

import json
from pathlib import Path

import pytest

from lit_effnet import measure
from lit_effnet.candidates import candidate
from lit_effnet.measuring import Batch, Plan, limited
from lit_effnet.network.golden import golden_complexity

from .conftest import ROOT
from .evaluation.test_device_logs import ANDROID

QUICK = ["--runs=2", "--rounds=1", "--batch=2", "--memory=false"]


def run(*arguments: object) -> int:
    try:
        measure.main([str(argument) for argument in arguments])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


def rows(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_networks_stand_side_by_side_and_their_rows_say_how_they_were_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    file = tmp_path / "new" / "rows.jsonl"
    assert run("b0", "mobilenetv3_large", "--image_size=64", *QUICK, "--output", file) == 0
    first, second = rows(file)
    assert (first["name"], second["name"]) == ("b0", "mobilenetv3_large")
    assert (first["precision"], first["layout"], first["threads"]) == (
        "float32",
        "channels-last",
        1,
    )
    assert first["latency"]["runs"] == 2
    for work in ("inference", "training"):
        told = first[work]
        assert (told["batch"], told["limited_by"], told["rounds"]) == (2, None, 1)
        assert told["images_per_s"] > 0
        assert 0 < told["utilisation"] < 1.5
        assert told["peak_source"].startswith("measured: a product of")
    out = capsys.readouterr().out
    assert "x first" in out
    assert "1 thread; float32, channels-last, eager; all timed in turn" in " ".join(out.split())
    assert run("b0", "--image_size=64", "--training=false", *QUICK, "--output", file) == 0
    assert len(rows(file)) == 3
    assert "training" not in rows(file)[2]


@pytest.mark.parametrize("name", ["b0", "b3", "lite0", "lite4", "resnet50", "nasnet_large"])
def test_a_named_network_costs_what_the_golden_table_says(name: str) -> None:
    found, golden = candidate(name), golden_complexity()[name]
    assert found.image_size == golden["image_size"]
    assert (found.complexity.params, found.complexity.macs) == (golden["params"], golden["macs"])
    assert not found.trained


def test_flags_of_scaling_in_one_word_are_a_name(trained: Path) -> None:
    wide = candidate("axis=width,budget=2")
    assert 1.9 < wide.complexity.macs / candidate("baseline").complexity.macs < 2.1
    assert candidate("resolution=1.5").image_size == 336
    of_run = candidate(str(trained))
    assert (of_run.trained, of_run.image_size) == (True, 48)


def test_a_batch_that_takes_too_long_is_made_smaller_and_says_so() -> None:
    found = candidate("b0", 32)
    plan = Plan(batch=64, seconds=1)
    assert limited(found, plan, "inference", "cpu", latency_ms=1) == Batch(64, None)
    assert limited(found, plan, "inference", "cpu", 100) == Batch(8, "1 s for a batch")
    assert limited(found, plan, "training", "cpu", 100) == Batch(2, "1 s for a batch")
    huge = Plan(batch=2**40, seconds=1e12)
    assert limited(found, huge, "training", "cpu", 1).limited_by == "memory"


def test_the_fastest_correct_configuration_is_found_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    file = tmp_path / "rows.jsonl"
    words = ["b0", "lite0", "--image_size=64", "--tune=true", "--training=false"]
    assert run(*words, *QUICK, "--output", file) == 0
    assert all(row["precision"] in ("float32", "bf16") for row in rows(file))
    assert rows(file)[0]["layout"] in capsys.readouterr().out


def test_memory_is_measured_in_processes_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    quick = ["--runs=1", "--rounds=1", "--batch=2", "--training=false"]
    assert run("baseline", "--image_size=64", *quick, "--output", file) == 0
    told = rows(file)[0]["inference"]["memory"]
    assert told["above_bytes"] > 4 * 5_288_548  # the weights alone
    assert told["counter"] == "peak resident memory of a process of its own"


def test_an_exported_file_stands_beside_its_network(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip("onnxruntime", reason='needs the extra "export"')
    from lit_effnet import export

    file, kept = tmp_path / "it.onnx", tmp_path / "rows.jsonl"
    export.main([str(trained), "--format=onnx", f"--output={file}", "--images=8"])
    assert run(trained, file, *QUICK, "--output", kept) == 0
    network, exported = rows(kept)
    assert (exported["precision"], exported["macs"]) == ("ONNX Runtime float32", None)
    assert exported["inference"]["utilisation"] is None
    assert "training" in network
    assert "training" not in exported
    assert "ONNX Runtime float32" in capsys.readouterr().out
    assert run(file, "--image_size=64") == 2
    assert "takes 48 pixels and no others" in capsys.readouterr().err


def test_logs_of_other_devices_stand_in_a_table_with_the_device_named(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    log, file = tmp_path / "lite0.log", tmp_path / "rows.jsonl"
    log.write_text(ANDROID)
    words = ["--from_log", log, "--device_name", "Pixel 4", "--output", file]
    assert run(*words) == 0
    out = capsys.readouterr().out
    assert "Pixel 4" in out
    assert "12.31" in out
    assert (rows(file)[0]["device"], rows(file)[0]["median_ms"]) == ("Pixel 4", 12.31)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "error: names: must be one network at least"),
        (["--from_log", "README.md"], "error: --device_name null: must name the device"),
        (
            ["--from_log", "README.md", "--device_name=it"],
            "error: --from_log README.md: neither benchmark_model's output",
        ),
        (["--from_log", "no.log", "--device_name=it"], "error: --from_log no.log: cannot be read"),
        (["efficientdet_d0"], "is not measured here; `python -m lit_effnet.scale --network"),
        (["amoebanet_b"], "is not measured here; `python -m lit_effnet.scale --network"),
        (["b00"], "b00: no such file, folder or name"),
        (["b0", "--batch=0"], "error: --batch 0: must be at least 1"),
        (["b0", "--runs=0"], "error: --runs 0: must be at least 1"),
        (["b0", "--seconds=0"], "error: --seconds 0.0: must be above 0"),
        (["b0", "--threads=0"], "error: --threads 0: must be at least 1"),
        (["b0", "--image_size=0"], "error: --image_size 0: must be at least 1 pixel"),
        (["b0", "--precision=int4"], "'int4' must be float32, bf16, fp16"),
        (["depht=2"], "depht"),
        (["b0", "--output=/proc/none/rows"], "error: --output /proc/none/rows: cannot be written"),
        (["b0", "--device=cuda:7"], "error: --device cuda:7: is not on this machine"),
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
