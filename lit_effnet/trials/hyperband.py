"""W&B's hyperband: at each band a running trial must be among the best 1/eta seen there.

Li et al. 2018, "Hyperband: A Novel Bandit-Based Approach to Hyperparameter Optimization",
arXiv 1603.06560, as W&B's engine does it: with its bands, its threshold and its defaults.
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
    """The running trials that W&B would stop now.

    Args:
        early_terminate: The sweep file's section: min_iter, or max_iter and s; eta, strict.
        metric: The sweep file's section; a goal other than maximize is minimize.
        histories: Every trial's values of the metric, one for each time it was logged.
        running: The trials that can be stopped.

    Raises:
        ValueError: no band, since max_iter / eta or s is below 1.
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
    # Absent is strict: the engine fills in its schema's default.
    strict = early_terminate.get("strict", True)
    return {
        name
        for name in running
        if (passed := [band for band in thresholds if band <= len(losses.get(name, ()))])
        and (losses[name][passed[-1] - 1] if strict else min(losses[name])) > thresholds[passed[-1]]
    }


def bands(early_terminate: Mapping[str, Any], longest: int) -> list[int]:
    """The numbers of logged values at which trials are judged, those up to `longest`.

    Raises:
        ValueError: there is none at all, however long trials run.
    """
    eta = _eta(early_terminate)
    found: list[int] = []
    if "max_iter" in early_terminate:
        band = early_terminate["max_iter"] / eta
        while band >= 1 and len(found) < early_terminate["s"]:
            found.append(int(band))
            band /= eta
        if not found:
            raise ValueError(
                f"early_terminate: max_iter {early_terminate['max_iter']} with eta {eta:g} and "
                f"s {early_terminate['s']} has no band: max_iter / eta and s must be at least 1"
            )
        return sorted(band for band in found if band <= longest)
    band = early_terminate["min_iter"]
    while band <= longest:
        found.append(int(band))
        band *= eta
    return found


def _eta(early_terminate: Mapping[str, Any]) -> float:
    eta = float(early_terminate.get("eta", ETA))
    assert eta > 1, "refused when the sweep file is read"
    return eta


def _threshold(band: int, losses: Collection[Sequence[float]], eta: float) -> float:
    """The worst loss that may go on: of those seen at `band` the best 1/eta, and one more."""
    there = sorted(history[band - 1] for history in losses if len(history) >= band)
    return there[int(1 / eta * len(there))] if there else math.inf


def _is_number(value: Any) -> bool:
    return not isinstance(value, bool) and isinstance(value, Real) and math.isfinite(value)
