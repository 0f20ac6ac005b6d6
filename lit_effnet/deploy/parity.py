"""Parity: the logits of an exported file compared with those of its network."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lit_effnet.deploy.agreement import agreement, median_snr

BATCH = 16


@dataclass(frozen=True)
class Tolerance:
    """The limits of parity.

    Args:
        agreement: Minimum fraction of images with the same top-1 class.
        relative_error: Maximum of an image's largest error over its largest logit.
        every_image: Whether that holds for each image, or for 95 % of them.
    """

    agreement: float
    relative_error: float
    every_image: bool = True


# Another order of summation moves float32 logits by about 1e-5. Rounding moves them further; these
# limits separate a small loss from a broken network.
TOLERANCES: Mapping[str, Tolerance] = {
    "float32": Tolerance(agreement=1.0, relative_error=1e-3),
    "float16": Tolerance(agreement=0.98, relative_error=0.05),
    # INT8 clips an image whose activations exceed the calibrated ranges, as it should.
    "int8": Tolerance(agreement=0.9, relative_error=0.5, every_image=False),
}


@dataclass(frozen=True)
class Parity:
    """Logits of an exported file compared with eager float32 on the same images.

    Args:
        images: Number of images.
        max_absolute_error: Largest difference between two logits.
        max_relative_error: Largest difference of an image over its largest logit; the maximum.
        p95_relative_error: The 95th percentile of that over the images.
        signal_to_noise_db: Median over images of the logits' power over that of the differences;
            None where nothing differs.
        agreement: Fraction of images with the same top-1 class.
        top1_eager: Top-1 accuracy of eager float32; None where no labels are known.
        top1_exported: Top-1 accuracy of the exported file.
    """

    images: int
    max_absolute_error: float
    max_relative_error: float
    p95_relative_error: float
    signal_to_noise_db: float | None
    agreement: float
    top1_eager: float | None
    top1_exported: float | None

    def failures(self, tolerance: Tolerance) -> list[str]:
        """Return each limit that is exceeded, with its figure; empty where parity holds."""
        failures = []
        if not self.agreement >= tolerance.agreement:
            failures.append(
                f"top-1 agreement {self.agreement:.4f} (minimum {tolerance.agreement:g})"
            )
        error = self.max_relative_error if tolerance.every_image else self.p95_relative_error
        if not error <= tolerance.relative_error:  # NaN fails
            name = "relative error" if tolerance.every_image else "95th percentile relative error"
            failures.append(f"{name} {error:.2e} (maximum {tolerance.relative_error:g})")
        return failures


class ParityError(ValueError):
    """The logits of an exported file differ from those of its network."""


def compare(eager: Tensor, exported: Tensor, labels: Tensor | None) -> Parity:
    """Compare two networks' logits `float32 [N, K]` on the same images, with labels `[N]`."""
    assert eager.shape == exported.shape
    reference = eager.double()
    difference = (exported.double() - reference).abs()
    relative = difference.amax(1) / reference.abs().amax(1)
    ours, theirs = eager.argmax(1), exported.argmax(1)
    return Parity(
        images=len(eager),
        max_absolute_error=float(difference.max()),
        max_relative_error=float(relative.max()),
        p95_relative_error=float(relative.quantile(0.95)),
        signal_to_noise_db=median_snr(exported, eager),
        agreement=agreement(exported, eager),
        top1_eager=None if labels is None else float((ours == labels).double().mean()),
        top1_exported=None if labels is None else float((theirs == labels).double().mean()),
    )


def eager_logits(network: nn.Module, images: Tensor) -> Tensor:
    """Return the logits `float32 [N, K]` of a network in evaluation mode, on the CPU."""
    with torch.inference_mode():
        # A network that works in place must not change the images of the others.
        return torch.cat([network(batch.clone()) for batch in torch.split(images, BATCH)])


def first_images(batches: Iterable[tuple[Tensor, Tensor]], count: int) -> tuple[Tensor, Tensor]:
    """Return up to `count` images `float32 [N, 3, H, W]` and labels `int64 [N]` of batches."""
    images, labels, total = [], [], 0
    for batch_images, batch_labels in batches:
        images.append(batch_images)
        labels.append(batch_labels)
        total += len(batch_images)
        if total >= count:
            break
    return torch.cat(images)[:count].contiguous(), torch.cat(labels)[:count]
