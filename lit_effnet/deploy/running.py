"""Run an exported file in a process of its own: its logits, and what it costs.

python -m lit_effnet.deploy.running FILE IMAGES LOGITS THREADS

In a process of its own since a file's memory can be told from that of torch and the network only
there, and since some files can be run only by another Python. Prints one line of JSON.
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

from lit_effnet.deploy.formats import FORMATS, Format, beside, load
from lit_effnet.deploy.packages import imported, run_module
from lit_effnet.profiling.latency import RUNS, WARM_UP, Latency
from lit_effnet.profiling.memory import RESET, resident_bytes
from lit_effnet.profiling.timing import alternating
from lit_effnet.runs.documents import read_json

BATCH = 16  # images at a time while logits are collected
HOW = "resident memory of a process at its peak, less what it had before the file was loaded"


@dataclass(frozen=True)
class Cost:
    """What a file takes.

    Args:
        load_ms: Time from the file's name to a loaded network, its package imported before.
        latency: Of one image, in float32 or what the file has inside.
        peak_memory_bytes: To load it and run one image, beyond the process before; null where
            the system does not tell.
        peak_memory_is: How that was counted.
    """

    load_ms: float
    latency: Latency
    peak_memory_bytes: int | None
    peak_memory_is: str


def run_apart(file: Path, format_: Format, images: Tensor, threads: int) -> tuple[Tensor, Cost]:
    """Logits `float32 [N, K]` of images in a fresh process, and the file's cost.

    Args:
        file: The exported file.
        format_: Its format.
        images: `float32 [N, 3, H, W]`.
        threads: Threads that it uses.

    Raises:
        ConversionError: it cannot be run.
    """
    python = format_.python([format_.runner])
    with tempfile.TemporaryDirectory() as folder:
        shown, given = Path(folder) / "images.npy", Path(folder) / "logits.npy"
        np.save(shown, images.contiguous().numpy())
        printed = run_module(python, "running", str(file), str(shown), str(given), str(threads))
        found = json.loads(printed.splitlines()[-1])
        cost = Cost(**{**found, "latency": Latency(**found["latency"])})
        return torch.from_numpy(np.load(given)), cost


def measure(file: Path, images: Tensor, threads: int) -> tuple[Tensor, Cost]:
    """As `run_apart`, in this process, of a file with its JSON beside."""
    format_ = next(row for row in FORMATS.values() if row.suffix == file.suffix)
    torch.set_num_threads(threads)
    _import(format_)
    before = None
    if RESET.exists():
        before = resident_bytes("VmRSS")
        RESET.write_text("5")  # the peak begins anew; proc(5)
    began = time.perf_counter()
    network = load(file, threads)
    load_ms = 1e3 * (time.perf_counter() - began)
    precision = read_json(beside(file))["precision"]
    one = images[:1]
    with torch.inference_mode():
        times = alternating({"": lambda: network(one)}, RUNS, WARM_UP)[""]
        used = None if before is None else resident_bytes("VmHWM") - before
        logits = torch.cat([network(batch) for batch in torch.split(images, BATCH)])
    latency = Latency.of(times, threads, precision, torch.device("cpu"))
    return logits, Cost(load_ms, latency, used, HOW)


def _import(format_: Format) -> None:
    """Load a small file's packages first, so that they count neither as time nor as memory."""
    inside = {"ai-edge-litert": "ai_edge_litert.interpreter", "executorch": "executorch.runtime"}
    imported(inside.get(format_.runner, format_.runner))


def main() -> None:
    """Run a file as the command line says."""
    file, shown, given, threads = sys.argv[1:]
    logits, cost = measure(Path(file), torch.from_numpy(np.load(shown)), int(threads))
    np.save(given, logits.numpy())
    sys.stdout.write(json.dumps(asdict(cost)) + "\n")


if __name__ == "__main__":
    main()
