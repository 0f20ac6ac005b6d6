"""What is asked of a GPU for its peak and its energy, by fakes; and once of a real one."""

import sys
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from lit_effnet.profiling import peak_flops as device_peaks
from lit_effnet.profiling import utilisation
from lit_effnet.profiling.energy import EnergyCounter, energy_counter
from lit_effnet.profiling.execution import Configuration
from lit_effnet.profiling.memory import PeakMemory, peak_memory
from lit_effnet.profiling.peak_flops import peak
from lit_effnet.profiling.utilisation import measured_peak

FLOPS = {"tfloat32": 156e12, torch.float32: 19.5e12, torch.bfloat16: 312e12}


@pytest.fixture
def a100(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    monkeypatch.setattr(
        "lit_effnet.profiling.peak_flops.get_available_flops",
        lambda device, kind: FLOPS.get(kind),
    )


@pytest.mark.usefixtures("a100")
def test_float32s_peak_is_tf32s_where_convolutions_use_it(monkeypatch: pytest.MonkeyPatch) -> None:
    found = peak(Configuration(device="cuda"))
    assert found.flops == 156e12
    assert found.source == "Lightning's table of devices, in TF32 as convolutions are"
    assert peak(Configuration("bf16", device="cuda")).flops == 312e12
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    found = peak(Configuration(device="cuda"))
    assert (found.flops, found.source) == (19.5e12, "Lightning's table of devices")
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    assert peak(Configuration(device="cuda")).flops == 19.5e12


@pytest.mark.usefixtures("a100")
def test_a_gpu_that_the_table_lacks_is_measured_in_tf32(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple] = []
    monkeypatch.setattr(device_peaks, "known_flops", lambda device, kind: None)
    monkeypatch.setattr(
        device_peaks, "measured_peak", lambda *how, tf32: asked.append((*how, tf32))
    )
    peak(Configuration(device="cuda"))
    assert asked == [("float32", 1, "cuda", True)]


def test_products_are_in_tf32_while_they_are_measured_and_not_after(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[bool] = []
    real = torch.randn

    def randn(*sizes: int, **options: object) -> torch.Tensor:
        seen.append(torch.backends.cuda.matmul.allow_tf32)
        return real(*sizes, **options)

    monkeypatch.setitem(utilisation.SIDE, "cpu", 16)
    monkeypatch.setattr(torch, "randn", randn)
    measured_peak.cache_clear()
    found = measured_peak("float32", 1, "cpu", tf32=True)
    measured_peak.cache_clear()
    assert set(seen) == {True}
    assert not torch.backends.cuda.matmul.allow_tf32
    assert found.source.endswith(", in TF32 as convolutions are")


def test_a_gpus_counter_is_read_when_all_is_computed_and_is_that_of_the_visible_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[object] = []
    millijoules = iter((1000, 2000, 5500))

    def read(handle: str) -> int:
        calls.append(handle)
        return next(millijoules)

    nvml = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByIndex=lambda index: f"handle {index}",
        nvmlDeviceGetTotalEnergyConsumption=read,
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.setattr(torch.cuda, "_get_nvml_device_index", lambda device: 3)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: calls.append(str(device)))
    counter = energy_counter("cuda:1")
    assert isinstance(counter, EnergyCounter), counter
    assert counter.since(counter.joules()) == 3.5
    assert calls == ["cuda:1", "handle 3"] * 3


@pytest.mark.gpu
def test_on_a_real_gpu_there_are_a_peak_a_memory_and_an_energy_or_its_reason() -> None:
    how = Configuration(channels_last=True, device="cuda")
    network = nn.Sequential(nn.Conv2d(3, 64, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    assert peak(how).flops > 1e11
    inference, training = (
        peak_memory(network, how, 8, 64, work) for work in ("inference", "training")
    )
    assert isinstance(inference, PeakMemory), inference
    assert isinstance(training, PeakMemory), training
    assert training.above_bytes > inference.above_bytes > 4 * 8 * 64 * 62 * 62
    counter = energy_counter("cuda")
    assert isinstance(counter, str) or counter.since(counter.joules()) >= 0
