"""Agreement and signal-to-noise, by hand."""

import math

import pytest
import torch
from torch import nn

from lit_effnet.deploy.agreement import LogitRecorder, agreement, median_snr, signal_to_noise


def test_agreement_is_the_part_with_the_same_first_class() -> None:
    reference = torch.tensor([[1.0, 2.0], [3.0, 0.0], [0.0, 1.0], [5.0, 4.0]])
    logits = torch.tensor([[0.0, 1.0], [9.0, 0.0], [1.0, 0.0], [2.0, 1.0]])
    assert agreement(logits, reference) == 0.75


def test_signal_to_noise_of_a_tenth_of_the_amplitude_is_twenty_decibels() -> None:
    reference = torch.tensor([[3.0, 4.0], [3.0, 4.0]])
    logits = reference + torch.tensor([[0.3, 0.4], [3.0, 4.0]])
    assert signal_to_noise(logits, reference).tolist() == pytest.approx([20, 0], abs=1e-5)


def test_the_median_image_is_taken_and_no_noise_is_null() -> None:
    reference = torch.ones(3, 4)
    logits = reference * torch.tensor([[1.1], [1.01], [-50.0]])
    assert median_snr(logits, reference) == pytest.approx(20, abs=0.01)
    assert median_snr(reference, reference) is None
    assert math.isinf(float(signal_to_noise(reference, reference)[0]))


def test_a_network_that_is_heard_stays_in_its_mode() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Dropout(0.5)).eval()
    heard = LogitRecorder(network)
    heard.train(heard.training)
    images = torch.ones(2, 3)
    assert torch.equal(heard(images), images)
    assert torch.equal(heard.logits, images)
    assert not network.training
