"""The precision a recipe means on the device at hand."""

import torch
from torch import Tensor


def cpu_computes_bf16() -> bool:
    """Whether the CPU has bf16 instructions, and does not only emulate them slowly."""
    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16"))


def choose_precision(reduced: bool, accelerator: str) -> str:
    """Lightning's name: fp16 on CUDA, bf16 on a CPU that computes in it, else float32.

    Args:
        reduced: Whether the recipe asks for less than float32.
        accelerator: Lightning's accelerator, `auto` included.
    """
    if not reduced:
        return "32-true"
    if accelerator in ("cuda", "gpu") or (accelerator == "auto" and torch.cuda.is_available()):
        return "16-mixed"
    if accelerator in ("auto", "cpu") and cpu_computes_bf16():
        return "bf16-mixed"
    return "32-true"


def dtype_of(precision: str) -> torch.dtype:
    """The type in which a precision of Lightning's name multiplies."""
    if precision.startswith("bf16"):
        return torch.bfloat16
    if precision.startswith("16"):
        return torch.float16
    return torch.float64 if precision.startswith("64") else torch.float32


def at_least_float32(values: Tensor) -> Tensor:
    """The values in float32, or as they are where they are more precise."""
    return values.to(torch.promote_types(values.dtype, torch.float32))
