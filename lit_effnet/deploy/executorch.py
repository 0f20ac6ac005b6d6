"""ExecuTorch: programs lowered to XNNPACK, INT8 by its quantizer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lit_effnet.deploy.base import FLOAT32, Conversion, RuntimeModule
from lit_effnet.deploy.exported_program import INPUT, NETWORK, export_program, no_converter_output
from lit_effnet.deploy.packages import import_optional


class ExecuTorchNetwork(RuntimeModule):
    """An ExecuTorch program on the CPU; its number of threads holds for the whole process.

    Args:
        file: Ends in `.pte`.
        threads: Number of threads.
        name: Its name in tables.
    """

    def __init__(self, file: Path, threads: int, name: str = "ExecuTorch") -> None:
        super().__init__(name, threads)
        with no_converter_output():
            runtime = import_optional("executorch.runtime").Runtime.get()
            bindings = import_optional("executorch.extension.pybindings.portable_lib")
            # It ignores OMP_NUM_THREADS and starts a thread per core; this is the only way.
            bindings._unsafe_reset_threadpool(threads)
        self.program = runtime.load_program(file)
        self.method = self.program.load_method("forward")

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of the images, computed one by one."""
        each = torch.split(images.contiguous(), 1)
        return torch.cat([self.method.execute([image])[0].clone() for image in each])


def write(
    network: nn.Module, image_size: int, file: Path, conversion: Conversion = FLOAT32
) -> None:
    """Write a network for one image at a time.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits `[N, K]`, on the CPU.
        image_size: H and W in pixels.
        file: Ends in `.pte`.
        conversion: Precision and calibration.
    """
    with no_converter_output():
        exir = import_optional("executorch.exir")
        xnnpack = import_optional("executorch.backends.xnnpack.partition.xnnpack_partitioner")
        program = export_program(network, image_size, any_batch=False)
        if conversion.precision == "int8":
            assert conversion.calibration is not None
            program = _quantize(program.module(), conversion.calibration, conversion.keep_float)
        lowered = exir.to_edge_transform_and_lower(
            program, partitioner=[xnnpack.XnnpackPartitioner()]
        )
        file.write_bytes(lowered.to_executorch().buffer)


def _quantize(module: Any, calibration: Tensor, keep_float: Sequence[str]) -> Any:
    in_float = {f"{NETWORK}.{name}" for name in keep_float}

    def is_quantized(node: Any) -> bool:
        modules = node.meta.get("nn_module_stack", {}).values()
        return in_float.isdisjoint(name for name, _ in modules)

    xnnpack = import_optional("executorch.backends.xnnpack.quantizer.xnnpack_quantizer")
    pt2e = import_optional("torchao.quantization.pt2e.quantize_pt2e")
    scheme = xnnpack.get_symmetric_quantization_config(is_per_channel=True)
    quantizer = xnnpack.XNNPACKQuantizer().set_global(scheme).set_filter_function(is_quantized)
    prepared = pt2e.prepare_pt2e(module, quantizer)
    with torch.no_grad():
        for image in torch.split(calibration, 1):
            prepared(**{INPUT: image.contiguous()})
    converted = pt2e.convert_pt2e(prepared)
    return torch.export.export(converted, (), {INPUT: calibration[:1].contiguous()})
