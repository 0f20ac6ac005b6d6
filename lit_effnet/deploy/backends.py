"""The programs that run INT8 networks on a CPU, by name, and what each of them can choose."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import ClassVar

from torch import Tensor, nn

from lit_effnet.deploy.layers import KEPT
from lit_effnet.deploy.runtime import Runtime

ROOM = "lit_effnet.deploy"
BACKENDS = {
    "openvino_mixed": ("openvino_nncf", "Mixed"),
    "openvino_performance": ("openvino_nncf", "Performance"),
    "onnxruntime": ("onnxruntime_qdq", "OnnxRuntime"),
    "torchao": ("torchao_pt2e", "TorchAo"),
}
"""The module and class of each backend; a module is imported where its backend is used."""


@dataclass(frozen=True)
class Built:
    """A network in a program's form.

    Args:
        runtime: Runs it.
        file_bytes: Size of the file that it is kept in.
    """

    runtime: Runtime
    file_bytes: int


class Backend(ABC):
    """Builds networks for one program, all with one thread.

    Args:
        network: In evaluation mode, on the CPU.
        image_size: Side of its input in pixels.
    """

    name: ClassVar[str]
    program: ClassVar[str]
    """What runs the network, as a row names it."""
    needs: ClassVar[tuple[str, ...]]
    """The packages without which it cannot be used."""
    methods: ClassVar[tuple[str, ...]]
    """How it can find the range of activations; the first is its usual one."""
    keeps: ClassVar[tuple[str, ...]] = KEPT
    """The words of `KEPT` that make a difference to it."""
    floats: ClassVar[tuple[str, ...]] = ("float32",)
    """The precisions other than INT8 that it runs networks in."""
    in_float_named: ClassVar[str] = ""
    """What it is called where its network is not in INT8; its name if empty."""

    def __init__(self, network: nn.Module, image_size: int) -> None:
        self.network, self.image_size = network, image_size

    @classmethod
    def floats_here(cls) -> tuple[str, ...]:
        """Those of `floats` that this machine's processor has."""
        return cls.floats

    @abstractmethod
    def in_float(self, precision: str = "float32") -> Built:
        """The network unquantised, in one of `floats`."""

    @abstractmethod
    def quantized(self, images: Sequence[Tensor], method: str, kept: Sequence[str]) -> Built:
        """The network in INT8: weights signed and per channel, activations unsigned.

        Args:
            images: Batches `float32 [B, 3, S, S]` that the ranges are found on.
            method: One of `methods`.
            kept: Names of the modules that stay in float.
        """


def find_backend(name: str) -> type[Backend]:
    """The backend of a name.

    Raises:
        ValueError: there is none such, or one of its packages is not installed.
    """
    if name not in BACKENDS:
        raise ValueError(f"backends {name!r}: must be among {', '.join(BACKENDS)}")
    module, kind = BACKENDS[name]
    found: type[Backend] = getattr(import_module(f"{ROOM}.{module}"), kind)
    missing = [package for package in found.needs if find_spec(package) is None]
    if missing:
        raise ValueError(
            f"backends {name!r}: needs {' and '.join(missing)}; pip install 'lit_effnet[int8]'"
        )
    return found
