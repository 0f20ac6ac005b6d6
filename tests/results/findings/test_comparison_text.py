"""The sentence that states a comparison."""

import re

import pytest

from lit_effnet.results.findings.comparison_text import comparison_text, with_repeats_needed
from lit_effnet.results.stats.comparison import Comparison, Interval, compare, compare_images

PAIRED = Comparison(
    "a", "b", "paired t", 3, (0, 1, 2), -0.037, Interval(-0.091, 0.017), 0.02, 0.06, sd=0.02, family=3
)  # fmt: skip
WELCH = Comparison("a", "b", "Welch", 3, (), 0.2, Interval(0.15, 0.25), 0.001, 0.001)


def test_a_difference_is_in_points_with_its_interval_test_and_p_value() -> None:
    assert comparison_text(PAIRED).en == (
        "No significant difference between a and b: \u22123.7 points [\u22129.1, +1.7] "
        "(paired t-test, 3 seeds, p = 0.06, Holm-corrected for 3 comparisons)."
    )
    assert comparison_text(WELCH).en == (
        "a is better than b: +20.0 points [+15.0, +25.0] (Welch's t-test, n = 3, p = 0.001)."
    )


@pytest.mark.parametrize("language", ["en", "zh"])
def test_signs_are_of_a_minus_b(language: str) -> None:
    low = {seed: 0.5 + 0.001 * seed for seed in range(3)}
    high = {seed: 0.7 - 0.002 * seed for seed in range(3)}
    texts = [
        comparison_text(compare(*of)).of(language)
        for of in (("l", "h", low, high), ("h", "l", high, low))
    ]
    assert [re.findall(r"[+\u2212](?=\d)", text) for text in texts] == [["\u2212"] * 3, ["+"] * 3]
    if language == "en":
        assert texts[0].startswith("l is worse than h: ")
        assert texts[1].startswith("h is better than l: ")


def test_partly_shared_seeds_are_named() -> None:
    one, other = {0: 0.5, 1: 0.6, 2: 0.55}, {1: 0.6, 2: 0.62, 3: 0.65}
    text = comparison_text(compare("a", "b", one, other)).en
    assert "(Welch's t-test, n = 3, only 2 shared seed(s), p = " in text


@pytest.mark.parametrize(
    ("of_b", "reason"),
    [
        ({0: 0.5}, "1 repeat(s) to compare, but a test needs 3"),
        ({0: 0.6, 1: 0.7, 2: 0.8}, "the differences have no variance"),
    ],
)
def test_arms_without_a_test_say_why(of_b: dict[int, float], reason: str) -> None:
    made = compare("a", "b", {0: 0.5, 1: 0.6, 2: 0.7}, of_b)
    assert comparison_text(made).en == f"a and b cannot be compared: {reason}."


def test_images_are_compared_by_mcnemars_test() -> None:
    made = compare_images("a", "b", [True] * 9 + [False], [False] * 9 + [True])
    assert "(McNemar's test, 10 images, p = " in comparison_text(made).en


def test_seeds_that_would_detect_a_difference_are_named_for_paired_tests() -> None:
    text = with_repeats_needed(PAIRED).en
    assert re.search(
        r"\)\. \d+ seeds would detect a difference this large with 80 % power\.$", text
    )
    assert with_repeats_needed(WELCH) == comparison_text(WELCH)
