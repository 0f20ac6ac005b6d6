"""What networks cost on this device: latency, throughput, memory, utilisation and energy."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from lit_effnet.candidates import Candidate
from lit_effnet.evaluation.configuration import (
    Configuration,
    alternatives,
    is_correct,
)
from lit_effnet.evaluation.energy import LEAST_S, EnergyCounter, energy_counter, images_per_wh
from lit_effnet.evaluation.latency import RUNS, WARM_UP, Latency
from lit_effnet.evaluation.memory import PeakMemory, Work, peak_memory, return_memory
from lit_effnet.evaluation.timing import Times, alternating
from lit_effnet.evaluation.utilisation import Peak, measured_peak, utilisation
from lit_effnet.training.provenance import cpu_name, git_commit, versions

# Bytes of activations that live at once, in times of those of all convolutions' outputs: a guess
# on the safe side of what peak_memory measures.
LIVE = {"inference": 0.5, "training": 4.0}
PART_OF_MEMORY = 0.6  # of what is available, that a batch may take
TUNE_RUNS, TUNE_BATCH = 5, 8

Step = Callable[[int], object]


@dataclass(frozen=True)
class Plan:
    """What is measured, and how long.

    Args:
        batch: Images in a batch, where memory and time allow.
        runs: Calls at batch 1.
        rounds: Batches of each network.
        seconds: What a batch may take at most.
        training: Training steps too.
        memory: Peak memory too, each in a process of its own.
    """

    batch: int
    runs: int = RUNS
    rounds: int = 5
    seconds: float = 30.0
    training: bool = True
    memory: bool = True


@dataclass(frozen=True)
class Batch:
    """How many images a network gets at once, and why not as many as were wanted."""

    images: int
    limited_by: str | None


def device_label(device: str) -> str:
    """What a person calls the device."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return cpu_name()


def tuned(
    candidate: Candidate, plain: Configuration, *, compiled: bool, step: Step
) -> Configuration:
    """The fastest configuration whose logits are float32's, at a small batch.

    Args:
        candidate: The network.
        plain: Threads and device.
        compiled: Whether compiling is tried, which takes its time.
        step: Is told of each that was tried.
    """
    images = min(TUNE_BATCH, plain_batch(candidate, TUNE_BATCH, "inference", plain.device).images)
    base = replace(plain, precision="float32", channels_last=False, compiled=False)
    expected = _inference(candidate, base, images)()
    ways: dict[str, Callable[[], object]] = {}
    kinds: dict[str, Configuration] = {}
    for kind in alternatives(plain.threads, plain.device, compiled=compiled):
        try:
            once = _inference(candidate, kind, images)
            correct = is_correct(once(), expected, kind.precision)
        except RuntimeError:  # what this device cannot do, a compiler that is not there
            correct = False
        if correct:
            ways[str(kind)], kinds[str(kind)] = once, kind
        step(1)
    times = alternating(ways, TUNE_RUNS, 1, plain.device)
    best = min(times, key=lambda name: times[name].percentiles()[1])
    return kinds[best]


def measure(
    candidates: Sequence[Candidate],
    configurations: Sequence[Configuration],
    plan: Plan,
    known_peak: Callable[[Configuration], float | None],
    step: Callable[[str, int], object],
) -> list[dict[str, Any]]:
    """A row for each network; all are timed in turn.

    Args:
        candidates: The networks.
        configurations: How each is run.
        plan: What is measured.
        known_peak: The device's peak in a table of devices, in operations in a second.
        step: Is told what is done, and how many calls.
    """
    pairs = {c.name: (c, how) for c, how in zip(candidates, configurations, strict=True)}
    device = configurations[0].device
    torch.set_num_threads(configurations[0].threads)
    single = {name: _inference(c, how, 1) for name, (c, how) in pairs.items()}
    latencies = alternating(single, plan.runs, WARM_UP, device, partial(step, "latency"))
    single.clear()
    rows = {}
    for name, (c, how) in pairs.items():
        latency = Latency.of(latencies[name], how.threads, how.precision, torch.device(device))
        rows[name] = _identity(c, how) | {"latency": asdict(latency)}
    works: tuple[Work, ...] = ("inference", "training") if plan.training else ("inference",)
    everyone = pairs
    for work in works:
        # Another program's file is only run.
        pairs = {
            name: pair
            for name, pair in everyone.items()
            if work == "inference" or pair[0].complexity is not None
        }
        if not pairs:
            continue
        batches = {
            name: limited(c, plan, work, device, latencies[name].percentiles()[1])
            for name, (c, _) in pairs.items()
        }
        ways = {name: _way(c, how, batches[name].images, work) for name, (c, how) in pairs.items()}
        times = alternating(ways, plan.rounds, 1, device, partial(step, f"{work} batches"))
        for name, (c, how) in pairs.items():
            top = _peak(how, known_peak)
            rows[name][work] = _throughput(times[name], batches[name], c, top, work)
            rows[name][work]["energy"] = energy(ways[name], batches[name].images, device)
        ways.clear()
        return_memory()  # or the processes that come would have less
        for name, (c, how) in pairs.items():
            if plan.memory and c.complexity is None:
                rows[name][work]["memory"] = "export measures it, in its program's own process"
                step("memory", 1)
            elif plan.memory:
                found = peak_memory(c.network, how, batches[name].images, c.image_size, work)
                rows[name][work]["memory"] = (
                    asdict(found) if isinstance(found, PeakMemory) else found
                )
                step("memory", 1)
    return list(rows.values())


def energy(way: Callable[[], object], images: int, device: str) -> dict[str, Any] | str:
    """Images for a watt-hour over some seconds of batches, or why that is not known."""
    counter = energy_counter(device)
    if not isinstance(counter, EnergyCounter):
        return counter
    before, began, count = counter.joules(), time.monotonic(), 0
    while time.monotonic() - began < LEAST_S:
        way()
        count += images
    joules = counter.since(before)
    found = {"images_per_wh": images_per_wh(count, joules), "joules": joules, "images": count}
    return {**found, "seconds": time.monotonic() - began, "counter": counter.name}


def limited(candidate: Candidate, plan: Plan, work: str, device: str, latency_ms: float) -> Batch:
    """The batch, no larger than memory and the time of one allow."""
    batch = plain_batch(candidate, plan.batch, work, device)
    passes = 3 if work == "training" else 1
    most = max(1, int(1e3 * plan.seconds / (passes * latency_ms)))
    if most >= batch.images:
        return batch
    return Batch(_power_of_2(most), f"{plan.seconds:g} s for a batch")


def plain_batch(candidate: Candidate, wanted: int, work: str, device: str) -> Batch:
    """The batch, no larger than its activations fit into memory."""
    if torch.device(device).type == "cuda":
        available = torch.cuda.mem_get_info(device)[0]
    else:
        available = _available_memory()
    if candidate.complexity is None:
        return Batch(wanted, None)
    each = 4 * LIVE[work] * candidate.complexity.activations
    most = max(1, int(PART_OF_MEMORY * available / each))
    return Batch(wanted, None) if most >= wanted else Batch(_power_of_2(most), "memory")


def _power_of_2(most: int) -> int:
    return 1 << (most.bit_length() - 1)


def _available_memory() -> int:
    information = Path("/proc/meminfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    return 4 * 2**30  # a small machine's, where the system does not tell


def _inference(candidate: Candidate, how: Configuration, batch: int) -> Callable[[], Any]:
    images = how.images(batch, candidate.image_size)
    return how.inference(how.prepare(candidate.network), images)


def _way(candidate: Candidate, how: Configuration, batch: int, work: str) -> Callable[[], Any]:
    if work == "inference":
        return _inference(candidate, how, batch)
    network: nn.Module = how.prepare(candidate.network)
    return how.training(network, how.images(batch, candidate.image_size))


def _identity(candidate: Candidate, how: Configuration) -> dict[str, Any]:
    """What was measured, on what and how."""
    told = candidate.complexity
    costs = dict.fromkeys(("params", "macs", "activations")) if told is None else asdict(told)
    return {
        "name": candidate.name,
        "trained": candidate.trained,
        "image_size": candidate.image_size,
        **costs,
        "counter": "multiply-adds of convolutions and linear layers (torch's FLOP counter / 2)",
        "device": device_label(how.device),
        "precision": how.precision if told is not None else getattr(candidate.network, "name", ""),
        "layout": "channels-last" if how.channels_last else "NCHW",
        "compiled": how.compiled,
        "threads": how.threads,
        "measured": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "git_commit": git_commit(),
        "versions": versions(),
    }


def _throughput(
    times: Times, batch: Batch, candidate: Candidate, top: Peak, work: str
) -> dict[str, Any]:
    """Images in a second at a batch, and which part of the peak that is."""
    p5, median, p95 = times.percentiles()
    images_per_s = 1e3 * batch.images / median
    told = candidate.complexity
    part = None
    if told is not None:
        part = utilisation(told.macs, images_per_s, top, training=work == "training")
    return {
        "batch": batch.images,
        "limited_by": batch.limited_by,
        "rounds": len(times.walls),
        "median_ms": median,
        "p5_ms": p5,
        "p95_ms": p95,
        "cpu_ms": times.cpu,
        "images_per_s": images_per_s,
        "utilisation": part,
        "peak_flops": top.flops,
        "peak_source": top.source,
    }


def _peak(how: Configuration, known: Callable[[Configuration], float | None]) -> Peak:
    found = known(how)
    if found is not None:
        return Peak(found, "Lightning's table of devices")
    return measured_peak(how.precision, how.threads, how.device)


def ratios(rows: Sequence[Mapping[str, Any]]) -> list[float]:
    """Latency of each network over the first's: of a CPU the processor's own time, else wall time.

    Others that use the machine lengthen the wall time of one call and not of the next.
    """
    times = [row["latency"]["cpu_ms"] or row["latency"]["median_ms"] for row in rows]
    return [time / times[0] for time in times]
