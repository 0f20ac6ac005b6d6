"""Measure networks on this device: latency, throughput, memory, utilisation and energy."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch

from lit_effnet.benchmark.batch_size import (
    Batch,
    BenchmarkCall,
    first_call,
    grow,
    limit_by_memory,
    limit_by_time,
)
from lit_effnet.benchmark.models import ConfiguredModel
from lit_effnet.benchmark.schema import Row, identity, latency, throughput
from lit_effnet.profiling.energy import LEAST_S, EnergyCounter, energy_counter, images_per_wh
from lit_effnet.profiling.latency import RUNS, WARM_UP
from lit_effnet.profiling.memory import PeakMemory, Work, peak_memory, reason, return_memory
from lit_effnet.profiling.timing import Times, alternating, torch_threads

Step = Callable[[str, int], object]
Models = Mapping[str, ConfiguredModel]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Measurements to make, and how long they may take.

    Args:
        batch: Images in a batch, where memory and time allow.
        runs: Calls at batch 1.
        rounds: Batches of each network.
        seconds: Longest duration of a batch.
        training: Whether to measure training steps too.
        memory: Whether to measure peak memory, each in a process of its own.
        tuned_at_batch: Batch at which the configurations were chosen; None where they were given.

    Raises:
        ValueError: A number is too small.
    """

    batch: int
    runs: int = RUNS
    rounds: int = 5
    seconds: float = 30.0
    training: bool = True
    memory: bool = True
    tuned_at_batch: int | None = None

    def __post_init__(self) -> None:
        for name in ("batch", "runs", "rounds"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} {getattr(self, name)}: must be at least 1")
        if self.seconds <= 0:
            raise ValueError(f"seconds {self.seconds}: must be above 0")

    @property
    def works(self) -> tuple[Work, ...]:
        """Kinds of work that are measured in batches."""
        return ("inference", "training") if self.training else ("inference",)

    @property
    def calls(self) -> int:
        """Calls of each network, for a progress bar."""
        return WARM_UP + self.runs + len(self.works) * (1 + self.rounds + self.memory)


def measure(
    models: Sequence[ConfiguredModel],
    plan: Plan,
    step: Step = lambda activity, calls: None,
) -> Iterator[Row]:
    """Yield one row per network, after timing all of them interleaved.

    Where a network cannot do something, the row has the reason instead of its figures.

    Args:
        models: The networks, under different names and with equally many threads.
        plan: Measurements to make.
        step: Called with the activity and the number of calls, for a progress bar.
    """
    by_name = {configured.model.name: configured for configured in models}
    rows = {name: identity(model, plan.tuned_at_batch) for name, model in by_name.items()}
    with torch_threads(models[0].configuration.threads):
        _time_all(by_name, rows, plan, step)
    for name, model in by_name.items():
        for work in plan.works:
            figures = rows[name].get(work)
            if not isinstance(figures, dict):
                continue
            with torch_threads(model.configuration.threads):
                figures["energy"] = energy(model, figures["batch"], work)
            return_memory()  # or the process below would have less
            if plan.memory:
                figures["memory"] = _memory(model, figures["batch"], work)
            step("memory", 1)
        yield rows[name]


def _time_all(models: Models, rows: Mapping[str, Row], plan: Plan, step: Step) -> None:
    """Add latency and throughput to the rows."""
    single = dict.fromkeys(models, Batch(1))
    timed = time_in_turn(
        models, single, "inference", runs=plan.runs, warm_up=WARM_UP, done=partial(step, "latency")
    )
    latencies: dict[str, float] = {}
    for name, result in timed.items():
        if isinstance(result, str):
            rows[name] |= dict.fromkeys(("latency", *plan.works), result)
        else:
            rows[name]["latency"] = latency(result[0], models[name])
            latencies[name] = rows[name]["latency"]["median_ms"]
    for work in plan.works:
        able = {
            name: models[name]
            for name in latencies
            if work == "inference" or models[name].model.complexity is not None  # no exported file
        }
        batches = {name: choose_batch(m, plan, work, latencies[name]) for name, m in able.items()}
        done = partial(step, f"{work} batches")
        timed = time_in_turn(able, batches, work, runs=plan.rounds, warm_up=1, done=done)
        for name, result in timed.items():
            rows[name][work] = (
                result if isinstance(result, str) else throughput(*result, able[name], work)
            )


def choose_batch(configured: ConfiguredModel, plan: Plan, work: Work, latency_ms: float) -> Batch:
    """Return the batch that memory and time allow a network on its device."""
    device = configured.configuration.device
    batch = limit_by_memory(configured.model, plan.batch, work, device)
    if torch.device(device).type == "cpu":
        return limit_by_time(batch, plan.seconds, work, latency_ms)
    return grow(configured, batch, work, plan.seconds)


def time_in_turn(
    models: Models,
    batches: Mapping[str, Batch],
    work: Work,
    *,
    runs: int,
    warm_up: int,
    done: Callable[[int], object],
) -> dict[str, tuple[Times, Batch] | str]:
    """Return the times and the batch of each network, or its error in one line.

    Args:
        models: The networks, timed in turn.
        batches: Batch of each network; halved where memory does not suffice.
        work: Inference or training.
        runs: Timed calls of each network.
        warm_up: Calls before, which are not timed.
        done: Called after each call.
    """
    return_memory()
    calls = {name: first_call(model, batches[name], work) for name, model in models.items()}
    able = {name: call for name, call in calls.items() if isinstance(call, BenchmarkCall)}
    devices = {model.configuration.device for model in models.values()} - {"cpu"}
    times = alternating(able, runs, warm_up, next(iter(devices), "cpu"), done)
    return {
        name: call if isinstance(call, str) else call.failure or (times[name], call.batch)
        for name, call in calls.items()
    }


def energy(configured: ConfiguredModel, images: int, work: Work) -> dict[str, Any] | str:
    """Return images per watt-hour over some seconds of batches, or why they are unknown."""
    counter = energy_counter(configured.configuration.device)
    if not isinstance(counter, EnergyCounter):
        return counter
    try:
        call = configured.call(images, work)
        call()
        before, began, count = counter.joules(), time.monotonic(), 0
        while time.monotonic() - began < LEAST_S:
            call()
            count += images
        joules = counter.since(before)
    except Exception as error:  # a network or a driver may raise anything
        return reason(error)
    return {
        "images_per_wh": images_per_wh(count, joules),
        "joules": joules,
        "images": count,
        "seconds": time.monotonic() - began,
        "counter": counter.name,
    }


def _memory(configured: ConfiguredModel, images: int, work: Work) -> dict[str, Any] | str:
    model = configured.model
    if model.complexity is None:
        return "`export` measures it, in a process of its own"
    peak = peak_memory(model.network, configured.configuration, images, model.image_size, work)
    return asdict(peak) if isinstance(peak, PeakMemory) else peak
