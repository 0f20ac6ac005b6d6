"""INT8 by NNCF, run by OpenVINO.

The preset "performance" has activations symmetric about zero, "mixed" asymmetric: SiLU's lie
between -0.28 and the largest, so that the first wastes nearly half of its steps.
"""

import io
import logging
import os
import re
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor, nn

from lit_effnet.deploy.backends import Backend, Built
from lit_effnet.deploy.calibration import single
from lit_effnet.deploy.layers import gates, inside
from lit_effnet.deploy.onnx_graph import INPUT, module_of, onnx_graph
from lit_effnet.deploy.openvino import PRECISIONS, Loaded
from lit_effnet.deploy.packages import imported

RANGES = {
    "mse": "HISTOGRAM",
    "min-max": "MINMAX",
    "mean-min-max": "MEAN_MINMAX",
    "percentile": "MEAN_QUANTILE",
}
"""NNCF's name for each way to find a range.

What it does unless told is `mean-min-max`, the mean over images of each one's least and greatest
value, which cuts off much where maps have few pixels. Therefore another is the usual one here.
"""


class OpenVino(Backend):
    """A preset of NNCF; `openvino.Model`s are made once and cloned."""

    program: ClassVar[str] = "OpenVINO"
    needs: ClassVar[tuple[str, ...]] = ("openvino", "nncf", "onnx", "onnxscript")
    methods: ClassVar[tuple[str, ...]] = tuple(RANGES)
    floats: ClassVar[tuple[str, ...]] = tuple(PRECISIONS)
    in_float_named: ClassVar[str] = "openvino"
    preset: ClassVar[str]

    def __init__(self, network: nn.Module, image_size: int) -> None:
        super().__init__(network, image_size)
        openvino = imported("openvino")
        from openvino.passes import ConstantFolding, Manager

        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "network.onnx"
            file.write_bytes(onnx_graph(network, image_size).SerializeToString())
            # The frontend for files keeps the names of nodes.
            self.model = openvino.Core().read_model(file).clone()
        # ONNX's depthwise weights are reshaped to OpenVINO's. Unless that is done beforehand NNCF
        # takes their columns for channels, and OpenVINO runs those layers in float32.
        manager = Manager()
        manager.register_pass(ConstantFolding())
        manager.run_passes(self.model)
        _join_silu(self.model, gates(network))

    @classmethod
    def floats_here(cls) -> tuple[str, ...]:
        """Also bfloat16 where the processor computes in it."""
        can = imported("openvino").Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        return cls.floats if "BF16" in can else cls.floats[:1]

    def in_float(self, precision: str = "float32") -> Built:
        """The network in float32, or computed in bfloat16 from the same file."""
        name = f"{self.program} {precision}"
        runtime = Loaded(self.model, 1, name, precision=precision, each_shape=True)
        return Built(runtime, _bytes(self.model))

    def quantized(self, images: Sequence[Tensor], method: str, kept: Sequence[str]) -> Built:
        """The network in INT8 by NNCF's preset, its biases corrected."""
        model = self.quantized_model(images, method, kept)
        runtime = Loaded(model, 1, f"{self.program} INT8 {self.preset}", each_shape=True)
        return Built(runtime, _bytes(model))

    def quantized_model(self, images: Sequence[Tensor], method: str, kept: Sequence[str]) -> Any:
        """The network in INT8 as an `openvino.Model`."""
        pixels = [{INPUT: image.numpy()} for image in single(list(images))]
        os.environ.setdefault("NNCF_CI", "1")  # else it tells its makers of each use
        with _quiet():
            import nncf
            from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters
            from nncf.quantization.range_estimator import RangeEstimatorParametersSet

            nncf.set_log_level(logging.ERROR)
            scope = nncf.IgnoredScope(
                patterns=[rf"{re.escape(name)}[./]" for name in kept],
                validate=False,  # one pattern more than the graph has nodes for is no mistake
            )
            return nncf.quantize(
                self.model.clone(),
                nncf.Dataset(pixels),
                preset=nncf.QuantizationPreset(self.preset),
                target_device=nncf.TargetDevice.CPU,
                subset_size=len(pixels),
                ignored_scope=scope if kept else None,
                advanced_parameters=AdvancedQuantizationParameters(
                    activations_range_estimator_params=getattr(
                        RangeEstimatorParametersSet, RANGES[method]
                    )
                ),
            )


class Mixed(OpenVino):
    """Activations asymmetric where they are not symmetric about zero."""

    name: ClassVar[str] = "openvino_mixed"
    preset: ClassVar[str] = "mixed"


class Performance(OpenVino):
    """Activations symmetric, or unsigned where they are never negative."""

    name: ClassVar[str] = "openvino_performance"
    preset: ClassVar[str] = "performance"


def _join_silu(model: Any, besides: Collection[str]) -> None:
    """Make one operation of each x * sigmoid(x), as OpenVINO itself does when it compiles.

    NNCF would quantise the sigmoid on its own, and what OpenVINO can then no longer join runs in
    float32 between the convolutions, for a third of the time. Not in the gates `besides`: those
    NNCF would know by their joined SiLU and leave in float, asked or not.
    """
    from openvino import opset13

    for operation in model.get_ops():
        name = operation.get_friendly_name()
        if operation.get_type_name() != "Sigmoid" or inside(module_of(name), besides):
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


def _bytes(model: Any) -> int:
    """Size of the two files of a model; weights as they are, not in float16."""
    openvino = imported("openvino")

    with tempfile.TemporaryDirectory() as folder:
        openvino.save_model(model, Path(folder) / "network.xml", compress_to_fp16=False)
        return sum(file.stat().st_size for file in Path(folder).iterdir())


@contextmanager
def _quiet() -> Iterator[None]:
    """NNCF's bars and greetings are not shown; what is wrong is raised."""
    # It asks torch for a compiler for GPUs, and torch complains where there is none.
    complains = logging.getLogger("torch.utils.cpp_extension")
    level = complains.level
    complains.setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        complains.setLevel(level)
