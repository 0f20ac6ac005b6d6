"""A network as torch.export's program, from which every format is made."""

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


class Named(nn.Module):
    """A network whose input and output have the names that they keep in every format."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Logits `[N, K]` of images `[N, 3, H, W]`."""
        return {OUTPUT: self.network(images)}


def program(network: nn.Module, image_size: int, *, any_batch: bool) -> ExportedProgram:
    """The network in evaluation mode as a program of images of one size.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits `[N, K]`, on the CPU; left as it is.
        image_size: H and W in pixels.
        any_batch: Whether N is open, or one.
    """
    images = torch.zeros(2 if any_batch else 1, 3, image_size, image_size)
    shapes = {INPUT: {0: Dim("batch")} if any_batch else None}
    # Where no gradient is recorded the networks work in place, which not every converter follows.
    with torch.inference_mode(False), torch.enable_grad():
        return torch.export.export(
            Named(copy.deepcopy(network)).eval(), (), {INPUT: images}, dynamic_shapes=shapes
        )


@contextmanager
def quietly() -> Iterator[None]:
    """Keep what converters warn of off the screen: parity is what tells whether they are right."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(disabled)
