"""LiteRT (once TensorFlow Lite) by litert-torch, run by ai-edge-litert."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lit_effnet.deploy.formats import FORMATS
from lit_effnet.deploy.packages import imported, run_module
from lit_effnet.deploy.program import INPUT, OUTPUT, program
from lit_effnet.deploy.runtime import Runtime


def write(
    network: nn.Module,
    example_size: int,
    file: Path,
    *,
    precision: str = "float32",
    calibration: Tensor | None = None,
    kept: Sequence[str] = (),
) -> None:
    """Write a network for one image at a time, by the Python that has litert-torch.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits `[N, K]`, on the CPU.
        example_size: H and W in pixels.
        file: Ends in `.tflite`.
        precision: `float32`; `float16` for weights alone; or `int8`: weights per channel,
            activations per tensor, images and logits in float32.
        calibration: Images `[N, 3, H, W]` that tell the range of activations of `int8`.
        kept: Names of the modules that stay in float.

    Raises:
        ValueError: no Python has litert-torch, or it fails.
    """
    python = FORMATS["litert"].python(FORMATS["litert"].makers)
    with tempfile.TemporaryDirectory() as folder:
        exported, images = Path(folder) / "network.pt2", Path(folder) / "images.npy"
        torch.export.save(program(network, example_size, any_batch=False), exported)
        if calibration is not None:
            np.save(images, calibration.contiguous().numpy())
        arguments = (str(exported), str(file), precision, str(images), *kept)
        run_module(python, "litert_conversion", *arguments)


class Loaded(Runtime):
    """A LiteRT file on the CPU.

    Args:
        file: Ends in `.tflite`.
        threads: Threads that it uses.
        name: What it is called in tables.
    """

    def __init__(self, file: Path, threads: int, name: str = "LiteRT") -> None:
        super().__init__(name, threads)
        litert = imported("ai_edge_litert.interpreter")
        self.interpreter = litert.Interpreter(model_path=str(file), num_threads=threads)
        self.interpreter.allocate_tensors()
        self.run = self.interpreter.get_signature_runner()

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images, one after the other."""
        logits = [
            np.array(self.run(**{INPUT: image.numpy()})[OUTPUT])
            for image in torch.split(images.contiguous(), 1)
        ]
        return torch.from_numpy(np.concatenate(logits))
