"""Read the energy counters of GPUs and processors."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import torch

POWERCAP = Path("/sys/class/powercap")
LEAST_S = 2.0  # shortest measurement; counters are updated about ten times a second


class EnergyCounter(ABC):
    """A counter of joules from an arbitrary start."""

    name: str

    @abstractmethod
    def joules(self) -> float:
        """Return the counter's reading."""

    def since(self, before: float) -> float:
        """Return the joules since an earlier reading."""
        return self.joules() - before


class NvmlCounter(EnergyCounter):
    """NVML's energy counter of a GPU since Volta, from the loading of the driver."""

    name = "NVML's total energy consumption"

    def __init__(self, device: torch.device) -> None:
        import pynvml

        pynvml.nvmlInit()
        # NVML numbers all devices of the machine, torch those of CUDA_VISIBLE_DEVICES.
        index = torch.cuda._get_nvml_device_index(device)
        self.device, self.nvml = device, pynvml
        self.handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        self.joules()  # raises where the device has none

    def joules(self) -> float:
        """Return the counter's reading after all pending work of the device."""
        torch.cuda.synchronize(self.device)
        return float(self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle)) / 1e3


class RaplCounter(EnergyCounter):
    """RAPL counters of whole processors, including other processes on them.

    Args:
        zones: Folders with `energy_uj` and `max_energy_range_uj`, one per processor.
    """

    name = "RAPL, whole processors"

    def __init__(self, zones: Sequence[Path]) -> None:
        self.zones = zones
        self.ranges = [int((zone / "max_energy_range_uj").read_text()) for zone in zones]
        self.overflows, self.last = [0] * len(zones), self._read()

    def joules(self) -> float:
        """Return the sum of the counters, corrected for overflows."""
        now = self._read()
        for index, (old, new) in enumerate(zip(self.last, now, strict=True)):
            self.overflows[index] += new < old
        self.last = now
        sums = zip(now, self.overflows, self.ranges, strict=True)
        return sum(value + overflows * size for value, overflows, size in sums) / 1e6

    def _read(self) -> list[int]:
        return [int((zone / "energy_uj").read_text()) for zone in self.zones]


def energy_counter(device: torch.device | str, powercap: Path = POWERCAP) -> EnergyCounter | str:
    """Return the energy counter of a device, or one line on why there is none.

    Args:
        device: A GPU, or the CPU.
        powercap: The system's folder of processor counters.
    """
    device = torch.device(device)
    if device.type == "cuda":
        return _of_gpu(device)
    zones = sorted(powercap.glob("intel-rapl:[0-9]*"))
    packages = [zone for zone in zones if zone.name.count(":") == 1]
    if not packages:
        return "the system shows no energy counter of its processors (RAPL)"
    try:
        return RaplCounter(packages)
    except PermissionError:
        return f"{packages[0] / 'energy_uj'}: may be read by root only"
    except (OSError, ValueError) as error:
        return f"RAPL cannot be read ({error})"


def _of_gpu(device: torch.device) -> EnergyCounter | str:
    try:
        return NvmlCounter(device)
    except ImportError:
        return "NVML needs the package nvidia-ml-py, which is not installed"
    except Exception as error:  # NVML raises its own types
        return f"NVML has no energy counter here ({error})"


def images_per_wh(images: int, joules: float) -> float | None:
    """Return the images per watt-hour; None if the counter did not change."""
    return images * 3600 / joules if joules > 0 else None
