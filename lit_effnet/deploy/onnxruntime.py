"""ONNX Runtime: ONNX by torch's exporter, INT8 by ONNX Runtime's quantizer in QDQ form.

Activations are unsigned: the CPU's kernels for signed ones are three times slower.
"""

import io
import json
import logging
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lit_effnet.deploy.base import (
    FLOAT32,
    BuiltNetwork,
    Conversion,
    Quantizer,
    RuntimeModule,
    single_images,
)
from lit_effnet.deploy.exported_program import INPUT, OUTPUT, export_program, no_converter_output
from lit_effnet.deploy.onnx_graph import nodes_of, onnx_graph
from lit_effnet.deploy.packages import import_optional

METHODS = {"min-max": "MinMax", "percentile": "Percentile", "entropy": "Entropy"}
"""ONNX Runtime's name of each calibration method; the default comes first."""


class OnnxNetwork(RuntimeModule):
    """An ONNX file in ONNX Runtime, on the CPU.

    Args:
        file: Ends in `.onnx`; or its content.
        threads: Threads of one operation; operations run one after the other.
        name: Its name in tables.
    """

    def __init__(self, file: Path | bytes, threads: int, name: str = "ONNX Runtime") -> None:
        super().__init__(name, threads)
        runtime = import_optional("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # errors are raised
        self.session = runtime.InferenceSession(file, options, providers=["CPUExecutionProvider"])

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of the images."""
        (logits,) = self.session.run([OUTPUT], {INPUT: images.contiguous().numpy()})
        return torch.from_numpy(logits)


def write(
    network: nn.Module, image_size: int, file: Path, conversion: Conversion = FLOAT32
) -> None:
    """Write a network for batches of any size.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits `[N, K]`, on the CPU.
        image_size: H and W in pixels.
        file: Ends in `.onnx`.
        conversion: Precision and calibration.
    """
    onnx = import_optional("onnx")
    if conversion.precision == "int8":
        assert conversion.calibration is not None
        content = OnnxRuntimeQuantizer(network, image_size).int8_file(
            [conversion.calibration],
            conversion.method or next(iter(METHODS)),
            conversion.keep_float,
        )
        model = onnx.load_from_string(content)
    else:
        program = export_program(network, image_size, any_batch=True)
        with no_converter_output():
            onnx_program: Any = torch.onnx.export(
                program, input_names=[INPUT], output_names=[OUTPUT], dynamo=True, verbose=False
            )
        model = onnx_program.model_proto
    # torch notes the stack of every operation there, with paths of this machine.
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del part.metadata_props[:]
        part.doc_string = ""
    for part in (model.graph, *model.graph.input, *model.graph.output):
        del part.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, file)


def add_metadata(file: Path, metadata: Mapping[str, Any]) -> None:
    """Add entries to the ONNX file's own metadata, each as JSON."""
    onnx = import_optional("onnx")
    model = onnx.load(file)
    entries = {
        key: value if isinstance(value, str) else json.dumps(value)
        for key, value in metadata.items()
    }
    onnx.helper.set_model_props(model, entries)
    onnx.save(model, file)


class OnnxRuntimeQuantizer(Quantizer):
    """Quantizes every operation that has an INT8 kernel, sigmoids and products included."""

    def __init__(self, network: nn.Module, image_size: int) -> None:
        super().__init__(network, image_size)
        self.model = onnx_graph(network, image_size)

    def build_float(self, precision: str = "float32") -> BuiltNetwork:
        """Build the network in float32."""
        content = self.model.SerializeToString()
        return BuiltNetwork(OnnxNetwork(content, 1, f"ONNX Runtime {precision}"), len(content))

    def build_int8(
        self, batches: Sequence[Tensor], method: str, keep_float: Sequence[str]
    ) -> BuiltNetwork:
        """Build the network in INT8, in QDQ form."""
        content = self.int8_file(batches, method, keep_float)
        return BuiltNetwork(OnnxNetwork(content, 1, "ONNX Runtime INT8 QDQ"), len(content))

    def int8_file(self, batches: Sequence[Tensor], method: str, keep_float: Sequence[str]) -> bytes:
        """Return the content of the INT8 ONNX file; arguments as for `build_int8`."""
        from onnxruntime.quantization import (
            CalibrationDataReader,
            CalibrationMethod,
            QuantFormat,
            QuantType,
            quantize_static,
        )

        images = [image.numpy() for image in single_images(batches)]

        class Reader(CalibrationDataReader):  # type: ignore[misc] # it ships no types
            """Yields images one by one, of the range that is asked for."""

            def __init__(self) -> None:
                self.remaining = iter(range(len(images)))

            def __len__(self) -> int:
                return len(images)

            def set_range(self, start_index: int, end_index: int) -> None:
                self.remaining = iter(range(start_index, min(end_index, len(images))))

            def get_next(self) -> dict[str, NDArray[Any]] | None:
                index = next(self.remaining, None)
                return None if index is None else {INPUT: images[index]}

        copy = type(self.model)()
        copy.CopyFrom(self.model)
        with _no_output(), tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "network.onnx"
            quantize_static(
                copy,
                file,
                Reader(),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=nodes_of(self.model, keep_float),
                calibrate_method=CalibrationMethod[METHODS[method]],
                # Hold the feature maps of one image at a time, not those of all images.
                extra_options={"CalibStridedMinMax": 1},
            )
            return file.read_bytes()


@contextmanager
def _no_output() -> Iterator[None]:
    """Hide a line per image, and the advice to run a pass that the exporter has run."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(level)
