"""W&B's hyperband: at each band, a running trial must be among the best 1/eta seen there.

Li et al. 2018, "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization",
arXiv 1603.06560, with the bands, threshold and defaults of W&B's engine.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from numbers import Real
from typing import Any

ETA = 3


def to_stop(
    early_terminate: Mapping[str, Any],
    metric: Mapping[str, Any],
    histories: Mapping[str, Sequence[float]],
    running: Collection[str],
) -> set[str]:
    """Return the running trials that W&B would stop now.

    Args:
        early_terminate: The sweep file's section: min_iter, or max_iter and s; eta, strict.
        metric: The sweep file's section; a goal other than maximize means minimize.
        histories: The logged values of the metric of every trial.
        running: The trials that can be stopped.

    Raises:
        ValueError: There is no band, since max_iter / eta or s is below 1.
    """
    sign = -1 if metric.get("goal") == "maximize" else 1
    losses = {
        name: [sign * value for value in history if _is_number(value)]
        for name, history in histories.items()
    }
    longest = max(map(len, losses.values()), default=0)
    thresholds = {
        band: _threshold(band, losses.values(), _eta(early_terminate))
        for band in bands(early_terminate, longest)
    }
    # The default is strict, as in the engine's schema.
    strict = early_terminate.get("strict", True)
    return {
        name
        for name in running
        if (passed := [band for band in thresholds if band <= len(losses.get(name, ()))])
        and (losses[name][passed[-1] - 1] if strict else min(losses[name])) > thresholds[passed[-1]]
    }


def bands(early_terminate: Mapping[str, Any], longest: int) -> list[int]:
    """Return the bands: counts of logged values, up to `longest`, at which trials are compared.

    Raises:
        ValueError: The settings yield no band for any trial length.
    """
    eta = _eta(early_terminate)
    judged_at: list[int] = []
    if "max_iter" in early_terminate:
        band = early_terminate["max_iter"] / eta
        while band >= 1 and len(judged_at) < early_terminate["s"]:
            judged_at.append(int(band))
            band /= eta
        if not judged_at:
            raise ValueError(
                f"early_terminate: max_iter {early_terminate['max_iter']} with eta {eta:g} and "
                f"s {early_terminate['s']} has no band: max_iter / eta and s must be at least 1"
            )
        return sorted(band for band in judged_at if band <= longest)
    band = early_terminate["min_iter"]
    while band <= longest:
        judged_at.append(int(band))
        band *= eta
    return judged_at


def _eta(early_terminate: Mapping[str, Any]) -> float:
    eta = float(early_terminate.get("eta", ETA))
    assert eta > 1, "refused when the sweep file is read"
    return eta


def _threshold(band: int, losses: Collection[Sequence[float]], eta: float) -> float:
    """Return the worst loss that may go on: one beyond the best 1/eta of those seen at `band`."""
    seen = sorted(history[band - 1] for history in losses if len(history) >= band)
    return seen[int(1 / eta * len(seen))] if seen else math.inf


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)
