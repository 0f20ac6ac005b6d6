"""Mean corruption error is the paper's, and says what it is not."""

import pytest

from lit_effnet.metrics.robustness import (
    ALEXNET_ERRORS,
    BENCHMARK,
    corruption_errors,
    mean_corruption_error,
    same_images,
)


def rows(names: tuple[str, ...], error: float = 0.5) -> list[dict]:
    return [
        {"condition": name, "severity": severity, "top1": 1 - error - 0.01 * (severity - 3)}
        for name in names
        for severity in range(1, 6)
    ]


def test_errors_are_means_over_five_severities_and_need_all_of_them() -> None:
    some = [*rows(("fog", "snow"))[:-1], {"condition": "clean", "severity": None, "top1": 1.0}]
    assert corruption_errors(some) == {"fog": pytest.approx(0.5)}


def test_both_means_follow_the_papers_formula() -> None:
    errors = {name: 0.1 * (1 + index % 7) for index, name in enumerate(BENCHMARK)}
    plain = mean_corruption_error(errors)
    assert plain.value == pytest.approx(sum(errors.values()) / 15)
    assert (plain.reference, plain.missing) == (None, ())
    relative = mean_corruption_error(errors, "AlexNet", ALEXNET_ERRORS)
    expected = sum(5 * errors[name] / (5 * ALEXNET_ERRORS[name]) for name in BENCHMARK) / 15
    assert relative.value == pytest.approx(expected)
    assert relative.reference == "AlexNet"


def test_the_reference_relative_to_itself_is_one() -> None:
    found = mean_corruption_error(ALEXNET_ERRORS, "AlexNet", ALEXNET_ERRORS)
    assert found.value == pytest.approx(1)
    assert mean_corruption_error(ALEXNET_ERRORS).value == pytest.approx(0.788, abs=0.001)


def test_a_severity_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="rows: fog has severity 1 twice"):
        corruption_errors([*rows(("fog",)), *rows(("fog",))])


def test_a_reference_that_makes_no_error_divides_nothing() -> None:
    errors = dict.fromkeys(BENCHMARK, 0.5)
    found = mean_corruption_error(errors, "it", {**errors, "fog": 0.0})
    assert (found.value, found.missing) == (pytest.approx(1), ("fog",))


def test_only_rows_on_the_same_images_by_the_newest_weights_are_a_reference() -> None:
    wanted = {
        "made_at": "reference",
        "made_at_px": 64,
        "severities": "tiny",
        "split": "validation",
        "data_fingerprint": "a",
        "batch_norm": "trained",
    }
    row = {**wanted, "id": "1", "not_own": [], "weights": "new"}
    others = [
        *({**row, key: "another"} for key in wanted),
        {**row, "not_own": ["image_size 32 instead of 64"]},
        {"condition": "gaussian_noise", "sigma": 0.1},  # of a run from before rows had ids
    ]
    old = {**row, "weights": "old"}
    assert same_images([old, *others, row], wanted) == [row]
    assert same_images(others, wanted) == []


def test_it_is_over_fifteen_and_what_is_missing_is_named() -> None:
    errors = dict.fromkeys((*BENCHMARK, "speckle_noise", "saturate"), 0.5) | {"saturate": 1.0}
    assert mean_corruption_error(errors).value == pytest.approx(0.5)
    del errors["frost"]
    assert mean_corruption_error(errors).missing == ("frost",)
    assert mean_corruption_error({"saturate": 1.0}) is None
    assert len(BENCHMARK) == 15
