"""A row of numbers is what its definitions say."""

import pytest
import torch
from torch import nn

from lit_effnet.evaluation.scoring import score


class Fixed(nn.Module):
    """Gives the logits that the images hold."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        assert not self.training
        return images[:, 0, 0] * self.weight


def test_scores_are_those_of_the_definitions() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(40, 3, 8, 8, generator=generator) * 3
    labels = torch.randint(8, (40,), generator=generator)
    network = Fixed().train()
    row = score(network, [(logits[:25], labels[:25]), (logits[25:], labels[25:])], 8)
    given = logits[:, 0, 0]
    confidence, guess = given.softmax(1).max(1)
    right = (guess == labels).float()
    error = 0.0
    for low in range(15):
        inside = (confidence > low / 15) & (confidence <= (low + 1) / 15)
        if inside.any():
            error += inside.sum() / 40 * abs(right[inside].mean() - confidence[inside].mean())
    assert row["top1"] == pytest.approx(right.mean().item())
    top5 = (given.topk(5).indices == labels[:, None]).any(1).float().mean().item()
    assert row["top5"] == pytest.approx(top5)
    assert row["calibration_error"] == pytest.approx(float(error), abs=1e-6)
    assert (row["images"], row["device"]) == (40, "cpu")
    assert network.training


def test_logits_between_0_and_1_are_not_taken_for_probabilities() -> None:
    logits, labels = torch.rand(20, 3, 3, 3), torch.randint(3, (20,))
    row = score(Fixed(), [(logits[:19], labels[:19]), (logits[19:], labels[19:])], 3)
    confidence, guess = logits[:, 0, 0].softmax(1).max(1)
    assert confidence.max() < 0.6  # so that all are in few bins, and far from what logits say
    gap = sum(
        ((confidence > low / 15) & (confidence <= (low + 1) / 15)).float().mean()
        * abs(
            (guess == labels)[(confidence > low / 15) & (confidence <= (low + 1) / 15)]
            .float()
            .mean()
            - confidence[(confidence > low / 15) & (confidence <= (low + 1) / 15)].mean()
        )
        for low in range(15)
        if ((confidence > low / 15) & (confidence <= (low + 1) / 15)).any()
    )
    assert row["calibration_error"] == pytest.approx(float(gap), abs=1e-6)


def test_a_network_that_has_diverged_gives_no_row() -> None:
    logits = torch.full((4, 3, 8, 8), float("nan"))
    with pytest.raises(ValueError, match="the network's logits are not finite: it has diverged"):
        score(Fixed(), [(logits, torch.zeros(4, dtype=torch.int64))], 8)
