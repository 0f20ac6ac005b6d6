"""Which part of a device's peak a network reaches.

Utilisation is that of PaLM, arXiv 2204.02311, appendix B: multiply-adds of the model alone, twice
for operations, three times as many in training, over the peak in the precision that is used.
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

SIDE = {"cpu": 2048, "cuda": 8192}  # of the matrices whose product measures a peak
IMAGES = {"cpu": 1, "cuda": 64}  # of the convolution that measures one
CHANNELS, PIXELS, KERNEL = 256, 56, 5
REPEATS = 8
TRAINING_PASSES = 3  # forward once, and backward twice as much


@dataclass(frozen=True)
class Peak:
    """Operations in a second at most, and where the figure comes from."""

    flops: float
    source: str


@cache
def measured_peak(precision: str, threads: int, device: str, *, tf32: bool = False) -> Peak:
    """The best of some products of two large square matrices, and of some large convolutions.

    Of both, for the libraries behind them differ: MKL's product reaches less than half of what
    oneDNN's convolution does on an AMD processor with AVX-512. The kernel is one to which no
    algorithm of fewer multiplications (Winograd's) is applied.

    Args:
        precision: Of the numbers.
        threads: Of a CPU.
        device: Where they are multiplied.
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
    """Seconds of the quickest of some calls."""
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
    """What the source of a peak says of it."""
    return ", in TF32 as convolutions are" if tf32 else ""


def utilisation(macs: int, images_per_s: float, top: Peak, *, training: bool) -> float:
    """Part of the peak, from 0 to 1.

    Args:
        macs: Multiply-adds of one image's forward pass.
        images_per_s: What was measured.
        top: The peak in the same precision.
        training: Whether each image went forward and back.
    """
    passes = TRAINING_PASSES if training else 1
    return 2 * macs * passes * images_per_s / top.flops
