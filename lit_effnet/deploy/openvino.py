"""OpenVINO: its own format, INT8 by NNCF; everything else is computed in float32.

NNCF's preset "performance" makes activations symmetric about zero, "mixed" asymmetric. SiLU's
outputs start at -0.28, so that the first preset wastes nearly half of its steps.
"""

import io
import logging
import os
import re
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import torch
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
from lit_effnet.deploy.layers import is_inside, se_gates
from lit_effnet.deploy.onnx_graph import module_of, onnx_graph
from lit_effnet.deploy.packages import import_optional

METHODS = {
    "mse": "HISTOGRAM",
    "min-max": "MINMAX",
    "mean-min-max": "MEAN_MINMAX",
    "percentile": "MEAN_QUANTILE",
}
"""NNCF's name of each calibration method; the default comes first.

NNCF's own default is `mean-min-max`: the mean over images of each image's minimum and maximum. It
cuts off much where feature maps have few pixels, so the default here is another one.
"""

PRECISIONS = {"float32": "f32", "bfloat16": "bf16"}


class OpenVinoNetwork(RuntimeModule):
    """A network in OpenVINO, on the CPU.

    Args:
        network: A file that ends in `.xml`; or an `openvino.Model`.
        threads: Number of threads.
        name: Its name in tables.
        precision: Precision of everything that is not in INT8.
        each_shape: Whether to compile for each batch size when it first occurs; otherwise the
            network is compiled once for all batch sizes.
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
            # OpenVINO's silent default is bfloat16 where the processor has it.
            "INFERENCE_PRECISION_HINT": PRECISIONS[precision],
            "INFERENCE_NUM_THREADS": threads,
            "NUM_STREAMS": 1,
        }
        self.core = import_optional("openvino").Core()
        self.model = self.core.read_model(network) if isinstance(network, Path) else network
        self.each_shape = each_shape
        self.compiled: dict[tuple[int, ...] | None, Any] = {}
        if not each_shape:
            self.compiled[None] = self._compile(self.model)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of the images."""
        shape = tuple(images.shape) if self.each_shape else None
        if shape is not None and shape not in self.compiled:
            model = self.model.clone()
            model.reshape(list(shape))
            self.compiled[shape] = self._compile(model)
        logits = self.compiled[shape]([images.contiguous().numpy()])[0]
        return torch.tensor(logits)  # a copy: the next call overwrites the output

    def _compile(self, model: Any) -> Any:
        return self.core.compile_model(model, "CPU", self.options)


def write(
    network: nn.Module, image_size: int, file: Path, conversion: Conversion = FLOAT32
) -> None:
    """Write a network for batches of any size, its weights to a `.bin` beside it.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits `[N, K]`, on the CPU.
        image_size: H and W in pixels.
        file: Ends in `.xml`.
        conversion: Precision and calibration; `int8` uses NNCF's preset "mixed".
    """
    openvino = import_optional("openvino")
    if conversion.precision == "int8":
        assert conversion.calibration is not None
        model = MixedQuantizer(network, image_size).int8_model(
            [conversion.calibration],
            conversion.method or next(iter(METHODS)),
            conversion.keep_float,
        )
    else:
        with no_converter_output():
            model = openvino.convert_model(export_program(network, image_size, any_batch=True))
    model.reshape([-1, 3, image_size, image_size])
    model.input(0).set_names({INPUT})
    model.output(0).set_names({OUTPUT})
    # The default would round weights to float16.
    openvino.save_model(model, file, compress_to_fp16=False)


def float_precisions() -> tuple[str, ...]:
    """Return float32, and bfloat16 where the processor computes in it."""
    core = import_optional("openvino").Core()
    has_bfloat16 = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return tuple(PRECISIONS) if has_bfloat16 else ("float32",)


class NncfQuantizer(Quantizer):
    """Quantizes by a preset of NNCF; the `openvino.Model` is made once and cloned."""

    preset: str

    def __init__(self, network: nn.Module, image_size: int) -> None:
        super().__init__(network, image_size)
        openvino = import_optional("openvino")
        from openvino.passes import ConstantFolding, Manager

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "network.onnx"
            file.write_bytes(onnx_graph(network, image_size).SerializeToString())
            # Only the frontend for files keeps the names of nodes.
            self.model = openvino.Core().read_model(file).clone()
        # OpenVINO reshapes ONNX's depthwise weights. Without folding that beforehand, NNCF takes
        # their columns for channels, and OpenVINO runs those layers in float32.
        manager = Manager()
        manager.register_pass(ConstantFolding())
        manager.run_passes(self.model)
        _fuse_silu(self.model, se_gates(network))

    def build_float(self, precision: str = "float32") -> BuiltNetwork:
        """Build the network in float32, or from the same file computed in bfloat16."""
        runtime = OpenVinoNetwork(
            self.model, 1, f"OpenVINO {precision}", precision=precision, each_shape=True
        )
        return BuiltNetwork(runtime, _file_bytes(self.model))

    def build_int8(
        self, batches: Sequence[Tensor], method: str, keep_float: Sequence[str]
    ) -> BuiltNetwork:
        """Build the network in INT8 by NNCF's preset, with corrected biases."""
        model = self.int8_model(batches, method, keep_float)
        runtime = OpenVinoNetwork(model, 1, f"OpenVINO INT8 {self.preset}", each_shape=True)
        return BuiltNetwork(runtime, _file_bytes(model))

    def int8_model(self, batches: Sequence[Tensor], method: str, keep_float: Sequence[str]) -> Any:
        """Return the `openvino.Model` in INT8; arguments as for `build_int8`."""
        images = [{INPUT: image.numpy()} for image in single_images(batches)]
        os.environ.setdefault("NNCF_CI", "1")  # otherwise NNCF reports each use to its makers
        with _no_output():
            import nncf
            from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters
            from nncf.quantization.range_estimator import RangeEstimatorParametersSet

            nncf.set_log_level(logging.ERROR)
            scope = nncf.IgnoredScope(
                patterns=[rf"{re.escape(name)}[./]" for name in keep_float],
                validate=False,  # a pattern without a node in the graph is no mistake
            )
            return nncf.quantize(
                self.model.clone(),
                nncf.Dataset(images),
                preset=nncf.QuantizationPreset(self.preset),
                target_device=nncf.TargetDevice.CPU,
                subset_size=len(images),
                ignored_scope=scope if keep_float else None,
                advanced_parameters=AdvancedQuantizationParameters(
                    activations_range_estimator_params=getattr(
                        RangeEstimatorParametersSet, METHODS[method]
                    )
                ),
            )


class MixedQuantizer(NncfQuantizer):
    """Makes activations asymmetric where they are not symmetric about zero."""

    preset = "mixed"


class PerformanceQuantizer(NncfQuantizer):
    """Makes activations symmetric, or unsigned where they are never negative."""

    preset = "performance"


def _fuse_silu(model: Any, excluded: Collection[str]) -> None:
    """Fuse each x * sigmoid(x) into one operation, as OpenVINO itself does when it compiles.

    NNCF would quantize the sigmoid on its own. OpenVINO could then no longer fuse the two and would
    run them in float32 between the convolutions, for a third of the time. Modules in `excluded`,
    the gates, stay as they are: NNCF recognizes a gate by its fused SiLU and leaves it in float.
    """
    from openvino import opset13

    for operation in model.get_ops():
        name = operation.get_friendly_name()
        if operation.get_type_name() != "Sigmoid" or is_inside(module_of(name), excluded):
            continue
        source = operation.input_value(0)
        for reader in operation.output(0).get_target_inputs():
            product = reader.get_node()
            factors = {value.get_node().get_friendly_name() for value in product.input_values()}
            own = {name, source.get_node().get_friendly_name()}
            if product.get_type_name() == "Multiply" and factors == own:
                silu = opset13.swish(source)
                silu.set_friendly_name(product.get_friendly_name())
                product.output(0).replace(silu.output(0))


def _file_bytes(model: Any) -> int:
    """Return the size of a model's two files, without rounding weights to float16."""
    openvino = import_optional("openvino")

    with tempfile.TemporaryDirectory() as folder:
        openvino.save_model(model, Path(folder) / "network.xml", compress_to_fp16=False)
        return sum(file.stat().st_size for file in Path(folder).iterdir())


@contextmanager
def _no_output() -> Iterator[None]:
    """Hide NNCF's progress bars and greetings; errors are raised."""
    # NNCF asks torch for a GPU compiler, and torch warns where there is none.
    logger = logging.getLogger("torch.utils.cpp_extension")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
