"""Rows of measurements: what was measured, on what and how."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import torch

from lit_effnet.benchmark.batch_size import Batch
from lit_effnet.benchmark.models import Candidate
from lit_effnet.profiling.execution import Configuration
from lit_effnet.profiling.latency import Latency
from lit_effnet.profiling.memory import Work
from lit_effnet.profiling.peak_flops import peak
from lit_effnet.profiling.timing import Times, processor_time_counts
from lit_effnet.profiling.utilisation import utilisation
from lit_effnet.runs.provenance import cpu_name, git_commit, versions

Row = dict[str, Any]


def device_label(device: str) -> str:
    """What a person calls the device."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return cpu_name()


def identity(candidate: Candidate, how: Configuration, tuned_at_batch: int | None) -> Row:
    """What is measured, on what and how.

    Args:
        candidate: The network.
        how: How it is run.
        tuned_at_batch: Images at which that was chosen; null where it was not.
    """
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
        "tuned_at_batch": None if told is None else tuned_at_batch,
        "measured": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "git_commit": git_commit(),
        "versions": versions(),
    }


def latency(times: Times, candidate: Candidate, how: Configuration) -> Row:
    """Latency of one image; without the processor's time where that is not the time of a call."""
    precision = candidate.file_precision or how.precision
    found = asdict(Latency.of(times, how.threads, precision, torch.device(how.device)))
    return found | {"cpu_ms": _processor_ms(times, how)}


def throughput(
    times: Times, batch: Batch, candidate: Candidate, how: Configuration, work: Work
) -> Row:
    """Images in a second at a batch, and which part of the peak that is."""
    p5, median, p95 = times.percentiles()
    images_per_s = 1e3 * batch.images / median
    told, top, part = candidate.complexity, peak(how), None
    if told is not None:
        part = utilisation(told.macs, images_per_s, top, training=work == "training")
    return {
        "batch": batch.images,
        "limited_by": batch.limited_by,
        "rounds": len(times.walls),
        "median_ms": median,
        "p5_ms": p5,
        "p95_ms": p95,
        "cpu_ms": _processor_ms(times, how),
        "images_per_s": images_per_s,
        "utilisation": part,
        "peak_flops": top.flops,
        "peak_source": top.source,
    }


def _processor_ms(times: Times, how: Configuration) -> float | None:
    return times.cpu if processor_time_counts(how.threads, how.device) else None
