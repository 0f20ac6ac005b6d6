"""How much memory a network needs at most: by CUDA's own counter, or by a process's peak."""

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
SMALL = 64  # pixels, of the images by which libraries are loaded


@dataclass(frozen=True)
class PeakMemory:
    """Bytes at most while one batch is computed.

    Args:
        above_bytes: Of weights, gradients, activations and buffers, without torch's own libraries.
        process_bytes: Of the whole process; null on a GPU.
        counter: What counted.
    """

    above_bytes: int
    process_bytes: int | None
    counter: str


def peak_memory(
    network: nn.Module, configuration: Configuration, batch: int, image_size: int, work: Work
) -> PeakMemory | str:
    """Peak of inference, or of a training step without an optimiser's state; or why there is none.

    Args:
        network: Images to logits.
        configuration: How it is run.
        batch: Images in the batch.
        image_size: Their side in pixels.
        work: What is computed.
    """
    try:
        if torch.device(configuration.device).type == "cuda":
            return _on_gpu(network, configuration, batch, image_size, work)
        if not RESET.exists():
            return "the system does not tell a process's peak (it needs Linux's /proc)"
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "network.pt"
            torch.save(network, file)
            arguments = (file, configuration, batch, image_size, work)
            found: PeakMemory | str = _in_a_process(_measure, arguments)
            return found
    except Exception as error:  # a network may raise anything, and the others' rows are to stay
        return reason(error)


def reason(error: Exception) -> str:
    """What stopped a measurement, in one line."""
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
    network = torch.load(file, weights_only=False)  # written by this very program
    prepared = configuration.prepare(network)
    del network
    weights = sum(
        tensor.numel() * tensor.element_size()
        for tensor in (*prepared.parameters(), *prepared.buffers())
    )
    # What is loaded when first needed; the gradients of it are no part of what there is before.
    _compute(prepared, configuration, 2, min(SMALL, image_size), work)
    prepared.zero_grad(set_to_none=True)
    return_memory()
    before = resident_bytes("VmRSS")
    RESET.write_text("5")  # the peak begins anew; proc(5)
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
    """Bytes of a line of this process's status: VmRSS now, VmHWM at most since the reset."""
    for line in STATUS.read_text(encoding="utf-8").splitlines():
        if line.startswith(f"{name}:"):
            return 1024 * int(line.split()[1])
    raise ValueError(f"{STATUS}: has no {name}")


def _in_a_process(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    """What a function gives in a fresh process, or in a line why it gave nothing."""
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
    """Give what was freed back to the system, as far as its C library can be asked to."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    with suppress(OSError, AttributeError):
        ctypes.CDLL("libc.so.6").malloc_trim(0)
