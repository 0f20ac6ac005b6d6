"""The figures of a comparison are what their definitions say."""

import math

import pytest
import torch

from lit_effnet.deploy.parity import TOLERANCES, Tolerance, compare, first_images

LOGITS = torch.tensor([[4.0, 1.0, 0.0], [0.0, 2.0, 1.0], [1.0, 0.0, 5.0]])
LABELS = torch.tensor([0, 1, 0])


def test_a_network_is_equal_to_itself() -> None:
    found = compare(LOGITS, LOGITS.clone(), LABELS)
    assert (found.max_absolute_error, found.max_relative_error, found.agreement) == (0, 0, 1)
    assert found.signal_to_noise_db is None
    assert found.top1_eager == found.top1_exported == pytest.approx(2 / 3)
    assert found.failures(Tolerance(agreement=1, relative_error=0)) == []


def test_errors_are_relative_to_the_largest_logit_of_their_image() -> None:
    given = LOGITS + torch.tensor([[0.2, 0, 0], [0, 0.2, 0], [0, 0, 0.2]])
    found = compare(LOGITS, given, None)
    assert found.max_absolute_error == pytest.approx(0.2)
    assert found.max_relative_error == pytest.approx(0.2 / 2)
    # Powers of the images are 17, 5 and 26; the median is that of the first.
    assert found.signal_to_noise_db == pytest.approx(10 * math.log10(17 / 0.04), abs=5e-4)
    assert (found.top1_eager, found.top1_exported) == (None, None)


def test_another_class_on_top_is_a_failure_in_float32_and_some_are_none_in_int8() -> None:
    eager = torch.eye(3).repeat(10, 1) * 10
    given = eager.clone()
    given[0] = torch.tensor([9.9, 10.0, 0.0])
    found = compare(eager, given, None)
    assert found.agreement == pytest.approx(29 / 30)
    first, second = found.failures(TOLERANCES["float32"])
    assert first == "top-1 agreement 0.9667 (minimum 1)"
    assert second.startswith("relative error 1.00e+00 (maximum 0.001)")
    assert found.failures(Tolerance(agreement=0.9, relative_error=1.1)) == []


def test_one_image_beyond_all_ranges_is_none_in_int8_and_many_are() -> None:
    eager = torch.eye(3).repeat(10, 1) * 10
    given = eager.clone()
    given[0] *= 0.1  # cut off, and still the same class
    one = compare(eager, given, None)
    assert one.max_relative_error == pytest.approx(0.9)
    assert one.p95_relative_error == 0
    assert one.failures(TOLERANCES["int8"]) == []
    assert len(one.failures(TOLERANCES["float32"])) == 1
    given[:3] = eager[:3] * 0.1
    (failure,) = compare(eager, given, None).failures(TOLERANCES["int8"])
    assert failure == "95th percentile relative error 9.00e-01 (maximum 0.5)"


def test_nan_never_passes() -> None:
    given = LOGITS.clone()
    given[1, 1] = torch.nan
    failed = compare(LOGITS, given, None).failures(Tolerance(agreement=0, relative_error=1e9))
    assert failed == ["relative error nan (maximum 1e+09)"]


def test_images_are_taken_until_there_are_enough() -> None:
    batches = [(torch.full((4, 3, 2, 2), float(i)), torch.full((4,), i)) for i in range(3)]
    shown, labels = first_images(iter(batches), 6)
    assert labels.tolist() == [0, 0, 0, 0, 1, 1]
    assert shown[:, 0, 0, 0].tolist() == labels.tolist()
    assert len(first_images(batches, 100)[0]) == 12
