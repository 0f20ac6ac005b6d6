"""ONNX by torch's exporter, run by ONNX Runtime."""

import json
from collections.abc import Mapping, Sequence
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
    """Write a network for any number of images.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits `[N, K]`, on the CPU.
        example_size: H and W in pixels.
        file: Ends in `.onnx`.
        precision: `float32`; or `int8`, by ONNX Runtime's quantiser.
        calibration: Images `[N, 3, H, W]` that tell the range of activations of `int8`.
        method: How ranges are found; the backend's usual way if null.
        kept: Names of the modules that stay in float.
    """
    onnx = imported("onnx")
    if precision == "int8":
        assert calibration is not None
        model: Any = _quantised(network, example_size, calibration, method, kept)
    else:
        exported = program(network, example_size, any_batch=True)
        with quietly():
            made = torch.onnx.export(
                exported, input_names=[INPUT], output_names=[OUTPUT], dynamo=True, verbose=False
            )
        model = made.model_proto  # type: ignore[union-attr] # as it is with dynamo
    # torch leaves the stack of every operation there, with the paths of the machine.
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    for part in (model.graph, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, file)


def _quantised(
    network: nn.Module,
    example_size: int,
    calibration: Tensor,
    method: str | None,
    kept: Sequence[str],
) -> Any:
    from lit_effnet.deploy.onnxruntime_qdq import OnnxRuntime

    backend = OnnxRuntime(network, example_size)
    content = backend.quantized_file([calibration], method or backend.methods[0], kept)
    return imported("onnx").load_from_string(content)


def describe(file: Path, description: Mapping[str, Any]) -> None:
    """Add what is known of the network to the file's own metadata, each entry as JSON."""
    onnx = imported("onnx")
    model = onnx.load(file)
    entries = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in description.items()
    }
    onnx.helper.set_model_props(model, entries)
    onnx.save(model, file)


class Loaded(Runtime):
    """An ONNX file in ONNX Runtime, on the CPU.

    Args:
        file: Ends in `.onnx`; or its content.
        threads: Threads of one operation; operations run one after the other.
        name: What it is called in tables.
    """

    def __init__(self, file: Path | bytes, threads: int, name: str = "ONNX Runtime") -> None:
        super().__init__(name, threads)
        runtime = imported("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # what is wrong is raised
        self.session = runtime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images."""
        (logits,) = self.session.run([OUTPUT], {INPUT: images.contiguous().numpy()})
        return torch.from_numpy(logits)
