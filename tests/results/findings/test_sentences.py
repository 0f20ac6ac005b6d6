"""Sentences have the numbers of their data, and change with them."""

from collections.abc import Callable
from typing import Any

import pytest

from lit_effnet.results.findings.sentences import (
    accuracy,
    coefficient_sentence,
    efficiency_sentence,
    int8_sentence,
    noise_sentence,
    scaling_sentence,
    se_sentence,
    transfer_sentence,
)
from lit_effnet.results.frame.columns import frame_of
from tests.results.figures import examples


def test_an_accuracy_tells_its_interval_and_repeats() -> None:
    told = {"top1": 0.812, "low": 0.799, "high": 0.825, "n": 3}
    assert accuracy(told) == "81.2 % [79.9, 82.5], n = 3"
    alone = {"top1": 0.812, "low": None, "high": None, "n": 1}
    assert accuracy(alone) == "81.2 %, n = 1"


def test_compound_is_compared_with_the_best_axis_at_the_highest_shared_cost() -> None:
    runs = examples.scaling_runs()
    told = scaling_sentence(runs)
    means = 100 * runs.groupby("arm")["top1"].mean()
    assert told.startswith("At 4.00 times the baseline's MACs, compound at 4 x MACs reaches ")
    assert f"{means['compound at 4 x MACs']:.1f} % [" in told
    best = f"the best single axis, width at 4 x MACs, reaches {means['width at 4 x MACs']:.1f} % ["
    assert best in told
    assert "width at 4 x MACs is better than compound at 4 x MACs: +" in told
    cheaper = scaling_sentence(runs[~runs["arm"].str.contains("4 x")])
    assert cheaper.startswith("At 2.00 times the baseline's MACs, compound at 2 x MACs reaches ")


def test_without_compound_the_best_arm_is_told() -> None:
    runs = examples.scaling_runs(repeats=1)
    told = scaling_sentence(runs[~runs["arm"].str.contains("compound")])
    assert "The best of 6 arms is width at 4 x MACs: " in told
    assert " %, n = 1 at" in told


def test_too_few_repeats_are_no_difference() -> None:
    assert "cannot be compared: 1 repeat(s) to compare, but a test needs 3" in scaling_sentence(
        examples.scaling_runs(1)
    )


def test_the_published_candidate_has_its_place() -> None:
    second = coefficient_sentence(examples.coefficient_runs())
    assert "(1.2, 1.1, 1.2) with" in second
    assert "The published (1.2, 1.1, 1.15) is rank " in second
    first = coefficient_sentence(examples.coefficient_runs(best="phi 1"))
    assert first.endswith("which is the published one.")
    runs = examples.coefficient_runs()
    without = coefficient_sentence(runs[runs["arm"] != "phi 1"])
    assert without.endswith("The published (1.2, 1.1, 1.15) is not among them.")


def test_what_se_costs_is_told() -> None:
    told = se_sentence(examples.se_runs())
    assert "SE ratio 1/4 adds +15.0 % parameters, +1.0 % MACs, +16.7 % latency." in told
    unmeasured = se_sentence(examples.se_runs().assign(latency_ms=float("nan")))
    assert "SE ratio 1/4 adds +15.0 % parameters, +1.0 % MACs." in unmeasured


def test_the_best_network_of_each_data_set_is_told() -> None:
    told = transfer_sentence(examples.transfer_runs())
    assert told.count("On ") == 2
    assert "On cifar100 the best is B4, fine-tuned: " in told
    assert "On cifar100 the best is B0" in transfer_sentence(examples.transfer_runs(b4=0.5))


def test_what_is_left_under_noise_is_told() -> None:
    told = noise_sentence(examples.noise_runs())
    assert told.startswith("Under Gaussian noise with sigma 0.3, baseline reaches ")
    assert "; width at 4 x MACs reaches " in told
    assert told.endswith(", the lowest.")
    assert ", width at 4 x MACs reaches" in noise_sentence(examples.noise_runs(left=0.01))[:70]


def test_equal_macs_and_unequal_times_are_told() -> None:
    told = efficiency_sentence(examples.efficiency_rows())
    assert told.startswith("b4 has 1.07 times the MACs of resnet50 and 1.79 times its latency")
    assert "it reaches 27 % of the device's peak FLOP/s, resnet50 75 %" in told
    quick = efficiency_sentence(examples.efficiency_rows(b4_ms=39))
    assert quick.startswith("resnet50 has 0.93 times the MACs of b4 and 2.00 times its latency")


def test_what_int8_loses_is_told() -> None:
    told = int8_sentence(examples.int8_rows())
    assert (
        "The fastest INT8 network is OpenVINO, mixed preset, mse: 2.80 ms of CPU time per image"
        in told
    )
    assert "top-1 80.0 % (-5.0 points against float32)" in told
    assert "The most accurate is OpenVINO, mixed preset, mse, se in float: 84.0 %" in told
    assert "most accurate" not in int8_sentence(examples.int8_rows(top1=0.86))


@pytest.mark.parametrize(
    ("sentence", "first", "second"),
    [
        (scaling_sentence, examples.scaling_runs(), examples.scaling_runs(4)),
        (coefficient_sentence, examples.coefficient_runs(), examples.coefficient_runs("phi 1")),
        (se_sentence, examples.se_runs(), examples.se_runs(0.9)),
        (transfer_sentence, examples.transfer_runs(), examples.transfer_runs(0.95)),
        (noise_sentence, examples.noise_runs(), examples.noise_runs(0.4)),
        (efficiency_sentence, examples.efficiency_rows(), examples.efficiency_rows(150.0)),
        (int8_sentence, examples.int8_rows(), examples.int8_rows(0.82)),
    ],
)
def test_other_data_are_another_sentence(
    sentence: Callable[[Any], str], first: Any, second: Any
) -> None:
    assert sentence(first) == sentence(first)
    assert sentence(first) != sentence(second)


@pytest.mark.parametrize(
    ("sentence", "nothing"),
    [
        *((s, frame_of([])) for s in (scaling_sentence, se_sentence, noise_sentence)),
        *((s, []) for s in (efficiency_sentence, int8_sentence)),
    ],
)
def test_without_results_there_is_no_sentence(sentence: Callable[[Any], str], nothing: Any) -> None:
    with pytest.raises(ValueError, match="must have"):
        sentence(nothing)
