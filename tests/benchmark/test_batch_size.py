"""Tuning, batch sizes and rows of measurements, with replaced times."""

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lit_effnet.benchmark import autotune, batch_size, runner, schema
from lit_effnet.benchmark.autotune import fastest_configuration
from lit_effnet.benchmark.batch_size import Batch, BenchmarkCall, first_call, grow
from lit_effnet.benchmark.models import BenchmarkModel, ConfiguredModel
from lit_effnet.benchmark.runner import Plan, measure
from lit_effnet.benchmark.tables import latency_table, notes, throughput_table
from lit_effnet.profiling.execution import Configuration, alternatives
from lit_effnet.profiling.latency import Latency
from lit_effnet.profiling.timing import Times, processor_time_counts
from lit_effnet.profiling.utilisation import Peak
from lit_effnet.results.tables.columns import with_ratios
from lit_effnet.scaling.cost import Complexity

NOTHING = Complexity(1, 1, 1)
PLAN = Plan(batch=8, runs=1, rounds=1, training=False, memory=False)


@pytest.fixture(autouse=True)
def known_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the peak, whose measurement takes time."""
    monkeypatch.setattr(schema, "peak", lambda how: Peak(1e12, "made up"))


class Network(nn.Module):
    """Return the means of images; raise an error for more images than it takes."""

    def __init__(self, most: int = 2**30, error: Exception | None = None) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))
        self.most, self.error = most, error
        self.batches: list[int] = []

    def __deepcopy__(self, memo: object) -> "Network":
        return self

    def forward(self, images: Tensor) -> Tensor:
        self.batches.append(len(images))
        if len(images) > self.most:
            raise self.error or RuntimeError("failed")
        return images.mean((2, 3)) * self.scale


def named(name: str, network: nn.Module) -> BenchmarkModel:
    return BenchmarkModel(name, network, 32, NOTHING, False)


def configured(name: str, network: nn.Module, **how: Any) -> ConfiguredModel:
    return ConfiguredModel(named(name, network), Configuration(**how))


@pytest.fixture
def timed(monkeypatch: pytest.MonkeyPatch) -> dict:
    """Replace timing: record what is timed, and return the durations in `times`."""
    seen: dict = {"times": {}, "threads": []}

    def alternating(ways: dict, runs: int, warm_up: int, device: str) -> dict:
        seen["ways"] = list(ways)
        seen["threads"].append(torch.get_num_threads())
        return {kind: seen["times"][kind] for kind in ways}

    monkeypatch.setattr(autotune, "alternating", alternating)
    return seen


@pytest.mark.parametrize("threads", [1, 3])
def test_the_fastest_correct_configuration_is_chosen(
    timed: dict, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    asked = Configuration("bf16", channels_last=True, threads=threads)
    kinds = list(alternatives(threads, "cpu", compiled=False))
    wrong, by_wall, by_processor, slow = kinds
    # The quickest is wrong; of the others the two clocks name another each.
    for kind, wall, cpu in ((wrong, 1, 1), (by_wall, 2, 9), (by_processor, 9, 2), (slow, 9, 9)):
        timed["times"][kind] = Times([wall], [cpu])
    answers = iter([False, True, True, True])
    monkeypatch.setattr(autotune, "is_correct", lambda *_: next(answers))
    network, before, steps = Network(), torch.get_num_threads(), []
    found = fastest_configuration(named("it", network), asked, compiled=False, step=steps.append)
    assert found == (by_processor if threads == 1 else by_wall)
    assert timed["ways"] == [by_wall, by_processor, slow]
    assert timed["threads"] == [threads]
    assert torch.get_num_threads() == before
    assert set(network.batches) == {1}
    assert steps == [1] * 4


def test_a_network_that_cannot_be_run_keeps_the_requested_configuration() -> None:
    asked = Configuration("bf16", channels_last=True)
    assert fastest_configuration(named("it", Network(most=0)), asked, compiled=False) == asked


def test_processor_time_counts_on_one_thread_of_a_cpu() -> None:
    assert processor_time_counts(1, "cpu")
    assert not processor_time_counts(2, "cpu")
    assert not processor_time_counts(1, "cuda")


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()])
def test_a_batch_is_halved_until_memory_suffices(error: Exception) -> None:
    network = Network(most=2, error=error)
    call = first_call(configured("it", network), Batch(8), "inference")
    assert isinstance(call, BenchmarkCall), call
    assert call.batch == Batch(2, "memory")
    assert network.batches == [8, 4, 2]


def test_a_gpus_batch_grows_until_it_takes_too_long_or_memory_is_short(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def alternating(ways: dict[int, BenchmarkCall], *how: object) -> dict[int, Times]:
        ((images, way),) = ways.items()
        way()
        return {images: Times([100 + images], [0])}  # one image takes nearly as long as many

    monkeypatch.setattr(batch_size, "alternating", alternating)

    def found(network: Network, seconds: float) -> Batch:
        return grow(configured("it", network), Batch(100), "inference", seconds)

    network = Network()
    assert found(network, 10) == Batch(100)
    # The first call of each is not timed: a GPU chooses its kernels in it.
    assert network.batches == [n for n in (1, 2, 4, 8, 16, 32, 64) for _ in range(2)]
    assert found(Network(), 0.3) == Batch(64, "0.3 s for a batch")
    assert found(Network(), 0.2) == Batch(1, "0.2 s for a batch")
    assert found(Network(), 0.01) == Batch(
        1, "0.01 s for a batch"
    )  # a batch has one image at least
    assert found(Network(most=20, error=MemoryError()), 10) == Batch(16, "memory")
    assert found(Network(most=20), 10) == Batch(100)  # the measurement reports the error


def test_other_errors_are_the_reason_at_once() -> None:
    network = Network(most=2)
    assert first_call(configured("it", network), Batch(8), "inference") == ("RuntimeError: failed")
    assert network.batches == [8]
    none = Network(most=0, error=MemoryError())
    assert first_call(configured("it", none), Batch(2), "inference") == "MemoryError: "


def test_a_call_stops_after_its_first_error() -> None:
    calls: list[int] = []

    def once() -> None:
        calls.append(1)
        raise RuntimeError("gone")

    call = BenchmarkCall(once, Batch(1))
    call()
    call()
    assert (call.failure, len(calls)) == ("RuntimeError: gone", 1)


def test_rows_have_figures_or_reasons() -> None:
    good, bad, small = Network(), Network(most=0), Network(most=1)
    networks = {"bad": bad, "good": good, "small": small}
    rows = measure([configured(*item) for item in networks.items()], PLAN)
    first = next(rows)
    assert first["latency"] == first["inference"] == "RuntimeError: failed"
    second, third = rows
    assert second["inference"]["batch"] == 8
    assert third["latency"]["median_ms"] > 0
    assert third["inference"] == "RuntimeError: failed"
    measured = [first, second, third]
    assert [row["ratio"] for row in with_ratios(measured)][:2] == [None, 1]
    assert len(latency_table(measured).rows) == len(throughput_table(measured).rows) == 3
    lines = list(notes(measured))
    assert "bad cannot be run: RuntimeError: failed." in lines
    assert "small, inference: RuntimeError: failed." in lines
    assert list(notes([first]))[-1] == "bad cannot be run: RuntimeError: failed."


def row(threads: int, device: str = "cpu", **changes: float) -> dict:
    times = Times([changes.get("wall", 10)], [changes.get("cpu", 4)])
    figures = asdict(Latency.of(times, threads, "float32", torch.device(device)))
    cpu = figures["cpu_ms"] if processor_time_counts(threads, device) else None
    return {"name": "it", "latency": {**figures, "cpu_ms": cpu}}


@pytest.mark.parametrize(
    ("first", "second", "ratio"),
    [
        (row(1), row(1, wall=30, cpu=8), 2),
        (row(2), row(2, wall=30, cpu=8), 3),
        (row(1, "cuda"), row(1, wall=30, cpu=8), 3),
    ],
)
def test_ratios_compare_processor_time_where_all_have_one(
    first: dict, second: dict, ratio: float
) -> None:
    assert [one["ratio"] for one in with_ratios([first, second])] == [1, ratio]


def test_a_note_names_the_clock_of_the_ratios() -> None:
    (measured,) = measure([configured("it", Network())], PLAN)
    assert any("processor time" in line for line in notes([measured]))
    (measured,) = measure([configured("it", Network(), threads=2)], PLAN)
    assert "Ratios compare wall time." in list(notes([measured]))


def test_devices_that_differ_are_named_for_each_network() -> None:
    (measured,) = measure([configured("it", Network())], PLAN)
    lines = list(notes([measured, {**measured, "name": "other", "device": "A GPU"}]))
    assert lines[0].startswith(f"{measured['device']}; A GPU, 1 thread; configurations as below;")
    assert "other: float32, NCHW, eager, on A GPU" in lines


def test_timing_waits_for_a_gpu_beside_a_file_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    devices: list[str] = []

    def alternating(ways: dict[str, Callable], *how: object) -> dict[str, Times]:
        devices.append(str(how[2]))
        return {name: Times([1.0], [1.0]) for name in ways}

    monkeypatch.setattr(runner, "alternating", alternating)
    monkeypatch.setattr(
        runner, "first_call", lambda model, batch, work: BenchmarkCall(print, batch)
    )
    on_gpu = Configuration(device="cuda")
    file = replace(named("file", Network()), complexity=None)
    models = {
        model.name: ConfiguredModel(model, model.configuration(on_gpu))
        for model in (file, named("it", Network()))
    }
    found = runner.time_in_turn(
        models, dict.fromkeys(models, Batch(1)), "inference", runs=1, warm_up=0, done=print
    )
    assert devices == ["cuda"]
    assert found["file"] == (Times([1.0], [1.0]), Batch(1))
