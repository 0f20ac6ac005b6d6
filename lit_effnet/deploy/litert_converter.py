"""Convert a torch.export program to LiteRT; run by the Python that has litert-torch.

python -m lit_effnet.deploy.litert_converter PROGRAM FILE PRECISION IMAGES [MODULE ...]
"""

import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lit_effnet.deploy.exported_program import INPUT, NETWORK
from lit_effnet.deploy.packages import import_optional

SIGNATURE = "serving_default"


def convert(
    program: Path, file: Path, precision: str, images: Path, keep_float: Sequence[str] = ()
) -> None:
    """Convert a program, and quantize it for `float16` and `int8`.

    Args:
        program: Written by torch.export, for one image.
        file: Ends in `.tflite`.
        precision: `float32`, `float16` or `int8`.
        images: NumPy file `float32 [N, 3, H, W]` that calibrates `int8`.
        keep_float: Names of the network's modules that stay in float.
    """
    loaded = torch.export.load(program)
    example = loaded.example_inputs
    assert example is not None
    converted = import_optional("litert_torch").convert(loaded.module(), sample_kwargs=example[1])
    if precision == "float32":
        converted.export(str(file))
        return
    with tempfile.TemporaryDirectory() as folder:
        float32 = Path(folder) / "float32.tflite"
        converted.export(str(float32))
        if precision == "float16":
            write_float16(float32, file)
        else:
            write_int8(float32, file, images, keep_float)


def write_float16(float32: Path, file: Path) -> None:
    """Write weights in float16; computation stays in float32."""
    types = import_optional("ai_edge_quantizer.qtyping")
    algorithms = import_optional("ai_edge_quantizer.algorithm_manager").AlgorithmName
    quantizer = import_optional("ai_edge_quantizer.quantizer").Quantizer(str(float32))
    weights = types.TensorQuantizationConfig(num_bits=16, dtype=types.TensorDataType.FLOAT)
    scheme = types.OpQuantizationConfig(
        weight_tensor_config=weights,
        compute_precision=types.ComputePrecision.FLOAT,
        explicit_dequantize=True,
    )
    every = types.TFLOperationName.ALL_SUPPORTED
    quantizer.update_quantization_recipe(".*", every, scheme, algorithms.FLOAT_CASTING)
    quantizer.quantize().export_model(str(file), overwrite=True)


def write_int8(float32: Path, file: Path, images: Path, keep_float: Sequence[str]) -> None:
    """Write weights per channel and activations per tensor in int8; images and logits in float32.

    Args:
        float32: The converted file.
        file: Ends in `.tflite`.
        images: NumPy file with the calibration images.
        keep_float: Names of the network's modules that stay in float.
    """
    types = import_optional("ai_edge_quantizer.qtyping")
    algorithms = import_optional("ai_edge_quantizer.algorithm_manager").AlgorithmName
    recipe = import_optional("ai_edge_quantizer.recipe").static_wi8_ai8()
    quantizer: Any = import_optional("ai_edge_quantizer.quantizer").Quantizer(str(float32), recipe)
    for end in (types.TFLOperationName.INPUT, types.TFLOperationName.OUTPUT):
        quantizer.update_quantization_recipe(".*", end, algorithm_key=algorithms.NO_QUANTIZE)
    every = types.TFLOperationName.ALL_SUPPORTED
    if keep_float:
        pattern = tensor_pattern(keep_float)
        quantizer.update_quantization_recipe(pattern, every, algorithm_key=algorithms.NO_QUANTIZE)
    samples = [{INPUT: image[None]} for image in np.load(images)]
    ranges = quantizer.calibrate({SIGNATURE: samples}, num_threads=1)
    quantizer.quantize(ranges).export_model(str(file), overwrite=True)


def tensor_pattern(modules: Sequence[str]) -> str:
    """Return a pattern for the output tensors of modules of the network.

    The converter names a tensor by the classes and names of all modules around it,
    `program.NamedTensors/efficientnet.EfficientNet_network/container.Sequential_stages/...`. The
    last layer's output has the name of the file's output instead, and is always quantized.
    """
    # One pattern with a literal prefix: the search takes minutes for many without one.
    paths = ("/".join(rf"[\w.]+_{re.escape(part)}" for part in name.split(".")) for name in modules)
    return rf"_{NETWORK}/(?:{'|'.join(paths)})[/;]"


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]), sys.argv[5:])
