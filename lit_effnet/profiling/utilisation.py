"""Measure the peak of a device, and the utilisation that a network reaches.

Utilisation is defined as for PaLM, arXiv 2204.02311, appendix B: two operations per MAC of the
model, three times as many in training, divided by the peak in the same precision.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import torch
import torch.nn.functional as F

from lit_effnet.profiling.execution import DTYPES
from lit_effnet.profiling.timing import torch_threads

SIDE = {"cpu": 2048, "cuda": 8192}  # of the square matrices
IMAGES = {"cpu": 1, "cuda": 64}  # of the convolution
CHANNELS, PIXELS, KERNEL = 256, 56, 5
REPEATS = 8
TRAINING_PASSES = 3  # a backward pass costs two forward passes


@dataclass(frozen=True)
class Peak:
    """Peak FLOP/s, and the source of the number."""

    flops: float
    source: str


@cache
def measured_peak(precision: str, threads: int, device: str, *, tf32: bool = False) -> Peak:
    """Return the best speed of large matrix products and large convolutions.

    Both are measured since their libraries differ: MKL's product reaches less than half the speed
    of oneDNN's convolution on an AMD processor with AVX-512. The kernel is too large for algorithms
    with fewer multiplications (Winograd's).

    Args:
        precision: Number format.
        threads: Threads on a CPU.
        device: The device to measure.
        tf32: Whether a GPU may multiply float32 in TF32.
    """
    kind = torch.device(device).type
    side, images = SIDE[kind], IMAGES[kind]
    dtype = DTYPES[precision]
    with torch_threads(threads), _products_in_tf32(tf32), torch.inference_mode():
        left, right = (torch.randn(side, side).to(device, dtype) for _ in range(2))
        maps = torch.randn(images, CHANNELS, PIXELS, PIXELS).to(device, dtype)
        weights = torch.randn(CHANNELS, CHANNELS, KERNEL, KERNEL).to(device, dtype)
        maps, weights = (x.contiguous(memory_format=torch.channels_last) for x in (maps, weights))
        product = 2 * side**3 / _best(lambda: left @ right, device)
        padding = KERNEL // 2
        seconds = _best(lambda: F.conv2d(maps, weights, padding=padding), device)
        convolution = 2 * maps.numel() * CHANNELS * KERNEL**2 / seconds
    if product > convolution:
        source = f"measured: a product of {side} x {side} matrices{in_tf32(tf32)}"
        return Peak(product, source)
    source = (
        f"measured: a convolution of {KERNEL} x {KERNEL}, {CHANNELS} channels, {PIXELS} px"
        f"{in_tf32(tf32)}"
    )
    return Peak(convolution, source)


def _best(work: Callable[[], object], device: str) -> float:
    """Return the seconds of the fastest of several calls."""
    best = float("inf")
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        if torch.device(device).type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - began)
    return best


@contextmanager
def _products_in_tf32(allowed: bool) -> Iterator[None]:
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = allowed or before
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before


def in_tf32(tf32: bool) -> str:
    """Return what the source of a peak adds on TF32."""
    return ", in TF32 as convolutions are" if tf32 else ""


def utilisation(macs: int, images_per_s: float, top: Peak, *, training: bool) -> float:
    """Return the fraction of the peak that is used.

    Args:
        macs: MACs of one image's forward pass.
        images_per_s: Measured speed.
        top: Peak in the same precision.
        training: Whether each image had a backward pass too.
    """
    passes = TRAINING_PASSES if training else 1
    return 2 * macs * passes * images_per_s / top.flops
