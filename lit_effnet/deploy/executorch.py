"""ExecuTorch's programs, lowered to XNNPACK."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lit_effnet.deploy.packages import imported
from lit_effnet.deploy.program import INPUT, NETWORK, program, quietly
from lit_effnet.deploy.runtime import Runtime


def write(
    network: nn.Module,
    example_size: int,
    file: Path,
    *,
    precision: str = "float32",
    calibration: Tensor | None = None,
    kept: Sequence[str] = (),
) -> None:
    """Write a network for one image at a time.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits `[N, K]`, on the CPU.
        example_size: H and W in pixels.
        file: Ends in `.pte`.
        precision: `float32`; or `int8`: weights per channel and symmetric, activations per tensor.
        calibration: Images `[N, 3, H, W]` that tell the range of activations of `int8`.
        kept: Names of the modules that stay in float.
    """
    with quietly():
        exir = imported("executorch.exir")
        xnnpack = imported("executorch.backends.xnnpack.partition.xnnpack_partitioner")
        exported = program(network, example_size, any_batch=False)
        if precision == "int8":
            assert calibration is not None
            exported = _quantised(exported.module(), calibration, kept)
        lowered = exir.to_edge_transform_and_lower(
            exported, partitioner=[xnnpack.XnnpackPartitioner()]
        )
        file.write_bytes(lowered.to_executorch().buffer)


def _quantised(module: Any, calibration: Tensor, kept: Sequence[str]) -> Any:
    inner = {f"{NETWORK}.{name}" for name in kept}

    def is_quantised(node: Any) -> bool:
        return inner.isdisjoint(name for name, _ in node.meta.get("nn_module_stack", {}).values())

    quantizer = imported("executorch.backends.xnnpack.quantizer.xnnpack_quantizer")
    pt2e = imported("torchao.quantization.pt2e.quantize_pt2e")
    scheme = quantizer.get_symmetric_quantization_config(is_per_channel=True)
    chosen = quantizer.XNNPACKQuantizer().set_global(scheme).set_filter_function(is_quantised)
    prepared = pt2e.prepare_pt2e(module, chosen)
    with torch.no_grad():
        for image in torch.split(calibration, 1):
            prepared(**{INPUT: image.contiguous()})
    converted = pt2e.convert_pt2e(prepared)
    return torch.export.export(converted, (), {INPUT: calibration[:1].contiguous()})


class Loaded(Runtime):
    """An ExecuTorch program on the CPU; its threads are those of the whole process.

    Args:
        file: Ends in `.pte`.
        threads: Threads that it uses.
        name: What it is called in tables.
    """

    def __init__(self, file: Path, threads: int, name: str = "ExecuTorch") -> None:
        super().__init__(name, threads)
        with quietly():
            runtime = imported("executorch.runtime").Runtime.get()
            bindings = imported("executorch.extension.pybindings.portable_lib")
            # It has as many threads as cores, whatever OMP_NUM_THREADS says, and no other way.
            bindings._unsafe_reset_threadpool(threads)
        self.program = runtime.load_program(file)
        self.method = self.program.load_method("forward")

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images, one after the other."""
        each = torch.split(images.contiguous(), 1)
        return torch.cat([self.method.execute([image])[0].clone() for image in each])
