"""What networks cost on this device: latency, throughput, memory, utilisation and energy."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch

from lit_effnet.benchmark.batch_size import Batch, Way, fitting, grown, limited, prepared, tried
from lit_effnet.benchmark.models import Candidate
from lit_effnet.benchmark.schema import Row, identity, latency, throughput
from lit_effnet.profiling.energy import LEAST_S, EnergyCounter, energy_counter, images_per_wh
from lit_effnet.profiling.execution import Configuration
from lit_effnet.profiling.latency import RUNS, WARM_UP
from lit_effnet.profiling.memory import PeakMemory, Work, peak_memory, reason, return_memory
from lit_effnet.profiling.timing import Times, alternating, torch_threads

Step = Callable[[str, int], object]
Pairs = Mapping[str, tuple[Candidate, Configuration]]


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
        tuned_at_batch: Images at which the configurations were chosen; null where they were not.
    """

    batch: int
    runs: int = RUNS
    rounds: int = 5
    seconds: float = 30.0
    training: bool = True
    memory: bool = True
    tuned_at_batch: int | None = None

    @property
    def works(self) -> tuple[Work, ...]:
        """What is computed at a batch."""
        return ("inference", "training") if self.training else ("inference",)

    @property
    def calls(self) -> int:
        """Of each network, for a progress bar."""
        return WARM_UP + self.runs + len(self.works) * (1 + self.rounds + self.memory)


def measure(
    candidates: Sequence[Candidate],
    configurations: Sequence[Configuration],
    plan: Plan,
    step: Step = lambda what, calls: None,
) -> Iterator[Row]:
    """A row for each network, as it is done; all are timed in turn before the first is.

    Where a network cannot do something, the reason stands in the place of its figures.

    Args:
        candidates: The networks, each under a name of its own.
        configurations: How each is run, all with as many threads.
        plan: What is measured.
        step: Is told what is done, and how many calls.
    """
    pairs = {c.name: (c, how) for c, how in zip(candidates, configurations, strict=True)}
    rows = {name: identity(c, how, plan.tuned_at_batch) for name, (c, how) in pairs.items()}
    with torch_threads(configurations[0].threads):
        _time_all(pairs, rows, plan, step)
    for name, (c, how) in pairs.items():
        for work in plan.works:
            told = rows[name].get(work)
            if not isinstance(told, dict):
                continue
            with torch_threads(how.threads):
                told["energy"] = energy(c, how, told["batch"], work)
            return_memory()  # or the process that comes would have less
            if plan.memory:
                told["memory"] = _memory(c, how, told["batch"], work)
            step("memory", 1)
        yield rows[name]


def _time_all(pairs: Pairs, rows: Mapping[str, Row], plan: Plan, step: Step) -> None:
    """Add latency and throughput to the rows."""
    single = {name: Batch(1) for name in pairs}
    moved = partial(step, "latency")
    found = timed(pairs, single, "inference", runs=plan.runs, warm_up=WARM_UP, done=moved)
    latencies: dict[str, float] = {}
    for name, told in found.items():
        if isinstance(told, str):
            rows[name] |= dict.fromkeys(("latency", *plan.works), told)
        else:
            rows[name]["latency"] = latency(told[0], *pairs[name])
            latencies[name] = rows[name]["latency"]["median_ms"]
    for work in plan.works:
        # Another program's file is only run.
        due = {
            name: pairs[name]
            for name in latencies
            if work == "inference" or pairs[name][0].complexity is not None
        }
        batches = {
            name: allowed(c, how, plan, work, latencies[name]) for name, (c, how) in due.items()
        }
        moved = partial(step, f"{work} batches")
        found = timed(due, batches, work, runs=plan.rounds, warm_up=1, done=moved)
        for name, told in found.items():
            c, how = due[name]
            rows[name][work] = told if isinstance(told, str) else throughput(*told, c, how, work)


def allowed(c: Candidate, how: Configuration, plan: Plan, work: Work, latency_ms: float) -> Batch:
    """The batch that memory and time allow a network on its device."""
    batch = fitting(c, plan.batch, work, how.device)
    if torch.device(how.device).type == "cpu":
        return limited(batch, plan.seconds, work, latency_ms)
    return grown(c, how, batch, work, plan.seconds)


def timed(
    pairs: Pairs,
    batches: Mapping[str, Batch],
    work: Work,
    *,
    runs: int,
    warm_up: int,
    done: Callable[[int], object],
) -> dict[str, tuple[Times, Batch] | str]:
    """Times of each network's batch, in turn, or in a line why it cannot be computed.

    Args:
        pairs: The networks, and how each is run.
        batches: Of each; halved where memory does not suffice.
        work: What is computed.
        runs: How often.
        warm_up: Calls before, that are not counted.
        done: Is told after each call.
    """
    return_memory()
    ways = {name: tried(c, how, batches[name], work) for name, (c, how) in pairs.items()}
    able = {name: way for name, way in ways.items() if isinstance(way, Way)}
    devices = {how.device for _, how in pairs.values()} - {"cpu"}
    times = alternating(able, runs, warm_up, next(iter(devices), "cpu"), done)
    return {
        name: way if isinstance(way, str) else way.failure or (times[name], way.batch)
        for name, way in ways.items()
    }


def energy(c: Candidate, how: Configuration, images: int, work: Work) -> dict[str, Any] | str:
    """Images for a watt-hour over some seconds of batches, or in a line why that is not known."""
    counter = energy_counter(how.device)
    if not isinstance(counter, EnergyCounter):
        return counter
    try:
        call = prepared(c, how, images, work)
        call()
        before, began, count = counter.joules(), time.monotonic(), 0
        while time.monotonic() - began < LEAST_S:
            call()
            count += images
        joules = counter.since(before)
    except Exception as error:  # a network or a driver may raise anything
        return reason(error)
    found = {"images_per_wh": images_per_wh(count, joules), "joules": joules, "images": count}
    return {**found, "seconds": time.monotonic() - began, "counter": counter.name}


def _memory(c: Candidate, how: Configuration, images: int, work: Work) -> dict[str, Any] | str:
    if c.complexity is None:
        return "export measures it, in its program's own process"
    found = peak_memory(c.network, how, images, c.image_size, work)
    return asdict(found) if isinstance(found, PeakMemory) else found
