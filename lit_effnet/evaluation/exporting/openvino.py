"""OpenVINO's own format, run by OpenVINO; what is not in INT8 in float32."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lit_effnet.evaluation.exporting.packages import imported
from lit_effnet.evaluation.exporting.program import INPUT, OUTPUT, program, quietly
from lit_effnet.evaluation.runtime import Runtime


def write(
    network: nn.Module,
    example_size: int,
    file: Path,
    *,
    precision: str = "float32",
    calibration: Tensor | None = None,
    kept: Sequence[str] = (),
) -> None:
    """Write a network for any number of images, with its weights in a `.bin` beside.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits `[N, K]`, on the CPU.
        example_size: H and W in pixels.
        file: Ends in `.xml`.
        precision: `float32`; or `int8`, by NNCF's preset "mixed".
        calibration: Images `[N, 3, H, W]` that tell the range of activations of `int8`.
        kept: Names of the modules that stay in float.
    """
    openvino = imported("openvino")
    if precision == "int8":
        assert calibration is not None
        model = _quantised(network, example_size, calibration, kept)
    else:
        with quietly():
            model = openvino.convert_model(program(network, example_size, any_batch=True))
    model.reshape([-1, 3, example_size, example_size])
    model.input(0).set_names({INPUT})
    model.output(0).set_names({OUTPUT})
    # By default weights would be rounded to float16.
    openvino.save_model(model, file, compress_to_fp16=False)


def _quantised(
    network: nn.Module, example_size: int, calibration: Tensor, kept: Sequence[str]
) -> Any:
    from lit_effnet.evaluation.quantization.openvino_nncf import Mixed

    backend = Mixed(network, example_size)
    return backend.quantized_model([calibration], backend.methods[0], kept)


class Loaded(Runtime):
    """An OpenVINO file on the CPU.

    Args:
        file: Ends in `.xml`.
        threads: Threads that it uses.
        name: What it is called in tables.
    """

    def __init__(self, file: Path, threads: int, name: str = "OpenVINO") -> None:
        super().__init__(name, threads)
        options = {
            # Its default is bfloat16 where the processor has it, without a word.
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
        }
        self.compiled = imported("openvino").Core().compile_model(str(file), "CPU", options)

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images."""
        logits = self.compiled({INPUT: images.contiguous().numpy()})[OUTPUT]
        return torch.tensor(logits)  # a copy, for the next images go to the same place
