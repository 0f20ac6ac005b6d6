"""Compare logits in INT8 with those in float32."""

import torch
from torch import Tensor, nn


def agreement(logits: Tensor, reference: Tensor) -> float:
    """Return the fraction of images `[N, K]` with the same top-1 class."""
    return float((logits.argmax(1) == reference.argmax(1)).double().mean())


def signal_to_noise(logits: Tensor, reference: Tensor) -> Tensor:
    """Return the power of each image's logits over that of their error, in dB, `float64 [N]`.

    Args:
        logits: `[N, K]` in INT8.
        reference: `[N, K]` in float32; the ratio is infinite where they are equal.
    """
    exact = reference.double()
    noise = (logits.double() - exact).square().sum(1)
    return 10 * torch.log10(exact.square().sum(1) / noise)


def median_snr(logits: Tensor, reference: Tensor) -> float | None:
    """Return the median image's signal-to-noise ratio in dB; None where nothing differs.

    The median, because a few images on which one layer overflows would dominate a mean.
    """
    median = float(signal_to_noise(logits, reference).median())
    return round(median, 3) if median != float("inf") else None


class LogitRecorder(nn.Module):
    """Runs a network and keeps a copy of its logits.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits `[N, K]`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.batches: list[Tensor] = []
        self.train(network.training)  # the evaluator restores this mode

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits and keep a copy."""
        logits: Tensor = self.network(images)
        self.batches.append(logits.detach().cpu().clone())
        return logits

    @property
    def logits(self) -> Tensor:
        """All logits so far, `[N, K]`."""
        return torch.cat(self.batches)
