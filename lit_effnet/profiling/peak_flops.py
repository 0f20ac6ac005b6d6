"""Peak performance of a device: from Lightning's table of GPUs, otherwise measured."""

import torch
from lightning.fabric.utilities.throughput import get_available_flops

from lit_effnet.profiling.execution import DTYPES, Configuration
from lit_effnet.profiling.utilisation import Peak, in_tf32, measured_peak

AMPERE = 8  # first major compute capability with TF32


def peak(how: Configuration) -> Peak:
    """Return the device's peak in the number format of convolutions, from a table or measured."""
    tf32 = uses_tf32(how)
    known = known_flops(how.device, "tfloat32" if tf32 else DTYPES[how.precision])
    if known is None:
        return measured_peak(how.precision, how.threads, how.device, tf32=tf32)
    return Peak(known, f"Lightning's table of devices{in_tf32(tf32)}")


def uses_tf32(how: Configuration) -> bool:
    """Whether float32 convolutions are computed in TF32, which torch allows by default."""
    return (
        how.precision == "float32"
        and torch.device(how.device).type == "cuda"
        and torch.backends.cudnn.allow_tf32
        and torch.cuda.get_device_capability(how.device)[0] >= AMPERE
    )


def known_flops(device: str, kind: torch.dtype | str) -> float | None:
    """Return the peak FLOP/s from Lightning's table of GPUs; None for devices not in it."""
    if torch.device(device).type != "cuda":
        return None
    return get_available_flops(torch.device(device), kind)
