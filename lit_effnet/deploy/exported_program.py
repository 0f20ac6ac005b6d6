"""A network as a torch.export program, which all formats are made of."""

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

INPUT, OUTPUT = "images", "logits"
NETWORK = "network"  # its name in the program


class NamedTensors(nn.Module):
    """A network with named input and output; every format keeps these names."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Return the logits `[N, K]` of images `[N, 3, H, W]`."""
        return {OUTPUT: self.network(images)}


def export_program(network: nn.Module, image_size: int, *, any_batch: bool) -> ExportedProgram:
    """Export a copy of the network in evaluation mode, for images of one size.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits `[N, K]`, on the CPU.
        image_size: H and W in pixels.
        any_batch: Whether N is dynamic; otherwise it is 1.
    """
    images = torch.zeros(2 if any_batch else 1, 3, image_size, image_size)
    shapes = {INPUT: {0: Dim("batch")} if any_batch else None}
    # Without gradients the networks would work in place, which not every converter supports.
    with torch.inference_mode(False), torch.enable_grad():
        return torch.export.export(
            NamedTensors(copy.deepcopy(network)).eval(), (), {INPUT: images}, dynamic_shapes=shapes
        )


@contextmanager
def no_converter_output() -> Iterator[None]:
    """Hide the converters' warnings; the parity check finds conversions that are wrong."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
