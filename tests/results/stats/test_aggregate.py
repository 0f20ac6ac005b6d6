"""Aggregates over data sets are rliable's."""

import numpy as np
import pytest

from lit_effnet.results.stats.aggregate import interquartile_mean, probability_of_improvement


def test_the_interquartile_mean_is_that_of_the_middle_half() -> None:
    found = interquartile_mean({"x": [0.0, 5.0, 1.0, 2.0], "y": [3.0, 4.0, 100.0, 6.0]})
    assert found.value == pytest.approx((2 + 3 + 4 + 5) / 4)
    assert found.data_sets == ("x", "y")
    assert found.interval.low < found.value < found.interval.high


def test_ties_count_half_and_data_sets_alike() -> None:
    a = {"x": [1.0, 2.0, 3.0], "y": [1.0] * 3, "only": [1.0]}
    b = {"x": [1.5, 2.0, 0.0], "y": [1.0] * 6}
    found = probability_of_improvement(a, b)
    assert found.value == pytest.approx(((1 + 2.5 + 3) / 9 + 0.5) / 2)
    assert found.data_sets == ("x", "y")
    assert probability_of_improvement(b, a).value == pytest.approx(1 - found.value)


def test_repeats_are_drawn_within_their_data_set() -> None:
    """Data sets that differ in difficulty alone give no spread."""
    found = interquartile_mean({"easy": [0.9] * 4, "hard": [0.1] * 4})
    assert (found.interval.low, found.interval.high) == pytest.approx((0.5, 0.5))


def test_with_few_repeats_there_is_no_interval() -> None:
    few = {"x": [0.1, 0.2]}
    assert interquartile_mean(few).interval is None
    assert probability_of_improvement(few, {"x": [0.1, 0.2, 0.3]}).interval is None


def test_the_intervals_hold_the_truth_nearly_as_often_as_they_say() -> None:
    """A percentile bootstrap of ten repeats falls somewhat short."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(200):
        scores = {name: rng.normal(0.5, 0.1, 10) for name in "xyz"}
        interval = interquartile_mean(scores).interval
        held += interval.low <= 0.5 <= interval.high
    assert 0.88 < held / 200 < 0.99


@pytest.mark.parametrize("scores", [{}, {"x": []}, {"x": [1.0, 2.0], "y": [1.0]}])
def test_uneven_repeats_have_no_interquartile_mean(scores: dict) -> None:
    with pytest.raises(ValueError, match="scores: must have as many repeats of each data set"):
        interquartile_mean(scores)


def test_arms_without_a_common_data_set_are_refused() -> None:
    with pytest.raises(ValueError, match="b: must share a data set with a"):
        probability_of_improvement({"x": [1.0]}, {"y": [1.0]})
