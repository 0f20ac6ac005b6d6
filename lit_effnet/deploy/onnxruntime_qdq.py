"""INT8 by ONNX Runtime's own quantiser, in the form with pairs of QuantizeLinear and Dequantize.

Activations are unsigned: for signed ones the CPU's kernels are three times slower.
"""

import io
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, ClassVar

from numpy.typing import NDArray
from torch import Tensor, nn

from lit_effnet.deploy.backends import Backend, Built
from lit_effnet.deploy.calibration import single
from lit_effnet.deploy.onnx import Loaded
from lit_effnet.deploy.onnx_graph import INPUT, nodes_of, onnx_graph

METHODS = {"min-max": "MinMax", "percentile": "Percentile", "entropy": "Entropy"}


class OnnxRuntime(Backend):
    """Every operation that has an INT8 kernel is quantised: sigmoids and products too."""

    name: ClassVar[str] = "onnxruntime"
    program: ClassVar[str] = "ONNX Runtime"
    needs: ClassVar[tuple[str, ...]] = ("onnxruntime", "onnx", "onnxscript")
    methods: ClassVar[tuple[str, ...]] = tuple(METHODS)

    def __init__(self, network: nn.Module, image_size: int) -> None:
        super().__init__(network, image_size)
        self.model = onnx_graph(network, image_size)

    def in_float(self, precision: str = "float32") -> Built:
        """The network in float32."""
        content = self.model.SerializeToString()
        return Built(Loaded(content, 1, f"{self.program} float32"), len(content))

    def quantized(self, images: Sequence[Tensor], method: str, kept: Sequence[str]) -> Built:
        """The network in INT8, in QDQ form."""
        content = self.quantized_file(images, method, kept)
        return Built(Loaded(content, 1, f"{self.program} INT8 QDQ"), len(content))

    def quantized_file(self, images: Sequence[Tensor], method: str, kept: Sequence[str]) -> bytes:
        """The ONNX file of the network in INT8."""
        from onnxruntime.quantization import (
            CalibrationDataReader,
            CalibrationMethod,
            QuantFormat,
            QuantType,
            quantize_static,
        )

        pixels = [image.numpy() for image in single(list(images))]

        class Reader(CalibrationDataReader):  # type: ignore[misc] # it ships no types
            """Gives the images one by one, in the parts that are asked for."""

            def __init__(self) -> None:
                self.range = range(len(pixels))
                self.left = iter(self.range)

            def __len__(self) -> int:
                return len(pixels)

            def set_range(self, start_index: int, end_index: int) -> None:
                self.left = iter(range(start_index, min(end_index, len(pixels))))

            def get_next(self) -> dict[str, NDArray[Any]] | None:
                index = next(self.left, None)
                return None if index is None else {INPUT: pixels[index]}

        copy = type(self.model)()
        copy.CopyFrom(self.model)
        with _quiet(), tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "network.onnx"
            quantize_static(
                copy,
                file,
                Reader(),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=nodes_of(self.model, kept),
                calibrate_method=CalibrationMethod[METHODS[method]],
                # All maps of one image are held at a time, not those of all images.
                extra_options={"CalibStridedMinMax": 1},
            )
            return file.read_bytes()


@contextmanager
def _quiet() -> Iterator[None]:
    """A line for each image, and advice to run a pass that the exporter has done, are not shown."""
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        root.setLevel(level)
