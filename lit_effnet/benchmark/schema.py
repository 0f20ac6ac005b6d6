"""Rows of measurements: the network, how it was run, and its figures.

`results.tables.columns` has the columns that show them.
"""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import torch

from lit_effnet.benchmark.batch_size import Batch
from lit_effnet.benchmark.models import ConfiguredModel
from lit_effnet.profiling.latency import Latency
from lit_effnet.profiling.memory import Work
from lit_effnet.profiling.peak_flops import peak
from lit_effnet.profiling.timing import Times, processor_time_counts
from lit_effnet.profiling.utilisation import utilisation
from lit_effnet.runs.provenance import cpu_name, git_commit, versions

Row = dict[str, Any]


def device_label(device: str) -> str:
    """Return the name of the GPU, or of the processor."""
    if torch.device(device).type == "cuda":
        return torch.cuda.get_device_name(device)
    return cpu_name()


def identity(configured: ConfiguredModel, tuned_at_batch: int | None) -> Row:
    """Return the network, its complexity, and how it is run.

    Args:
        configured: The network and its configuration.
        tuned_at_batch: Batch at which the configuration was chosen; None where it was given.
    """
    model, how = configured.model, configured.configuration
    counts = model.complexity
    costs = dict.fromkeys(("params", "macs", "activations")) if counts is None else asdict(counts)
    return {
        "name": model.name,
        "trained": model.trained,
        "image_size": model.image_size,
        **costs,
        "counter": "multiply-adds of convolutions and linear layers (torch's FLOP counter / 2)",
        "device": device_label(how.device),
        "precision": how.precision if counts is not None else getattr(model.network, "name", ""),
        "layout": "channels-last" if how.channels_last else "NCHW",
        "compiled": how.compiled,
        "threads": how.threads,
        "tuned_at_batch": None if counts is None else tuned_at_batch,
        "measured": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "git_commit": git_commit(),
        "versions": versions(),
    }


def latency(times: Times, configured: ConfiguredModel) -> Row:
    """Return the latency at batch 1, with the time of each call."""
    model, how = configured.model, configured.configuration
    precision = model.file_precision or how.precision
    figures = asdict(Latency.of(times, how.threads, precision, torch.device(how.device)))
    return figures | _each_call(times, configured)


def throughput(times: Times, batch: Batch, configured: ConfiguredModel, work: Work) -> Row:
    """Return images per second and utilisation of a batch, with the time of each call."""
    p5, median, p95 = times.percentiles()
    images_per_s = 1e3 * batch.images / median
    counts, top, part = configured.model.complexity, peak(configured.configuration), None
    if counts is not None:
        part = utilisation(counts.macs, images_per_s, top, training=work == "training")
    return {
        "batch": batch.images,
        "limited_by": batch.limited_by,
        "rounds": len(times.walls),
        "median_ms": median,
        "p5_ms": p5,
        "p95_ms": p95,
        **_each_call(times, configured),
        "images_per_s": images_per_s,
        "utilisation": part,
        "peak_flops": top.flops,
        "peak_source": top.source,
    }


def _each_call(times: Times, configured: ConfiguredModel) -> Row:
    """Return wall times, and the processor time where it is the time of a call."""
    how = configured.configuration
    counts = processor_time_counts(how.threads, how.device)
    return {
        "cpu_ms": times.cpu if counts else None,
        "walls_ms": [round(wall, 4) for wall in times.walls],
    }
