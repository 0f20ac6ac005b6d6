"""Energy that a device took, by its own counter; where it has none, the reason."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

import torch

POWERCAP = Path("/sys/class/powercap")
LEAST_S = 2.0  # counters are brought up to date some ten times a second


class EnergyCounter(ABC):
    """Joules since some moment."""

    name: str

    @abstractmethod
    def joules(self) -> float:
        """The counter's reading."""

    def since(self, before: float) -> float:
        """Joules since an earlier reading."""
        return self.joules() - before


class NvmlCounter(EnergyCounter):
    """NVML's counter of a GPU of Volta or later, in millijoules since the driver was loaded."""

    name = "NVML's total energy consumption"

    def __init__(self, device: torch.device) -> None:
        import pynvml

        pynvml.nvmlInit()
        # NVML counts all devices of the machine, torch those of CUDA_VISIBLE_DEVICES.
        index = torch.cuda._get_nvml_device_index(device)
        self.device, self.nvml = device, pynvml
        self.handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        self.joules()  # raises where the device has none

    def joules(self) -> float:
        """The counter's reading, once all that was asked of the device is computed."""
        torch.cuda.synchronize(self.device)
        return float(self.nvml.nvmlDeviceGetTotalEnergyConsumption(self.handle)) / 1e3


class RaplCounter(EnergyCounter):
    """The processors' own counters, of whole packages: all that runs on them counts.

    Args:
        zones: Folders with `energy_uj` and `max_energy_range_uj`, one for each package.
    """

    name = "RAPL, whole processors"

    def __init__(self, zones: Sequence[Path]) -> None:
        self.zones = zones
        self.ranges = [int((zone / "max_energy_range_uj").read_text()) for zone in zones]
        self.turns, self.last = [0] * len(zones), self._read()

    def joules(self) -> float:
        """The counters' sum; one that has begun anew goes on from its range."""
        now = self._read()
        for index, (old, new) in enumerate(zip(self.last, now, strict=True)):
            self.turns[index] += new < old
        self.last = now
        sums = zip(now, self.turns, self.ranges, strict=True)
        return sum(value + turns * whole for value, turns, whole in sums) / 1e6

    def _read(self) -> list[int]:
        return [int((zone / "energy_uj").read_text()) for zone in self.zones]


def energy_counter(device: torch.device | str, powercap: Path = POWERCAP) -> EnergyCounter | str:
    """The counter of the device, or in a line why there is none.

    Args:
        device: A GPU, or the CPU.
        powercap: Where the system shows the processors' counters.
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
        return "the package nvidia-ml-py is not installed, by which NVML is asked"
    except Exception as error:  # NVML's own
        return f"NVML has no energy counter here ({error})"


def images_per_wh(images: int, joules: float) -> float | None:
    """Images for a watt-hour; null where the counter has not moved."""
    return images * 3600 / joules if joules > 0 else None
