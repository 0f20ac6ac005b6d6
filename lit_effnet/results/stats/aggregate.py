"""One number over several data sets: interquartile mean and probability of improvement.

Agarwal et al. 2021, "Deep Reinforcement Learning at the Edge of the Statistical Precipice", arXiv
2108.13264; the definitions of its package rliable. Intervals are of the percentile bootstrap,
stratified: repeats are drawn again within each data set, and the data sets stay.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from lit_effnet.results.stats.estimates import CONFIDENCE, FEWEST, Interval

Scores = Mapping[str, Sequence[float]]  # repeats of each data set
RESAMPLES = 2_000
TRIMMED = 0.25  # at each side: the mean of the middle half


@dataclass(frozen=True)
class Aggregate:
    """A statistic over data sets.

    Args:
        value: Value of the statistic.
        interval: Confidence interval; None with fewer than three repeats of a data set.
        data_sets: Names of the data sets.
    """

    value: float
    interval: Interval | None
    data_sets: tuple[str, ...]


def interquartile_mean(scores: Scores, confidence: float = CONFIDENCE) -> Aggregate:
    """Mean of the middle half of all repeats of all data sets.

    Scores of data sets that differ in difficulty should be normalised first, to those of a
    reference, or the middle half is that of the middling data sets.

    Args:
        scores: Scores of the repeats; every data set has equally many.
        confidence: Confidence level of the interval.

    Raises:
        ValueError: no data sets, or not as many repeats.
    """
    counts = {name: len(values) for name, values in scores.items()}
    if not counts or len({*counts.values()}) > 1 or 0 in counts.values():
        raise ValueError(f"scores: must have as many repeats of each data set, and has {counts}")
    names = tuple(scores)
    every = np.concatenate([scores[name] for name in names])
    value = float(stats.trim_mean(every, TRIMMED))
    rng = np.random.default_rng(0)
    drawn = np.concatenate([_draws(scores[name], rng) for name in names], axis=1)
    interval = _percentiles(stats.trim_mean(drawn, TRIMMED, axis=1), confidence)
    return Aggregate(value, interval if min(counts.values()) >= FEWEST else None, names)


def probability_of_improvement(a: Scores, b: Scores, confidence: float = CONFIDENCE) -> Aggregate:
    """Estimate the probability that a repeat of a beats a repeat of b, averaged over data sets.

    A tie counts half, so 0.5 means no improvement.

    Args:
        a: Repeats of each data set.
        b: Repeats of the other arm; data sets that only one arm has are dropped.
        confidence: Confidence level of the interval.

    Raises:
        ValueError: The arms share no data set.
    """
    names = tuple(name for name in a if name in b and len(a[name]) and len(b[name]))
    if not names:
        raise ValueError("b: must share a data set with a")
    rng = np.random.default_rng(0)
    each = [_beats(np.array([a[name]]), np.array([b[name]])) for name in names]
    drawn = [_beats(_draws(a[name], rng), _draws(b[name], rng)) for name in names]
    fewest = min(len(of[name]) for of in (a, b) for name in names)
    interval = _percentiles(np.mean(drawn, axis=0), confidence) if fewest >= FEWEST else None
    return Aggregate(float(np.mean(each)), interval, names)


def _draws(values: Sequence[float], rng: np.random.Generator) -> NDArray[np.float64]:
    """Repeats drawn again, `[RESAMPLES, repeats]`."""
    numbers = np.asarray(values, float)
    return numbers[rng.integers(0, len(numbers), (RESAMPLES, len(numbers)))]


def _beats(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of pairs in which a is above b, ties half: Mann and Whitney's U over its greatest."""
    above, equal = a[:, :, None] > b[:, None, :], a[:, :, None] == b[:, None, :]
    share: NDArray[np.float64] = (above + 0.5 * equal).mean(axis=(1, 2))
    return share


def _percentiles(values: NDArray[np.float64], confidence: float) -> Interval:
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(high))
