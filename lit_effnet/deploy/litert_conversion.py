"""Convert a program of torch.export to LiteRT; run by the Python that has litert-torch.

python -m lit_effnet.deploy.litert_conversion PROGRAM FILE PRECISION IMAGES [KEPT ...]
"""

import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lit_effnet.deploy.packages import imported
from lit_effnet.deploy.program import INPUT, NETWORK

SIGNATURE = "serving_default"


def convert(
    program: Path, file: Path, precision: str, images: Path, kept: Sequence[str] = ()
) -> None:
    """Convert a program, and quantise it where that is asked for.

    Args:
        program: What torch.export wrote, for one image.
        file: Ends in `.tflite`.
        precision: `float32`, `float16` or `int8`.
        images: NumPy file `float32 [N, 3, H, W]` to calibrate `int8` with.
        kept: Names of the network's modules that stay in float.
    """
    loaded = torch.export.load(program)
    example = loaded.example_inputs
    assert example is not None
    converted = imported("litert_torch").convert(loaded.module(), sample_kwargs=example[1])
    if precision == "float32":
        converted.export(str(file))
        return
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "float32.tflite"
        converted.export(str(whole))
        halve(whole, file) if precision == "float16" else quantise(whole, file, images, kept)


def halve(whole: Path, file: Path) -> None:
    """Keep weights in float16; what is computed stays float32."""
    types = imported("ai_edge_quantizer.qtyping")
    algorithms = imported("ai_edge_quantizer.algorithm_manager").AlgorithmName
    quantizer = imported("ai_edge_quantizer.quantizer").Quantizer(str(whole))
    weights = types.TensorQuantizationConfig(num_bits=16, dtype=types.TensorDataType.FLOAT)
    scheme = types.OpQuantizationConfig(
        weight_tensor_config=weights,
        compute_precision=types.ComputePrecision.FLOAT,
        explicit_dequantize=True,
    )
    every = types.TFLOperationName.ALL_SUPPORTED
    quantizer.update_quantization_recipe(".*", every, scheme, algorithms.FLOAT_CASTING)
    quantizer.quantize().export_model(str(file), overwrite=True)


def quantise(whole: Path, file: Path, images: Path, kept: Sequence[str]) -> None:
    """Weights per channel and activations per tensor in int8; images and logits stay float32."""
    types = imported("ai_edge_quantizer.qtyping")
    algorithms = imported("ai_edge_quantizer.algorithm_manager").AlgorithmName
    recipe = imported("ai_edge_quantizer.recipe").static_wi8_ai8()
    quantizer: Any = imported("ai_edge_quantizer.quantizer").Quantizer(str(whole), recipe)
    for end in (types.TFLOperationName.INPUT, types.TFLOperationName.OUTPUT):
        quantizer.update_quantization_recipe(".*", end, algorithm_key=algorithms.NO_QUANTIZE)
    every = types.TFLOperationName.ALL_SUPPORTED
    if kept:
        pattern = scope(kept)
        quantizer.update_quantization_recipe(pattern, every, algorithm_key=algorithms.NO_QUANTIZE)
    shown = [{INPUT: image[None]} for image in np.load(images)]
    ranges = quantizer.calibrate({SIGNATURE: shown}, num_threads=1)
    quantizer.quantize(ranges).export_model(str(file), overwrite=True)


def scope(names: Sequence[str]) -> str:
    """A pattern for the tensors that modules of the network give.

    The converter names them by the classes and names of all modules around them,
    `program.Named/efficientnet.EfficientNet_network/container.Sequential_stages/...`. What the last
    layer gives is named as the file's output, and is quantised all the same.
    """
    # One pattern that begins with fixed letters: of many that do not, the search takes minutes.
    paths = ("/".join(rf"[\w.]+_{re.escape(part)}" for part in name.split(".")) for name in names)
    return rf"_{NETWORK}/(?:{'|'.join(paths)})[/;]"


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], Path(sys.argv[4]), sys.argv[5:])
