"""What is measured is what its name says; nothing here depends on how quick the machine is."""

from pathlib import Path

import pytest
import torch
from torch import nn

from lit_effnet.network.registry import build
from lit_effnet.profiling.energy import RaplCounter, energy_counter, images_per_wh
from lit_effnet.profiling.execution import Configuration, alternatives, is_correct
from lit_effnet.profiling.memory import PeakMemory, peak_memory
from lit_effnet.profiling.timing import alternating, torch_threads
from lit_effnet.profiling.utilisation import Peak, measured_peak, utilisation
from lit_effnet.scaling.compound import Scaling


def small() -> nn.Module:
    torch.manual_seed(0)
    return build("efficientnet", Scaling(0.3, 0.25), 5).eval()


def test_ways_are_called_in_turn_and_warm_up_is_not_counted() -> None:
    calls: list[str] = []
    ways = {name: lambda name=name: calls.append(name) for name in "ab"}
    steps: list[int] = []
    times = alternating(ways, runs=3, warm_up=2, done=steps.append)
    assert calls == ["a", "b"] * 5
    assert [len(times[name].walls) for name in "ab"] == [3, 3]
    assert sum(steps) == 10
    low, median, high = times["a"].percentiles()
    assert low <= median <= high


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_a_configuration_gives_float32s_logits_as_far_as_it_can(
    precision: str, channels_last: bool
) -> None:
    network = small()
    how = Configuration(precision, channels_last)
    images = how.images(2, 64)
    assert images.is_contiguous(memory_format=how.memory_format)
    logits = how.inference(how.prepare(network), images)()
    with torch.no_grad():
        expected = network(images)
    assert logits.dtype == torch.float32
    assert is_correct(logits, expected, how.precision)
    assert not is_correct(logits + expected.abs().max(), expected, how.precision)


def test_preparing_leaves_the_network_as_it_was() -> None:
    network = small().train()
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    how = Configuration(channels_last=True)
    how.training(how.prepare(network), how.images(2, 64))()
    assert network.training
    assert all(torch.equal(before[key], tensor) for key, tensor in network.state_dict().items())
    assert all(parameter.grad is None for parameter in network.parameters())


def test_a_training_step_computes_all_gradients() -> None:
    how = Configuration()
    prepared = how.prepare(small())
    how.training(prepared, how.images(2, 64))()
    assert all(parameter.grad is not None for parameter in prepared.parameters())


def test_the_configurations_that_are_tried_are_those_of_the_device() -> None:
    kinds = list(alternatives(1, "cpu", compiled=False))
    assert len(kinds) == len(set(kinds)) == 4
    assert len(list(alternatives(1, "cpu", compiled=True))) == 8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"precision": "int4"}, "precision 'int4': must be one of float32, bf16, fp16"),
        ({"threads": 0}, "threads 0: must be at least 1"),
    ],
)
def test_a_bad_configuration_is_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Configuration(**options)


def test_peak_memory_grows_with_the_batch_and_holds_what_must_live() -> None:
    network = small()
    few, many = (peak_memory(network, Configuration(), batch, 128, "training") for batch in (2, 16))
    assert isinstance(few, PeakMemory), few
    assert isinstance(many, PeakMemory), many
    # The stem's output and its gradient at least: 8 channels of 64 x 64, for each image.
    assert many.above_bytes - few.above_bytes > 14 * 2 * 4 * 8 * 64 * 64
    assert many.process_bytes > many.above_bytes
    assert few.above_bytes > 4 * sum(parameter.numel() for parameter in network.parameters())


def test_what_stops_a_measurement_of_memory_is_its_reason() -> None:
    found = peak_memory(nn.Linear(3, 3), Configuration(), 1, 64, "inference")
    assert isinstance(found, str)
    assert found.startswith("RuntimeError: ")


def test_a_product_or_a_convolution_uses_the_peak_up() -> None:
    """The peak is the better one's: of another size it reaches much of it, and neither more."""
    top = measured_peak("float32", 1, "cpu")
    assert top.source.startswith("measured: a ")
    side, channels = 1024, 128
    left, right = torch.randn(side, side), torch.randn(side, side)
    maps, weights = torch.randn(1, channels, 56, 56), torch.randn(channels, channels, 7, 7)
    ways = {
        "product": lambda: left @ right,
        "convolution": lambda: torch.nn.functional.conv2d(maps, weights, padding=3),
    }
    with torch_threads(1):
        times = alternating(ways, runs=9, warm_up=2)
    macs = {"product": side**3, "convolution": maps.numel() * channels * 7**2}
    parts = [
        utilisation(macs[way], 1e3 / min(times[way].walls), top, training=False) for way in ways
    ]
    assert 0.4 < max(parts) < 2  # near 1, however busy the cores are
    assert min(parts) < 2


def test_utilisation_counts_training_three_times() -> None:
    top = Peak(1e9, "made up")
    assert utilisation(10**6, 100, top, training=False) == pytest.approx(0.2)
    assert utilisation(10**6, 100, top, training=True) == pytest.approx(0.6)


def zone(folder: Path, name: str, energy: int, whole: int) -> Path:
    path = folder / name
    path.mkdir()
    (path / "energy_uj").write_text(f"{energy}\n")
    (path / "max_energy_range_uj").write_text(f"{whole}\n")
    return path


def test_the_processors_counters_are_summed_and_go_on_where_they_begin_anew(tmp_path: Path) -> None:
    first = zone(tmp_path, "intel-rapl:0", 900_000, 1_000_000)
    second = zone(tmp_path, "intel-rapl:1", 0, 1_000_000)
    zone(tmp_path, "intel-rapl:0:0", 5, 10)  # a part of the first
    counter = energy_counter("cpu", tmp_path)
    assert isinstance(counter, RaplCounter)
    before = counter.joules()
    (first / "energy_uj").write_text("100000\n")  # past its range
    (second / "energy_uj").write_text("500000\n")
    assert counter.since(before) == pytest.approx(0.2 + 0.5)


def test_without_a_counter_there_is_a_reason(tmp_path: Path) -> None:
    assert "no energy counter" in str(energy_counter("cpu", tmp_path))
    zone(tmp_path, "intel-rapl:0", 1, 2)
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("nothing")
    assert "RAPL cannot be read" in str(energy_counter("cpu", tmp_path))


def test_images_for_a_watt_hour() -> None:
    assert images_per_wh(10, 3600) == 10
    assert images_per_wh(10, 0) is None
