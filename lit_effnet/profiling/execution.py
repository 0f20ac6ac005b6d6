"""Run a network in a precision and memory layout, compiled or not, with so many threads."""

import copy
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Precision = Literal["float32", "bf16", "fp16"]
DTYPES: dict[str, torch.dtype] = {
    "float32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
DEVICES = ("cpu", "cuda")

# Largest accepted difference from float32's logits, relative to their largest magnitude.
TOLERANCE = {"float32": 1e-3, "bf16": 5e-2, "fp16": 1e-2}


@dataclass(frozen=True)
class Configuration:
    """How a network is run.

    Args:
        precision: Precision under autocast.
        channels_last: Whether the memory layout is channels-last.
        compiled: Whether torch.compile is used.
        threads: Threads on a CPU.
        device: The device, cpu or cuda.

    Raises:
        ValueError: An unknown precision, less than one thread, or another kind of device.
    """

    precision: Precision = "float32"
    channels_last: bool = False
    compiled: bool = False
    threads: int = 1
    device: str = "cpu"

    def __post_init__(self) -> None:
        if self.precision not in get_args(Precision):
            known = ", ".join(get_args(Precision))
            raise ValueError(f"precision {self.precision!r}: must be one of {known}")
        if self.threads < 1:
            raise ValueError(f"threads {self.threads}: must be at least 1")
        # For other devices, memory is not counted and nothing waits for their results.
        if self.device.split(":")[0] not in DEVICES:
            raise ValueError(f"device {self.device}: must be {' or '.join(DEVICES)}")

    def __str__(self) -> str:
        layout = "channels-last" if self.channels_last else "NCHW"
        return f"{self.precision}, {layout}, {'compiled' if self.compiled else 'eager'}"

    @property
    def memory_format(self) -> torch.memory_format:
        """The memory layout."""
        return torch.channels_last if self.channels_last else torch.contiguous_format

    def images(self, batch: int, image_size: int) -> Tensor:
        """Return random images `float32 [batch, 3, H, W]` in the layout, on the device."""
        generator = torch.Generator().manual_seed(0)
        images = torch.randn(batch, 3, image_size, image_size, generator=generator)
        return images.to(self.device, memory_format=self.memory_format)

    def prepare(self, network: nn.Module) -> nn.Module:
        """Return a copy of a network in evaluation mode, in the layout, on the device."""
        if next(network.parameters(), None) is None:  # of another runtime, not copied
            return network
        copied: nn.Module = copy.deepcopy(network).to(self.device).eval()
        copied = copied.to(memory_format=self.memory_format)
        if self.compiled:
            copied.compile()
        return copied

    def inference(self, network: nn.Module, images: Tensor) -> Callable[[], Tensor]:
        """Return a function for one forward pass without gradients; logits `float32 [N, K]`."""

        def forward() -> Tensor:
            with torch.inference_mode(), self._autocast():
                logits: Tensor = network(images)
            return logits.float()

        return forward

    def training(self, network: nn.Module, images: Tensor) -> Callable[[], None]:
        """Return a function for forward, cross entropy and backward, without an optimiser step."""
        network.train()
        labels = torch.zeros(len(images), dtype=torch.int64, device=images.device)

        def step() -> None:
            network.zero_grad(set_to_none=True)
            with self._autocast():
                logits = network(images)
            F.cross_entropy(logits.float(), labels).backward()  # type: ignore[no-untyped-call]

        return step

    def _autocast(self) -> torch.autocast:
        kind = torch.device(self.device).type
        return torch.autocast(kind, DTYPES[self.precision], enabled=self.precision != "float32")


def alternatives(threads: int, device: str, *, compiled: bool) -> Iterator[Configuration]:
    """Yield all configurations of a device, for a search of the fastest."""
    # fp16 has no fast kernels on a CPU.
    precisions: tuple[Precision, ...] = ("float32", "bf16")
    if torch.device(device).type == "cuda":
        precisions = ("float32", "bf16", "fp16")
    kinds = (False, True) if compiled else (False,)
    for precision, layout, kind in itertools.product(precisions, (False, True), kinds):
        yield Configuration(precision, layout, kind, threads, device)


def is_correct(logits: Tensor, reference: Tensor, precision: Precision) -> bool:
    """Whether logits equal float32's within the tolerance of a precision."""
    scale = reference.abs().max().clamp_min(1e-12)
    return bool((logits - reference).abs().max() / scale <= TOLERANCE[precision])
