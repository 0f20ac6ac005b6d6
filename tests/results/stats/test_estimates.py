"""Estimates agree with the textbooks, and their intervals hold what they say they do."""

import numpy as np
import pytest
from scipy import stats

from lit_effnet.results.stats.estimates import (
    FRACTION,
    Estimate,
    bootstrap,
    estimate,
    estimates,
    holm,
    repeats,
    repeats_needed,
    wilson,
)
from tests.results.runs import frame

# Student 1908, extra sleep in hours; R's data set `sleep`.
SLEEP_1 = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)


def test_the_t_interval_is_that_of_r() -> None:
    """t.test(sleep$extra[1:10]): mean 0.75, -0.5297804 to 2.0297804."""
    found = estimate(SLEEP_1)
    assert (found.n, found.mean) == (10, pytest.approx(0.75))
    assert found.sd == pytest.approx(1.789010, abs=1e-6)
    assert (found.t.low, found.t.high) == pytest.approx((-0.5297804, 2.0297804), abs=1e-6)


def test_an_accuracys_interval_ends_where_accuracies_do() -> None:
    values = [0.819, 0.809, 0.93]
    whole, cut = estimate(values), estimate(values, bounds=FRACTION)
    assert whole.t.high > 1
    assert (cut.t.low, cut.t.high) == (whole.t.low, 1.0)
    row = estimates(repeats(frame({"a": values}))).iloc[0]
    assert (row["t_low"], row["t_high"]) == (whole.t.low, 1.0)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], Estimate(0, None, None, None, None, "no finished repeat")),
        ([0.5], Estimate(1, 0.5, None, None, None, "one repeat: its spread is not known")),
        ([0.5, 0.5, 0.5], Estimate(3, 0.5, 0.0, None, None, "all repeats are equal: there is no spread to make an interval of")),
    ],
)  # fmt: skip
def test_too_few_repeats_have_a_reason_and_no_interval(values: list, expected: Estimate) -> None:
    assert estimate(values) == expected


def test_two_repeats_have_a_spread_and_no_interval() -> None:
    found = estimate([0.5, 0.7])
    assert found.sd == pytest.approx(0.1 * 2**0.5)
    assert (found.t, found.bootstrap) == (None, None)
    assert found.reason == "2 repeats: an interval needs 3"


def test_the_bootstrap_is_the_same_at_each_call_and_skewed_as_the_repeats() -> None:
    values = [0.70, 0.71, 0.72, 0.73, 0.90]
    found = bootstrap(values)
    assert found == bootstrap(values)
    mean = np.mean(values)
    assert found.high - mean > mean - found.low > 0


# Newcombe 1998, Statistics in Medicine 17, 857, table I, method 3.
@pytest.mark.parametrize(
    ("correct", "images", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilsons_interval_is_newcombes(correct: int, images: int, low: float, high: float) -> None:
    found = wilson(correct, images)
    assert (found.low, found.high) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("correct", "images"), [(1, 0), (5, 4), (-1, 4)])
def test_counts_that_are_none_are_refused(correct: int, images: int) -> None:
    with pytest.raises(ValueError, match=rf"correct {correct}: must be from 0 to images"):
        wilson(correct, images)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """Of 4,000 draws 95 % is known to 0.7 points; 2 are allowed."""
    rng = np.random.default_rng(0)
    for n in (3, 5, 10):
        arms = rng.normal(0.77, 0.003, (4_000, n))
        # The formula over all at once, which is the estimate's at the first.
        low, high = stats.t.interval(0.95, n - 1, arms.mean(1), stats.sem(arms, axis=1))
        assert estimate(arms[0]).t.low == pytest.approx(low[0])
        assert np.mean((low <= 0.77) & (high >= 0.77)) == pytest.approx(0.95, abs=0.02)
    drawn = rng.binomial(500, 0.77, 4_000)
    found = {correct: wilson(int(correct), 500) for correct in np.unique(drawn)}
    held = [found[correct].low <= 0.77 <= found[correct].high for correct in drawn]
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)


def test_holms_p_values_are_those_of_r() -> None:
    """p.adjust(p, "holm")."""
    assert holm([0.04, 0.01, 0.03, 0.02, 0.05]) == pytest.approx([0.09, 0.05, 0.09, 0.08, 0.09])
    assert holm([0.5, 0.9, 0.001]) == pytest.approx([1.0, 1.0, 0.003])
    assert holm([]) == []


@pytest.mark.parametrize(
    ("gap", "sd", "power", "needed"),
    [
        (1.0, 1.0, 0.8, 10),  # power.t.test(delta=1, power=.8, type="paired") of R: 9.94
        (0.5, 1.0, 0.8, 34),  # 33.4; G*Power's manual has 34
        (-0.5, 1.0, 0.8, 34),
        (0.5, 1.0, 0.9, 44),  # 43.9
        (500.0, 1.0, 0.8, 3),  # the fewest that are tested
    ],
)
def test_repeats_needed_are_those_of_r(gap: float, sd: float, power: float, needed: int) -> None:
    assert repeats_needed(gap, sd, power) == needed


def test_repeats_needed_rise_with_the_spread() -> None:
    """Also where scipy gives no number for the tail beyond zero."""
    needed = [repeats_needed(4.3, sd) for sd in (0.1, 0.4, 0.825, 1.2, 2, 4, 10)]
    assert needed == [3, 3, 3, 3, 4, 9, 45]


def test_repeats_needed_show_the_gap_as_often_as_asked() -> None:
    n = repeats_needed(0.01, 0.01)
    differences = np.random.default_rng(0).normal(0.01, 0.01, (4_000, n))
    assert np.mean(stats.ttest_1samp(differences, 0, axis=1).pvalue < 0.05) >= 0.8 - 0.02
    assert np.mean(stats.ttest_1samp(differences[:, 1:], 0, axis=1).pvalue < 0.05) < 0.8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1), "gap 0: must be a number other than 0"),
        ((float("nan"), 1), "gap nan: must be a number other than 0"),
        ((1, 0), "sd 0: must be a number above 0"),
        ((1, 1, 0.01), "power 0.01: must be between alpha 0.05 and 1"),
    ],
)
def test_a_question_without_an_answer_is_refused(arguments: tuple, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        repeats_needed(*arguments)


def test_only_finished_runs_count_and_the_others_are_told() -> None:
    table = frame({"a": [0.5, 0.6, 0.7, 0.8, 0.9, 0.1]})
    table.loc[1, "status"] = "running"
    table.loc[2, "status"] = "failed"
    table.loc[3, "top1"] = None
    table.loc[4, "newest"] = False
    table.loc[5, "seed"] = None
    found = repeats(table)
    assert found.values == {"a": {0: 0.5}}
    assert found.left_out == {
        "running": 1, "failed": 1, "no top1": 1, "older weights": 1, "no seed": 1,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("data", ["x", "y"], "frame: must have one data, and has 2: x, y"),
        ("condition", ["clean", "fog"], "frame: must have one condition, and has 2: clean, fog"),
        ("recipe", ["x", "y"], "arm 'a': must have one recipe, and has 2: x, y"),
        ("seed", [0, 0], "arm 'a': must have each seed once, and has 0 in a/0, a/1"),
    ],
)
def test_rows_that_are_no_repeats_are_refused(column: str, values: list, message: str) -> None:
    table = frame({"a": [0.5, 0.6]})
    table[column] = values
    with pytest.raises(ValueError, match=message):
        repeats(table)


def test_arms_may_be_told_by_another_column() -> None:
    table = frame({"a": [0.5], "b": [0.7]}, recipe={"a": "plain", "b": "quick"})
    assert repeats(table, by="recipe").values == {"plain": {0: 0.5}, "quick": {0: 0.7}}


def test_estimates_are_a_row_for_each_arm() -> None:
    found = estimates(repeats(frame({"few": [0.5], "many": [0.5, 0.6, 0.7]})))
    assert found["arm"].to_list() == ["few", "many"]
    assert found["n"].to_list() == [1, 3]
    assert found["t_low"].isna().to_list() == [True, False]
    assert found["reason"].to_list() == ["one repeat: its spread is not known", ""]
    assert estimates(repeats(frame({}))).empty
