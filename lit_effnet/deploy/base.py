"""The interface of a runtime: a network that it runs, a conversion, and a quantizer."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

Precision = Literal["float32", "float16", "int8"]


class RuntimeModule(nn.Module):
    """A network in a runtime's own form: `float32 [N, 3, H, W]` to logits `float32 [N, K]`.

    It has no parameters and runs on the CPU. As a module it is evaluated and measured like any
    other network.

    Args:
        name: Runtime, form and precision, such as "ONNX Runtime float32".
        threads: Number of threads.
    """

    def __init__(self, name: str, threads: int) -> None:
        super().__init__()
        self.name, self.threads = name, threads

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of the images."""


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """How a network is written to a file.

    Args:
        precision: `float32`; `float16`: weights only; or `int8`: weights per channel, activations
            per tensor, input and output in float32.
        calibration: Images `float32 [N, 3, H, W]` that calibrate `int8`.
        method: Calibration method; None for the quantizer's default.
        keep_float: Names of the modules that stay in float.
    """

    precision: Precision = "float32"
    calibration: Tensor | None = None
    method: str | None = None
    keep_float: Sequence[str] = ()


FLOAT32 = Conversion()


@dataclass(frozen=True)
class BuiltNetwork:
    """A network in a runtime's form, and the size of its file in bytes."""

    network: RuntimeModule
    file_bytes: int


class Quantizer(ABC):
    """Builds a network in float and in INT8 for one runtime and one thread.

    Args:
        network: In evaluation mode, on the CPU.
        image_size: Side of the input in pixels.
    """

    def __init__(self, network: nn.Module, image_size: int) -> None:
        self.network, self.image_size = network, image_size

    @abstractmethod
    def build_float(self, precision: str = "float32") -> BuiltNetwork:
        """Build the unquantized network."""

    @abstractmethod
    def build_int8(
        self, batches: Sequence[Tensor], method: str, keep_float: Sequence[str]
    ) -> BuiltNetwork:
        """Build the network in INT8: weights signed and per channel, activations unsigned.

        Args:
            batches: Calibration images, `float32 [B, 3, S, S]` each.
            method: Calibration method.
            keep_float: Names of the modules that stay in float.
        """


def single_images(batches: Sequence[Tensor]) -> Iterator[Tensor]:
    """Yield the images of the batches one by one, contiguous `float32 [1, 3, H, W]`."""
    for batch in batches:
        for index in range(len(batch)):
            yield batch[index : index + 1].contiguous()
