"""LiteRT (formerly TensorFlow Lite): written by litert-torch, run by ai-edge-litert."""

import tempfile
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from lit_effnet.deploy.base import FLOAT32, Conversion, RuntimeModule
from lit_effnet.deploy.exported_program import INPUT, OUTPUT, export_program
from lit_effnet.deploy.packages import ConversionError, find_python, import_optional, run_module

WRITERS = ("litert-torch", "ai-edge-quantizer")


class LiteRtNetwork(RuntimeModule):
    """A LiteRT file on the CPU.

    Args:
        file: Ends in `.tflite`.
        threads: Number of threads.
        name: Its name in tables.
    """

    def __init__(self, file: Path, threads: int, name: str = "LiteRT") -> None:
        super().__init__(name, threads)
        litert = import_optional("ai_edge_litert.interpreter")
        self.interpreter = litert.Interpreter(model_path=str(file), num_threads=threads)
        self.interpreter.allocate_tensors()
        self.run = self.interpreter.get_signature_runner()

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of the images, computed one by one."""
        logits = [
            np.array(self.run(**{INPUT: image.numpy()})[OUTPUT])
            for image in torch.split(images.contiguous(), 1)
        ]
        return torch.from_numpy(np.concatenate(logits))


def write(
    network: nn.Module, image_size: int, file: Path, conversion: Conversion = FLOAT32
) -> None:
    """Write a network for one image at a time, by the Python that has litert-torch.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits `[N, K]`, on the CPU.
        image_size: H and W in pixels.
        file: Ends in `.tflite`.
        conversion: Precision and calibration.

    Raises:
        ConversionError: No Python has litert-torch, or it fails.
    """
    python = find_python(WRITERS, mobile=True)
    if python is None:
        raise ConversionError(f"package {WRITERS[0]}: is not installed")
    with tempfile.TemporaryDirectory() as folder:
        program, images = Path(folder) / "network.pt2", Path(folder) / "images.npy"
        torch.export.save(export_program(network, image_size, any_batch=False), program)
        if conversion.calibration is not None:
            np.save(images, conversion.calibration.contiguous().numpy())
        arguments = (str(program), str(file), conversion.precision, str(images))
        run_module(python, "lit_effnet.deploy.litert_converter", *arguments, *conversion.keep_float)
