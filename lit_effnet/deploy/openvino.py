"""OpenVINO's own format, run by OpenVINO; what is not in INT8 in float32."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lit_effnet.deploy.packages import imported
from lit_effnet.deploy.program import INPUT, OUTPUT, program, quietly
from lit_effnet.deploy.runtime import Runtime


def write(
    network: nn.Module,
    example_size: int,
    file: Path,
    *,
    precision: str = "float32",
    calibration: Tensor | None = None,
    method: str | None = None,
    kept: Sequence[str] = (),
) -> None:
    """Write a network for any number of images, with its weights in a `.bin` beside.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits `[N, K]`, on the CPU.
        example_size: H and W in pixels.
        file: Ends in `.xml`.
        precision: `float32`; or `int8`, by NNCF's preset "mixed".
        calibration: Images `[N, 3, H, W]` that tell the range of activations of `int8`.
        method: How ranges are found; the backend's usual way if null.
        kept: Names of the modules that stay in float.
    """
    openvino = imported("openvino")
    if precision == "int8":
        assert calibration is not None
        model = _quantised(network, example_size, calibration, method, kept)
    else:
        with quietly():
            model = openvino.convert_model(program(network, example_size, any_batch=True))
    model.reshape([-1, 3, example_size, example_size])
    model.input(0).set_names({INPUT})
    model.output(0).set_names({OUTPUT})
    # By default weights would be rounded to float16.
    openvino.save_model(model, file, compress_to_fp16=False)


def _quantised(
    network: nn.Module,
    example_size: int,
    calibration: Tensor,
    method: str | None,
    kept: Sequence[str],
) -> Any:
    from lit_effnet.deploy.openvino_nncf import Mixed

    backend = Mixed(network, example_size)
    return backend.quantized_model([calibration], method or backend.methods[0], kept)


PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}


class Loaded(Runtime):
    """A network in OpenVINO, on the CPU.

    Args:
        network: A file that ends in `.xml`; or an `openvino.Model`.
        threads: Threads that it uses.
        name: What it is called in tables.
        precision: In which what is not in INT8 is computed.
        each_shape: Whether it is compiled for each size of a batch when it meets it; else at once
            for all that the file takes.
    """

    def __init__(
        self,
        network: Any,
        threads: int,
        name: str = "OpenVINO",
        *,
        precision: str = "float32",
        each_shape: bool = False,
    ) -> None:
        super().__init__(name, threads)
        self.options = {
            # Its default is bfloat16 where the processor has it, without a word.
            "INFERENCE_PRECISION_HINT": PRECISIONS[precision],
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
        }
        self.core = imported("openvino").Core()
        self.model = self.core.read_model(network) if isinstance(network, Path) else network
        self.each_shape = each_shape
        self.compiled: dict[tuple[int, ...] | None, Any] = {}
        if not each_shape:
            self.compiled[None] = self._compile(self.model)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images."""
        shape = tuple(images.shape) if self.each_shape else None
        if shape is not None and shape not in self.compiled:
            model = self.model.clone()
            model.reshape(list(shape))
            self.compiled[shape] = self._compile(model)
        logits = self.compiled[shape]([images.contiguous().numpy()])[0]
        return torch.tensor(logits)  # a copy, for the next images go to the same place

    def _compile(self, model: Any) -> Any:
        return self.core.compile_model(model, "CPU", self.options)
