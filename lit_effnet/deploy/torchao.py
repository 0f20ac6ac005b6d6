"""torchao: INT8 by PT2E, compiled by torch's inductor for x86.

Its quantizer leaves depthwise convolutions in float32: inductor has no INT8 kernel for them.
"""

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from lit_effnet.deploy.base import BuiltNetwork, Quantizer, RuntimeModule

METHODS = ("mse", "min-max")
"""Calibration methods; the default comes first."""

NOISY = ("torch.utils.cpp_extension", "torch.utils._pytree")


class InductorNetwork(RuntimeModule):
    """A program compiled by inductor with frozen weights, once for each batch size.

    Args:
        program: A program of torch.export, converted or not.
        name: Runtime and precision.
        threads: Number of threads.
    """

    def __init__(self, program: Any, name: str, threads: int = 1) -> None:
        super().__init__(name, threads)
        # In a list, so that its tensors are not registered as this module's.
        self.compiled: list[Any] = [torch.compile(program, dynamic=False)]
        self.sizes: set[int] = set()

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits `float32 [N, K]` of images `float32 [N, 3, H, W]`."""
        from torch._inductor import config

        count = len(images)
        if (
            count > 1
            and count not in self.sizes
            and (larger := [*filter(count.__lt__, self.sizes)])
        ):
            # Pad a last batch: compiling for its size would take half a minute.
            padding = images.new_zeros(min(larger) - count, *images.shape[1:])
            images = torch.cat([images, padding])
        self.sizes.add(len(images))
        threads = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            with torch.no_grad(), config.patch(freezing=True), _no_output():
                logits: Tensor = self.compiled[0](images.contiguous())
        finally:
            torch.set_num_threads(threads)
        return logits[:count]


class TorchAoQuantizer(Quantizer):
    """Quantizes plain convolutions and linear layers, and the sums that they are part of."""

    def build_float(self, precision: str = "float32") -> BuiltNetwork:
        """Build the network in float32, compiled and frozen."""
        program = self._export()
        runtime = InductorNetwork(program.module(), f"torch inductor {precision}")
        return BuiltNetwork(runtime, _file_bytes(program))

    def build_int8(
        self, batches: Sequence[Tensor], method: str, keep_float: Sequence[str]
    ) -> BuiltNetwork:
        """Build the network in INT8, compiled and frozen."""
        converted = self.int8_program(batches, method, keep_float)
        example = (self._example,)
        with torch.no_grad(), _no_output():
            program = torch.export.export(converted, example, dynamic_shapes=self._shapes)
        return BuiltNetwork(InductorNetwork(converted, "torch inductor INT8"), _file_bytes(program))

    def int8_program(
        self, batches: Sequence[Tensor], method: str, keep_float: Sequence[str]
    ) -> Any:
        """Return the program with pairs of quantize and dequantize, before it is compiled.

        The arguments are those of `build_int8`.
        """
        with _no_output():
            from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
            from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
                X86InductorQuantizer,
            )

        quantizer = X86InductorQuantizer().set_global(_config(method))
        for name in keep_float:
            quantizer.set_module_name_qconfig(name, None)
        with torch.no_grad(), _no_output():
            prepared = prepare_pt2e(self._export().module(), quantizer)
            for batch in batches:
                prepared(batch.contiguous())
            return _without_unused(convert_pt2e(prepared))

    @property
    def _example(self) -> Tensor:
        return torch.zeros(2, 3, self.image_size, self.image_size)

    @property
    def _shapes(self) -> Any:
        return ({0: torch.export.Dim("images_in_batch")},)

    def _export(self) -> Any:
        # With gradients enabled, the traced program has no in-place operations.
        with torch.enable_grad(), _no_output():
            return torch.export.export(self.network, (self._example,), dynamic_shapes=self._shapes)


def _config(method: str) -> Any:
    """Return inductor's default configuration with a calibration method."""
    from torchao.quantization.pt2e import MinMaxObserver
    from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
        get_default_x86_inductor_quantization_config,
    )

    default = get_default_x86_inductor_quantization_config()  # least squared error of a histogram
    if method == "mse":
        return default
    observer = MinMaxObserver.with_args(eps=2**-12)
    activations = replace(default.input_activation, observer_or_fake_quant_ctr=observer)
    return replace(default, input_activation=activations, output_activation=activations)


def _without_unused(program: Any) -> Any:
    """Remove the float weights that INT8 weights have replaced."""
    used = {node.target for node in program.graph.nodes if node.op == "get_attr"}
    for name, _ in [*program.named_parameters(), *program.named_buffers()]:
        if name not in used:
            owner, _, leaf = name.rpartition(".")
            delattr(program.get_submodule(owner), leaf)
    return program


def _file_bytes(program: Any) -> int:
    """Return the size of the file of an exported program."""
    file = io.BytesIO()
    with _no_output():
        torch.export.save(program, file)
    return file.getbuffer().nbytes


@contextmanager
def _no_output() -> Iterator[None]:
    """Hide torch's hints about its own deprecations."""
    loggers = [logging.getLogger(name) for name in NOISY]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
