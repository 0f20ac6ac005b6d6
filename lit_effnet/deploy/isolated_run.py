"""Run an exported file in a process of its own: its logits and its cost.

python -m lit_effnet.deploy.isolated_run FILE IMAGES LOGITS THREADS

A separate process separates the file's memory from that of torch and the network, and some files
need another Python. Prints one line of JSON.
"""

import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from lit_effnet.deploy.export_files import metadata_file
from lit_effnet.deploy.packages import import_optional, run_module
from lit_effnet.deploy.registry import Runtime, by_suffix, load
from lit_effnet.profiling.latency import RUNS, WARM_UP, Latency
from lit_effnet.profiling.memory import RESET, resident_bytes
from lit_effnet.profiling.timing import alternating
from lit_effnet.runs.documents import read_json

BATCH = 16  # images per call while logits are collected
PEAK_MEMORY = "that of the process, minus its memory before the file was loaded"


@dataclass(frozen=True)
class Cost:
    """The cost of an exported file.

    Args:
        load_ms: Time to load the file, its package imported beforehand.
        latency: Latency of one image.
        peak_memory_bytes: Memory to load it and run one image; None where the system does not
            report it.
        peak_memory_is: How that was measured.
    """

    load_ms: float
    latency: Latency
    peak_memory_bytes: int | None
    peak_memory_is: str


def run_isolated(file: Path, runtime: Runtime, images: Tensor, threads: int) -> tuple[Tensor, Cost]:
    """Run a file in a new process; return its logits `float32 [N, K]` and its cost.

    Args:
        file: The exported file, with its metadata beside it.
        runtime: Its runtime.
        images: `float32 [N, 3, H, W]`.
        threads: Number of threads.

    Raises:
        ConversionError: It cannot be run.
    """
    python = runtime.python([runtime.runner])
    with tempfile.TemporaryDirectory() as folder:
        image_file, logit_file = Path(folder) / "images.npy", Path(folder) / "logits.npy"
        np.save(image_file, images.contiguous().numpy())
        arguments = (str(file), str(image_file), str(logit_file), str(threads))
        output = run_module(python, "lit_effnet.deploy.isolated_run", *arguments)
        cost = json.loads(output.splitlines()[-1])
        cost["latency"] = Latency(**cost["latency"])
        return torch.from_numpy(np.load(logit_file)), Cost(**cost)


def measure(file: Path, images: Tensor, threads: int) -> tuple[Tensor, Cost]:
    """Run a file in this process; see `run_isolated`."""
    torch.set_num_threads(threads)
    _import_runner(by_suffix(file).runner)
    before = None
    if RESET.exists():
        before = resident_bytes("VmRSS")
        RESET.write_text("5")  # resets the peak, see proc(5)
    start = time.perf_counter()
    network = load(file, threads)
    load_ms = 1e3 * (time.perf_counter() - start)
    precision = read_json(metadata_file(file))["precision"]
    one = images[:1]
    with torch.inference_mode():
        times = alternating({"": lambda: network(one)}, RUNS, WARM_UP)[""]
        used = None if before is None else resident_bytes("VmHWM") - before
        logits = torch.cat([network(batch) for batch in torch.split(images, BATCH)])
    latency = Latency.of(times, threads, precision, torch.device("cpu"))
    return logits, Cost(load_ms, latency, used, PEAK_MEMORY)


def _import_runner(package: str) -> None:
    """Import a runtime first, so that it counts neither as load time nor as memory."""
    modules = {"ai-edge-litert": "ai_edge_litert.interpreter", "executorch": "executorch.runtime"}
    import_optional(modules.get(package, package))


def main() -> None:
    """Run the exported file given on the command line; save its logits and print its cost."""
    file, image_file, logit_file, threads = sys.argv[1:]
    logits, cost = measure(Path(file), torch.from_numpy(np.load(image_file)), int(threads))
    np.save(logit_file, logits.numpy())
    sys.stdout.write(json.dumps(asdict(cost)) + "\n")


if __name__ == "__main__":
    main()
