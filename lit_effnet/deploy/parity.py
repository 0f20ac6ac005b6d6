"""How near an exported network's logits are to those of the network it was made of."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from lit_effnet.deploy.agreement import agreement, median_snr

BATCH = 16


@dataclass(frozen=True)
class Tolerance:
    """What still passes.

    Args:
        agreement: Least part of the images with the same class on top.
        relative_error: Most of an image's largest error over its largest logit.
        every_image: Whether each image must be within it, or 95 % of them.
    """

    agreement: float
    relative_error: float
    every_image: bool = True


# Another order of sums moves float32 logits by some 1e-5. Rounded weights, and activations in 256
# steps, change them; what these allow tells a small loss from a broken network.
TOLERANCES: Mapping[str, Tolerance] = {
    "float32": Tolerance(agreement=1.0, relative_error=1e-3),
    "float16": Tolerance(agreement=0.98, relative_error=0.05),
    # An image whose activations are beyond all ranges is cut off in INT8, as it should be.
    "int8": Tolerance(agreement=0.9, relative_error=0.5, every_image=False),
}


@dataclass(frozen=True)
class Parity:
    """An exported network's logits beside eager float32's, on the same images.

    Args:
        images: Number of images.
        max_absolute_error: Largest difference of two logits.
        max_relative_error: Largest of all images' largest difference over largest logit.
        p95_relative_error: What that is at most for 95 % of the images.
        signal_to_noise_db: Median over images of the logits' power over that of the differences;
            null where there is no difference.
        agreement: Part of the images with the same class on top.
        top1_eager: Top-1 accuracy of eager float32; null where no labels are known.
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
        """What is outside the tolerance, with its figure; empty where parity holds."""
        found = []
        if not self.agreement >= tolerance.agreement:
            found.append(f"top-1 agreement {self.agreement:.4f} (least {tolerance.agreement:g})")
        error = self.max_relative_error if tolerance.every_image else self.p95_relative_error
        if not error <= tolerance.relative_error:  # which no NaN passes
            of = "" if tolerance.every_image else " of 95 % of them"
            found.append(f"relative error{of} {error:.2e} (most {tolerance.relative_error:g})")
        return found


class ParityError(ValueError):
    """An export whose logits are not those of its network."""


def compare(eager: Tensor, exported: Tensor, labels: Tensor | None) -> Parity:
    """Figures of two networks' logits `float32 [N, K]` on the same images, with labels `[N]`."""
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
    """Logits `float32 [N, K]` of a network in evaluation mode, on the CPU."""
    with torch.inference_mode():
        # Networks that work in place must not get at what the others are shown.
        return torch.cat([network(batch.clone()) for batch in torch.split(images, BATCH)])


def first_images(batches: Iterable[tuple[Tensor, Tensor]], count: int) -> tuple[Tensor, Tensor]:
    """The first images `float32 [N, 3, H, W]` and labels `int64 [N]` of batches, at most `count`.

    Raises:
        ValueError: fewer than one is asked for.
    """
    if count < 1:
        raise ValueError(f"images {count}: must be at least 1")
    images, labels, found = [], [], 0
    for pixels, numbers in batches:
        images.append(pixels)
        labels.append(numbers)
        found += len(pixels)
        if found >= count:
            break
    return torch.cat(images)[:count].contiguous(), torch.cat(labels)[:count]
