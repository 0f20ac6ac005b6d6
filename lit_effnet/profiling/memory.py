"""Measure the peak memory of a network, by CUDA's counter or by the peak of a process."""

import ctypes
import gc
import multiprocessing
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from lit_effnet.profiling.execution import Configuration

STATUS, RESET = Path("/proc/self/status"), Path("/proc/self/clear_refs")

Work = Literal["inference", "training"]
SMALL = 64  # pixels of the images that are computed first, to load libraries


@dataclass(frozen=True)
class PeakMemory:
    """Peak memory while one batch is computed.

    Args:
        above_bytes: Weights, gradients, activations and buffers, without torch's libraries.
        process_bytes: The whole process; None on a GPU.
        counter: Name of the counter.
    """

    above_bytes: int
    process_bytes: int | None
    counter: str


def peak_memory(
    network: nn.Module, configuration: Configuration, batch: int, image_size: int, work: Work
) -> PeakMemory | str:
    """Return the peak of inference or of a training step without optimiser state, or why it failed.

    Args:
        network: Images to logits.
        configuration: How it is run.
        batch: Images in the batch.
        image_size: Their side in pixels.
        work: Inference or training.
    """
    try:
        if torch.device(configuration.device).type == "cuda":
            return _on_gpu(network, configuration, batch, image_size, work)
        if not RESET.exists():
            return "the peak of a process needs Linux's /proc"
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "network.pt"
            torch.save(network, file)
            arguments = (file, configuration, batch, image_size, work)
            peak: PeakMemory | str = _in_a_process(_measure, arguments)
            return peak
    except Exception as error:  # a network may raise anything; other networks' rows must stay
        return reason(error)


def reason(error: Exception) -> str:
    """Return the error that stopped a measurement, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def _on_gpu(
    network: nn.Module, configuration: Configuration, batch: int, image_size: int, work: Work
) -> PeakMemory:
    torch.cuda.reset_peak_memory_stats(configuration.device)
    before = torch.cuda.memory_allocated(configuration.device)
    prepared = configuration.prepare(network)
    _compute(prepared, configuration, batch, image_size, work)
    peak = torch.cuda.max_memory_allocated(configuration.device)
    return PeakMemory(peak - before, None, "torch.cuda.max_memory_allocated")


def _measure(
    file: Path, configuration: Configuration, batch: int, image_size: int, work: Work
) -> PeakMemory:
    torch.set_num_threads(configuration.threads)
    network = torch.load(file, weights_only=False)  # this program wrote it
    prepared = configuration.prepare(network)
    del network
    weights = sum(
        tensor.numel() * tensor.element_size()
        for tensor in (*prepared.parameters(), *prepared.buffers())
    )
    # Load lazy libraries; drop the gradients, which must not count as used before.
    _compute(prepared, configuration, 2, min(SMALL, image_size), work)
    prepared.zero_grad(set_to_none=True)
    return_memory()
    before = resident_bytes("VmRSS")
    RESET.write_text("5")  # resets the peak; proc(5)
    _compute(prepared, configuration, batch, image_size, work)
    peak = resident_bytes("VmHWM")
    return PeakMemory(
        max(0, peak - before) + weights, peak, "peak resident memory of a process of its own"
    )


def _compute(
    prepared: nn.Module, configuration: Configuration, batch: int, image_size: int, work: Work
) -> None:
    images = configuration.images(batch, image_size)
    getattr(configuration, work)(prepared, images)()


def resident_bytes(name: str) -> int:
    """Return the bytes in a line of this process's status: VmRSS (now) or VmHWM (peak)."""
    for line in STATUS.read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise ValueError(f"{STATUS}: has no {name}")


def _in_a_process(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """Run a function in a new process; return its result, or one line on why there is none."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_send, args=(sender, function, arguments))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    except EOFError:
        process.join()
        killed = process.exitcode == -9
        return "killed by the system for lack of memory" if killed else "its process ended early"
    finally:
        process.join()


def _send(sender: Any, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        sender.send(function(*arguments))
    except Exception as error:
        sender.send(reason(error))


def return_memory() -> None:
    """Return freed memory to the system, where the C library supports it."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
