"""Precision of a training: chosen for the device, and kept for losses and statistics."""

import torch
from torch import Tensor


def cpu_computes_bf16() -> bool:
    """Return whether the CPU has bf16 instructions; emulating them is slow."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))


def choose_precision(reduced: bool, accelerator: str) -> str:
    """Return Lightning's precision: fp16 on CUDA, bf16 on CPUs that have it, else float32.

    Args:
        reduced: Whether the recipe trains in reduced precision.
        accelerator: Lightning's name of the accelerator, or `auto`.
    """
    if not reduced:
        return "32-true"
    if accelerator in ("cuda", "gpu") or (accelerator == "auto" and torch.cuda.is_available()):
        return "16-mixed"
    if accelerator in ("auto", "cpu") and cpu_computes_bf16():
        return "bf16-mixed"
    return "32-true"


def dtype_of(precision: str) -> torch.dtype:
    """Return the dtype of matrix products under a precision, by Lightning's name."""
    if precision.startswith("bf16"):
        return torch.bfloat16
    if precision.startswith("16"):
        return torch.float16
    return torch.float64 if precision.startswith("64") else torch.float32


def at_least_float32(values: Tensor) -> Tensor:
    """Return the values in float32, or unchanged if they are more precise."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
