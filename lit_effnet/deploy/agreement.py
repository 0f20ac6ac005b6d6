"""How far logits in INT8 are from those in float32."""

import torch
from torch import Tensor, nn


def agreement(logits: Tensor, reference: Tensor) -> float:
    """Part of the images `[N, K]` for which both name the same class first."""
    return float((logits.argmax(1) == reference.argmax(1)).double().mean())


def signal_to_noise(logits: Tensor, reference: Tensor) -> Tensor:
    """Power of an image's logits over that of their error, in dB, `float64 [N]`.

    Args:
        logits: `[N, K]` in INT8.
        reference: `[N, K]` in float32; where they do not differ the ratio is infinite.
    """
    wanted = reference.double()
    noise = (logits.double() - wanted).square().sum(1)
    return 10 * torch.log10(wanted.square().sum(1) / noise)


def median_snr(logits: Tensor, reference: Tensor) -> float | None:
    """The median image's signal-to-noise ratio in dB; null where it is without noise.

    The median, for a mean is led by a few images of which one layer made nonsense.
    """
    median = float(signal_to_noise(logits, reference).median())
    return round(median, 3) if median != float("inf") else None


class LogitRecorder(nn.Module):
    """A network whose logits are kept beside being given.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits `[N, K]`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.batches: list[Tensor] = []
        self.train(network.training)  # in which whoever evaluates it leaves it

    def forward(self, images: Tensor) -> Tensor:
        """Logits, of which a copy is kept."""
        logits: Tensor = self.network(images)
        self.batches.append(logits.detach().cpu().clone())
        return logits

    @property
    def logits(self) -> Tensor:
        """All logits that were given, `[N, K]`."""
        return torch.cat(self.batches)
