"""Peak memory holds what must live at once, and what is available heeds containers."""

from pathlib import Path

import pytest
import torch
from torch import nn

from lit_effnet.profiling import free_memory as available_memory
from lit_effnet.profiling import memory
from lit_effnet.profiling.execution import Configuration
from lit_effnet.profiling.memory import PeakMemory, peak_memory


def test_a_training_steps_gradients_count() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * 32 * 32, 5000))
    weights = 4 * sum(parameter.numel() for parameter in network.parameters())
    inference, training = (
        peak_memory(network, Configuration(), 1, 32, work) for work in ("inference", "training")
    )
    assert isinstance(inference, PeakMemory), inference
    assert isinstance(training, PeakMemory), training
    assert weights <= inference.above_bytes < 1.5 * weights
    assert 2 * weights <= training.above_bytes < 3 * weights


def test_an_error_of_any_kind_is_the_reason_and_no_traceback(
    capfd: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Local(nn.Linear):  # cannot be written into a file
        pass

    found = peak_memory(Local(3, 3), Configuration(), 1, 32, "inference")
    assert isinstance(found, str)
    assert "Local" in found

    def no_file(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(torch, "save", no_file)
    found = peak_memory(nn.Linear(3, 3), Configuration(), 1, 32, "inference")
    assert found == "OSError: no space left"
    assert "Traceback" not in capfd.readouterr().err


def test_on_a_gpu_its_own_counter_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    network, readings = nn.Flatten(), {"allocated": 100, "peak": 700}
    monkeypatch.setattr(memory, "_compute", lambda *_: None)
    monkeypatch.setattr(Configuration, "prepare", lambda self, network: network)
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda device: None)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: readings["allocated"])
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: readings["peak"])
    found = peak_memory(network, Configuration(device="cuda"), 1, 32, "training")
    assert found == PeakMemory(600, None, "torch.cuda.max_memory_allocated")


@pytest.mark.parametrize(
    ("files", "left"),
    [
        ({}, 8192),
        ({"memory.max": "max", "memory.current": "10"}, 8192),
        ({"memory.max": "5000", "memory.current": "3000", "memory.stat": "inactive_file 500"}, 2500),
        ({"memory.max": "5000", "memory.current": "6000", "memory.stat": ""}, 0),
        (
            {
                "memory/memory.limit_in_bytes": "4000",
                "memory/memory.usage_in_bytes": "1000",
                "memory/memory.stat": "inactive_file 1\ntotal_inactive_file 100",
            },
            3100,
        ),
        ({"memory/memory.limit_in_bytes": f"{2**63 - 4096}", "memory/memory.usage_in_bytes": "1",
          "memory/memory.stat": ""}, 8192),
        # The group that the process is in, and one above it.
        ({"a/b/memory.max": "3000", "a/b/memory.current": "0", "a/b/memory.stat": "",
          "a/memory.max": "2000", "a/memory.current": "0", "a/memory.stat": ""}, 2000),
    ],
)  # fmt: skip
def test_a_containers_limit_is_heeded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], left: int
) -> None:
    for name, text in files.items():
        file = tmp_path / "cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    meminfo, own = tmp_path / "meminfo", tmp_path / "own"
    meminfo.write_text("MemTotal: 20 kB\nMemAvailable:   8 kB\n")
    own.write_text("4:memory:/elsewhere\n0::/a/b\n")
    monkeypatch.setattr(available_memory, "MEMINFO", meminfo)
    monkeypatch.setattr(available_memory, "OWN_CGROUPS", own)
    monkeypatch.setattr(available_memory, "CGROUPS", tmp_path / "cgroup")
    assert available_memory.available_memory("cpu") == left
