"""A network in another form than torch's, run by the program that such files are made for."""

from abc import abstractmethod

from torch import Tensor, nn


class Runtime(nn.Module):
    """Images `float32 [N, 3, H, W]` to logits `float32 [N, K]`, on the CPU.

    A module without parameters, so that it is evaluated and measured as a network is.

    Args:
        name: Program, form and precision, such as "ONNX Runtime float32".
        threads: Threads that it uses.
    """

    def __init__(self, name: str, threads: int) -> None:
        super().__init__()
        self.name, self.threads = name, threads

    @abstractmethod
    def forward(self, images: Tensor) -> Tensor:
        """Logits of images."""
