"""The fastest correct configuration of a network on this device."""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from lit_effnet.benchmark.models import Candidate
from lit_effnet.profiling.execution import Configuration, alternatives, is_correct
from lit_effnet.profiling.timing import Times, alternating, processor_time_counts, torch_threads

TUNE_BATCH, TUNE_RUNS, TUNE_WARM_UP = 1, 9, 2


def tuned(
    candidate: Candidate,
    asked: Configuration,
    *,
    compiled: bool,
    step: Callable[[int], object] = lambda tried: None,
) -> Configuration:
    """The fastest configuration at batch 1 whose logits are float32's.

    Args:
        candidate: The network.
        asked: Threads and device; the answer too where the network cannot be run at all.
        compiled: Whether compiling is tried, which takes its time.
        step: Is told of each that was tried.
    """
    with torch_threads(asked.threads):
        plain = replace(asked, precision="float32", channels_last=False, compiled=False)
        try:
            expected = _inference(candidate, plain)()
        except Exception:  # its measurement will meet the same, and tell
            return asked
        ways: dict[Configuration, Callable[[], Tensor]] = {}
        for kind in alternatives(asked.threads, asked.device, compiled=compiled):
            try:
                once = _inference(candidate, kind)
                correct = is_correct(once(), expected, kind.precision)
            except Exception:  # what this device cannot do, a compiler that is not there
                correct = False
            if correct:
                ways[kind] = once
            step(1)
        times = alternating(ways, TUNE_RUNS, TUNE_WARM_UP, asked.device)
        counts = processor_time_counts(asked.threads, asked.device)
        return min(times, key=lambda kind: _duration(times[kind], counts), default=plain)


def _inference(candidate: Candidate, how: Configuration) -> Callable[[], Tensor]:
    images = how.images(TUNE_BATCH, candidate.image_size)
    return how.inference(how.prepare(candidate.network), images)


def _duration(times: Times, processor_time: bool) -> float:
    """What is compared: the processor's own time where that is the time of a call."""
    return times.cpu if processor_time else times.percentiles()[1]
