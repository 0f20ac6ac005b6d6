"""The fastest correct configuration of a network on this device."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from torch import Tensor

from lit_effnet.benchmark.models import BenchmarkModel, ConfiguredModel
from lit_effnet.profiling.execution import Configuration, alternatives, is_correct
from lit_effnet.profiling.timing import Times, alternating, processor_time_counts, torch_threads

TUNE_BATCH, TUNE_RUNS, TUNE_WARM_UP = 1, 9, 2


def configure(
    models: Sequence[BenchmarkModel],
    requested: Configuration,
    *,
    tune: bool,
    step: Callable[[str, int], object],
) -> list[ConfiguredModel]:
    """Return the networks with how each is run; exported files run as their runtime does.

    Args:
        models: The networks.
        requested: The configuration of all networks that are not tuned.
        tune: Whether to look for the fastest configuration of each network.
        step: Called after each configuration, for a progress bar.
    """

    def chosen(model: BenchmarkModel) -> Configuration:
        if not tune or model.complexity is None:
            return model.configuration(requested)
        return fastest_configuration(
            model,
            requested,
            compiled=requested.compiled,
            step=lambda count: step("configurations", count),
        )

    return [ConfiguredModel(model, chosen(model)) for model in models]


def fastest_configuration(
    model: BenchmarkModel,
    requested: Configuration,
    *,
    compiled: bool,
    step: Callable[[int], object] = lambda count: None,
) -> Configuration:
    """Return the fastest configuration at batch 1 whose logits agree with float32's.

    Args:
        model: The network.
        requested: Threads and device; returned where the network cannot be run at all.
        compiled: Whether to try torch.compile, which takes its time.
        step: Called after each configuration, for a progress bar.
    """
    with torch_threads(requested.threads):
        plain = replace(requested, precision="float32", channels_last=False, compiled=False)
        try:
            expected = _inference(model, plain)()
        except Exception:  # the measurement will meet the same error and report it
            return requested
        calls: dict[Configuration, Callable[[], Tensor]] = {}
        for kind in alternatives(requested.threads, requested.device, compiled=compiled):
            try:
                call = _inference(model, kind)
                correct = is_correct(call(), expected, kind.precision)
            except Exception:  # unsupported on this device, or there is no compiler
                correct = False
            if correct:
                calls[kind] = call
            step(1)
        times = alternating(calls, TUNE_RUNS, TUNE_WARM_UP, requested.device)
        counts = processor_time_counts(requested.threads, requested.device)
        return min(times, key=lambda kind: _duration(times[kind], counts), default=plain)


def _inference(model: BenchmarkModel, kind: Configuration) -> Callable[[], Tensor]:
    return ConfiguredModel(model, kind).call(TUNE_BATCH, "inference")


def _duration(times: Times, processor_time: bool) -> float:
    """Return processor time where it is the time of a call, else the median wall time."""
    return times.cpu if processor_time else times.percentiles()[1]
