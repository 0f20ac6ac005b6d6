"""The command `python -m lit_effnet.measure`."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from lit_effnet import measure
from lit_effnet.benchmark.batch_size import Batch, limit_by_memory, limit_by_time
from lit_effnet.benchmark.models import load_model
from lit_effnet.cli.rows_file import keep
from lit_effnet.network.golden import golden_complexity
from lit_effnet.profiling.execution import Configuration
from lit_effnet.profiling.utilisation import Peak
from lit_effnet.runs.exit_status import INTERRUPTED
from tests.benchmark.test_device_logs import ANDROID

QUICK = ["--runs=2", "--rounds=1", "--batch=2", "--memory=false"]


def run(*arguments: object) -> int:
    try:
        measure.main([str(argument) for argument in arguments])
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture
def known_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the peak, whose measurement takes time."""
    monkeypatch.setattr("lit_effnet.benchmark.schema.peak", lambda how: Peak(1e12, "made up"))


def rows(file: Path) -> list[dict]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_networks_are_measured_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
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
        figures = first[work]
        assert (figures["batch"], figures["limited_by"], figures["rounds"]) == (2, None, 1)
        assert figures["images_per_s"] > 0
        assert 0 < figures["utilisation"] < 1.5
        assert figures["peak_source"].startswith("measured: a ")
    out = capsys.readouterr().out
    assert "params" in out
    assert "images/s" in out
    assert "1 thread; float32, channels-last, eager; networks timed in turn" in " ".join(
        out.split()
    )
    assert run("b0", "--image_size=64", "--training=false", *QUICK, "--output", file) == 0
    assert len(rows(file)) == 3
    assert "training" not in rows(file)[2]


@pytest.mark.parametrize("name", ["b0", "b3", "lite0", "lite4", "resnet50", "nasnet_large"])
def test_a_named_network_costs_what_the_golden_table_says(name: str) -> None:
    result, golden = load_model(name), golden_complexity()[name]
    assert result.image_size == golden["image_size"]
    assert (result.complexity.params, result.complexity.macs) == (golden["params"], golden["macs"])
    assert not result.trained


def test_flags_of_scaling_in_one_word_are_a_name(trained: Path) -> None:
    wide = load_model("axis=width,budget=2")
    assert 1.9 < wide.complexity.macs / load_model("baseline").complexity.macs < 2.1
    assert load_model("resolution=1.5").image_size == 336
    of_run = load_model(str(trained))
    assert (of_run.trained, of_run.image_size) == (True, 48)


def test_a_batch_is_limited_by_time_and_memory() -> None:
    assert limit_by_time(Batch(64), 1, "inference", latency_ms=1) == Batch(64, None)
    assert limit_by_time(Batch(64), 1, "inference", 100) == Batch(8, "1 s for a batch")
    assert limit_by_time(Batch(64), 1, "training", 100) == Batch(2, "1 s for a batch")
    assert limit_by_memory(load_model("b0", 32), 2**40, "training", "cpu").limited_by == "memory"


@pytest.mark.usefixtures("known_peak")
def test_the_fastest_configuration_is_used_and_named(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = Configuration("bf16", channels_last=False)
    monkeypatch.setattr(
        "lit_effnet.benchmark.autotune.fastest_configuration", lambda model, asked, **_: chosen
    )
    file = tmp_path / "rows.jsonl"
    words = ["baseline", "--image_size=32", "--tune=true", "--training=false"]
    assert run(*words, *QUICK, "--output", file) == 0
    (row,) = rows(file)
    assert (row["precision"], row["layout"], row["tuned_at_batch"]) == ("bf16", "NCHW", 1)
    out = " ".join(capsys.readouterr().out.split())
    assert "bf16, NCHW, eager" in out
    assert "fastest correct configuration at batch 1" in out


@pytest.mark.usefixtures("known_peak")
def test_a_failure_is_a_reason_in_the_row_beside_the_other_figures(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    file = tmp_path / "rows.jsonl"
    words = ["baseline", "mobilenetv2", "--image_size=32", "--runs=1", "--rounds=1"]
    # Batch norm needs two values of a channel, and there is one image of one pixel left.
    assert run(*words, "--batch=1", "--memory=false", "--output", file) == 0
    first, second = rows(file)
    for row in (first, second):
        assert row["inference"]["images_per_s"] > 0
        assert row["training"].startswith("ValueError: Expected more than 1 value per channel")
    out = " ".join(capsys.readouterr().out.split())
    assert "baseline, training: ValueError: Expected more than 1 value per channel" in out


def test_a_run_is_measured_without_its_images(trained: Path, tmp_path: Path) -> None:
    (trained / "config.yaml").unlink()
    result = load_model(str(trained))
    assert (result.trained, result.image_size) == (True, 48)
    last = load_model(str(trained / "checkpoints" / "last.ckpt"))
    assert last.complexity == result.complexity


def test_rows_that_are_done_are_saved_after_a_stop(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> Iterator[dict]:
        yield {"name": "baseline"}
        raise KeyboardInterrupt

    monkeypatch.setattr("lit_effnet.benchmark.runner.measure", stopped)
    file = tmp_path / "rows.jsonl"
    assert run("baseline", "--image_size=32", "--output", file) == INTERRUPTED
    assert rows(file) == [{"name": "baseline"}]
    assert f"stopped; rows of baseline are in {file}" in capsys.readouterr().err


def test_two_measurements_at_once_lose_no_row(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    with ThreadPoolExecutor(8) as pool:
        for _ in pool.map(lambda number: keep(file, [{"number": number}]), range(40)):
            pass
    assert sorted(row["number"] for row in rows(file)) == list(range(40))


def test_bad_input_leaves_no_file_and_no_folder(tmp_path: Path) -> None:
    assert run("b00", "--output", tmp_path / "new" / "deeper" / "rows.jsonl") == 2
    assert list(tmp_path.iterdir()) == []
    assert run("b00", "--output", tmp_path) == 2


@pytest.mark.usefixtures("known_peak")
def test_the_number_of_threads_is_restored(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    other = before + 1
    words = ["baseline", "--image_size=32", "--training=false", f"--threads={other}"]
    file = tmp_path / "rows.jsonl"
    assert run(*words, *QUICK, "--output", file) == 0
    assert torch.get_num_threads() == before
    (row,) = rows(file)
    # The processor's time of several threads is a sum.
    assert (row["threads"], row["latency"]["cpu_ms"]) == (other, None)
    assert row["inference"]["cpu_ms"] is None


@pytest.mark.usefixtures("known_peak")
def test_memory_is_measured_in_processes_of_their_own(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    quick = ["--runs=1", "--rounds=1", "--batch=2", "--training=false"]
    assert run("baseline", "--image_size=64", *quick, "--output", file) == 0
    figures = rows(file)[0]["inference"]["memory"]
    assert figures["above_bytes"] > 4 * 5_288_548  # the weights alone
    assert figures["counter"] == "peak resident memory of a process of its own"


@pytest.mark.slow
@pytest.mark.usefixtures("known_peak")
def test_an_exported_file_is_measured_beside_its_network(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    pytest.importorskip("onnxruntime", reason='needs the extra "export"')
    from lit_effnet import export

    file, kept = tmp_path / "it.onnx", tmp_path / "rows.jsonl"
    export.main([str(trained), "--format=onnx", f"--output={file}", "--images=8"])
    assert run(trained, file, "--precision=bf16", *QUICK, "--output", kept) == 0
    network, exported = rows(kept)
    assert (exported["precision"], exported["macs"]) == ("ONNX Runtime float32", None)
    assert (exported["latency"]["precision"], exported["layout"]) == ("float32", "NCHW")
    assert (network["latency"]["precision"], network["layout"]) == ("bf16", "channels-last")
    assert exported["inference"]["utilisation"] is None
    assert "training" in network
    assert "training" not in exported
    assert "ONNX Runtime float32" in capsys.readouterr().out
    on_gpu = Configuration("fp16", channels_last=True, compiled=True, threads=2, device="cuda")
    assert load_model(str(file)).configuration(on_gpu) == Configuration(threads=2)
    assert run(file, "--image_size=64") == 2
    assert "takes 48 pixels only" in capsys.readouterr().err


def test_logs_of_other_devices_are_shown_and_saved(
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
