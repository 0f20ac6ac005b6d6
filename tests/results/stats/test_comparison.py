"""Comparisons agree with the textbooks, and say what they rest on."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from lit_effnet.results.stats.comparison import (
    compare,
    compare_all,
    compare_images,
    comparison_frame,
    relative_gain,
)
from lit_effnet.results.stats.estimates import Repeats, repeats_needed

# Student 1908, extra sleep of the same ten persons after two drugs; R's data set `sleep`.
DRUG_1 = dict(enumerate((0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)))
DRUG_2 = dict(enumerate((1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)))


def test_shared_seeds_are_paired_as_in_r() -> None:
    """t.test(extra ~ group, paired = TRUE): t -4.0621, df 9, p 0.002833, -2.4598858 to -0.7001142."""
    found = compare("1", "2", DRUG_1, DRUG_2)
    assert (found.test, found.n, found.seeds) == ("paired t", 10, tuple(range(10)))
    assert found.difference == pytest.approx(-1.58)
    assert found.p == pytest.approx(0.002833, abs=5e-7)
    interval = (found.interval.low, found.interval.high)
    assert interval == pytest.approx((-2.4598858, -0.7001142), abs=5e-8)


def test_without_a_shared_seed_it_is_welchs_test_as_in_r() -> None:
    """t.test(extra ~ group): t -1.8608, df 17.776, p 0.07939, -3.3654832 to 0.2054832."""
    found = compare("1", "2", DRUG_1, {seed + 10: value for seed, value in DRUG_2.items()})
    assert (found.test, found.seeds) == ("Welch", ())
    assert found.p == pytest.approx(0.07939, abs=5e-6)
    interval = (found.interval.low, found.interval.high)
    assert interval == pytest.approx((-3.3654832, 0.2054832), abs=5e-8)


def test_only_seeds_that_both_have_are_compared() -> None:
    found = compare("a", "b", {0: 0.5, 1: 0.6, 2: 0.8, 9: 0.0}, {0: 0.4, 1: 0.4, 2: 0.5, 7: 1.0})
    assert (found.n, found.seeds) == (3, (0, 1, 2))
    assert found.difference == pytest.approx(0.2)


@pytest.mark.parametrize("shift", [1, 2, 8])
def test_seeds_that_overlap_partly_are_compared_by_welchs_test_of_all_and_it_says_so(
    shift: int,
) -> None:
    other = {seed + shift: value for seed, value in enumerate((0.6, 0.62, 0.65))}
    found = compare("a", "b", {0: 0.5, 1: 0.6, 2: 0.55}, other)
    textbook = stats.ttest_ind((0.5, 0.6, 0.55), (0.6, 0.62, 0.65), equal_var=False)
    assert (found.test, found.n, found.seeds) == ("Welch", 3, ())
    assert found.p == pytest.approx(textbook.pvalue)
    assert found.difference == pytest.approx(0.55 - 0.6233333)
    shared = max(0, 3 - shift)
    assert found.shared == shared


@pytest.mark.parametrize(
    ("of_a", "of_b", "reason"),
    [
        ({}, {0: 0.5}, "a has no finished repeat"),
        ({0: 0.5, 1: 0.6}, {0: 0.5, 1: 0.7}, "2 shared seeds: a test needs 3"),
        ({0: 0.5, 1: 0.6}, {2: 0.5, 3: 0.7}, "2 unpaired repeats: a test needs 3"),
        ({0: 0.1, 1: 0.2, 2: 0.4}, {0: 0.2, 1: 0.3, 2: 0.5}, "the differences have no variance"),
    ],
)
def test_what_cannot_be_tested_says_why(of_a: dict, of_b: dict, reason: str) -> None:
    found = compare("a", "b", of_a, of_b)
    assert (found.test, found.p, found.interval) == (None, None, None)
    assert found.reason.startswith(reason)
    assert (found.outcome, found.repeats_needed) == ("not tested", None)


def test_the_outcome_is_that_of_the_first_arm() -> None:
    low = {seed: 0.70 + 0.01 * seed for seed in range(4)}
    high = {seed: value + 0.012 + 0.004 * (-1) ** seed for seed, value in low.items()}
    assert compare("high", "low", high, low).outcome == "better"
    assert compare("low", "high", low, high).outcome == "worse"
    close = {seed: value + 0.01 * (-1) ** seed for seed, value in low.items()}
    assert compare("close", "low", close, low).outcome == "not significant"


def test_the_repeats_that_are_needed_follow_from_the_paired_differences() -> None:
    gaps = (0.01, 0.02, -0.005)
    found = compare(
        "a", "b", {seed: 0.5 + gap for seed, gap in enumerate(gaps)}, dict.fromkeys(range(3), 0.5)
    )
    assert found.sd == pytest.approx(np.std(gaps, ddof=1))
    assert found.repeats_needed == repeats_needed(np.mean(gaps), found.sd)
    of_three = replace(found, family=3).repeats_needed
    assert (
        of_three == repeats_needed(np.mean(gaps), found.sd, alpha=0.05 / 3) > found.repeats_needed
    )
    assert replace(found, difference=0.0001).repeats_needed is None


def test_p_values_are_adjusted_for_all_comparisons_that_have_one() -> None:
    rng = np.random.default_rng(0)
    values = {arm: dict(enumerate(rng.normal(0.7, 0.01, 5))) for arm in "abc"}
    made = compare_all(Repeats({**values, "few": {0: 0.7}}, {}))
    assert [(one.a, one.b) for one in made] == [
        ("a", "b"), ("a", "c"), ("a", "few"), ("b", "c"), ("b", "few"), ("c", "few"),
    ]  # fmt: skip
    tested = [one for one in made if one.test]
    assert len(tested) == 3
    least = min(tested, key=lambda one: one.p)
    assert (least.holm, least.family) == (pytest.approx(3 * least.p), 3)
    (alone,) = [one for one in compare_all(Repeats(values, {}), "b") if one.a == "a"]
    assert alone.b == "b"
    assert alone.p == pytest.approx(tested[0].p)
    frame = comparison_frame(made)
    assert frame["p_holm"].notna().sum() == 3
    assert frame["shared_seeds"].to_list()[:2] == ["0, 1, 2, 3, 4"] * 2


def test_an_unknown_reference_is_refused() -> None:
    with pytest.raises(ValueError, match="reference 'x': must be one of 'a', 'b'"):
        compare_all(Repeats({"a": {}, "b": {}}, {}), "x")


def test_a_difference_is_shown_by_chance_no_more_often_than_said() -> None:
    """Four equal arms, six comparisons: one of 20 tables shows a difference, at most."""
    rng = np.random.default_rng(0)
    tables = [
        compare_all(Repeats({arm: dict(enumerate(rng.normal(size=5))) for arm in "abcd"}, {}))
        for _ in range(400)
    ]
    shown = np.mean([any(one.shown for one in table) for table in tables])
    alone = np.mean([any(one.p < 0.05 for one in table) for table in tables])
    assert shown < 0.07 < alone


def images(both: int, only_a: int, only_b: int, neither: int) -> tuple[list[bool], list[bool]]:
    cells = [(True, True)] * both + [(True, False)] * only_a
    cells += [(False, True)] * only_b + [(False, False)] * neither
    first, second = zip(*cells, strict=True)
    return [*first], [*second]


def test_mcnemar_is_agrestis() -> None:
    """Approval of the prime minister: Agresti, Categorical Data Analysis, 2nd edition, 10.1.

    Difference 0.06 - 0.02 (its 95 % interval), z^2 34.71; here exact, so with another p-value.
    """
    found = compare_images("first", "second", *images(794, 150, 86, 570))
    assert (found.test, found.n) == ("McNemar", 1600)
    assert found.difference == pytest.approx(0.04)
    assert (found.interval.low, found.interval.high) == pytest.approx((0.0213, 0.0587), abs=2e-4)
    assert found.p == pytest.approx(2 * stats.binom.cdf(86, 236, 0.5))
    assert found.p == pytest.approx(stats.chi2.sf((150 - 86) ** 2 / 236, 1), rel=0.5)


def test_networks_that_err_on_the_same_images_do_not_differ() -> None:
    found = compare_images("a", "b", *images(7, 0, 0, 3))
    assert (found.p, found.difference, found.shown) == (1.0, 0.0, False)
    assert found.interval.low < 0 < found.interval.high


def test_as_many_images_are_needed() -> None:
    with pytest.raises(ValueError, match="right_b: must have as many images as right_a, 1, and"):
        compare_images("a", "b", [True], [True, False])


def test_fiellers_limits_are_where_the_paired_t_test_turns() -> None:
    rng = np.random.default_rng(0)
    b = rng.normal(0.7, 0.02, 5)
    a = 1.05 * b + rng.normal(0, 0.005, 5)
    gain, interval = relative_gain(dict(enumerate(a)), dict(enumerate(b)))
    assert gain == pytest.approx((a.mean() - b.mean()) / b.mean())
    assert interval.low < gain < interval.high
    for limit in (interval.low, interval.high):
        assert stats.ttest_rel(a, (1 + limit) * b).pvalue == pytest.approx(0.05)


def test_a_ratio_without_an_interval_is_given_alone() -> None:
    assert relative_gain({0: 0.6, 1: 0.8}, {0: 0.5, 1: 0.5}) == (pytest.approx(0.4), None)
    about_zero = relative_gain({0: 1.0, 1: 1.1, 2: 0.9}, {0: -1.0, 1: 0.5, 2: 1.0})
    assert about_zero == (pytest.approx(5.0), None)


@pytest.mark.parametrize(
    ("of_b", "message"),
    [({7: 0.5}, "of_a: must share a seed"), ({0: 0.0}, "of_b: must have a mean other than 0")],
)
def test_a_ratio_that_is_none_is_refused(of_b: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        relative_gain({0: 0.5}, of_b)
