"""INT8 by torchao's PT2E, compiled by torch's inductor for x86.

Its quantiser leaves depthwise convolutions in float32: inductor has no INT8 kernel for them.
"""

import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from lit_effnet.deploy.backends import Backend, Built
from lit_effnet.deploy.runtime import Runtime

METHODS = ("mse", "min-max")
NOISY = ("torch.utils.cpp_extension", "torch.utils._pytree")


class CompiledRuntime(Runtime):
    """A program compiled by inductor, weights frozen into it, for each size of a batch.

    Args:
        program: What `torch.export` gives, converted or not.
        name: Program and precision.
        threads: Threads that it uses.
    """

    def __init__(self, program: Any, name: str, threads: int = 1) -> None:
        super().__init__(name, threads)
        # In a list, for its tensors are none of this module's.
        self.compiled: list[Any] = [torch.compile(program, dynamic=False)]
        self.sizes: set[int] = set()

    def forward(self, images: Tensor) -> Tensor:
        """Logits `float32 [N, K]` of images `float32 [N, 3, H, W]`."""
        from torch._inductor import config

        count = len(images)
        if (
            count > 1
            and count not in self.sizes
            and (larger := [*filter(count.__lt__, self.sizes)])
        ):
            # A last batch is filled up, for half a minute's compiling is not worth it.
            filling = images.new_zeros(min(larger) - count, *images.shape[1:])
            images = torch.cat([images, filling])
        self.sizes.add(len(images))
        threads = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            with torch.no_grad(), config.patch(freezing=True), _quiet():
                logits: Tensor = self.compiled[0](images.contiguous())
        finally:
            torch.set_num_threads(threads)
        return logits[:count]


class TorchAo(Backend):
    """Plain convolutions and linear layers are quantised, and the sums that they are part of."""

    name: ClassVar[str] = "torchao"
    program: ClassVar[str] = "torch inductor"
    needs: ClassVar[tuple[str, ...]] = ("torchao",)
    methods: ClassVar[tuple[str, ...]] = METHODS
    # Its quantiser never touches activations on their own, so that SiLU is in float as it is.
    keeps: ClassVar[tuple[str, ...]] = ("se", "worst")

    def in_float(self, precision: str = "float32") -> Built:
        """The network in float32, compiled and frozen."""
        exported = self._exported()
        return Built(
            CompiledRuntime(exported.module(), f"{self.program} float32"), _bytes(exported)
        )

    def quantized(self, images: Sequence[Tensor], method: str, kept: Sequence[str]) -> Built:
        """The network in INT8, compiled and frozen."""
        converted = self.converted(images, method, kept)
        example = (self._example,)
        with torch.no_grad(), _quiet():
            exported = torch.export.export(converted, example, dynamic_shapes=self._shapes)
        return Built(CompiledRuntime(converted, f"{self.program} INT8"), _bytes(exported))

    def converted(self, images: Sequence[Tensor], method: str, kept: Sequence[str]) -> Any:
        """The program in INT8 with pairs of quantise and dequantise, before it is compiled."""
        with _quiet():
            from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
            from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
                X86InductorQuantizer,
            )

        quantizer = X86InductorQuantizer().set_global(_config(method))
        for name in kept:
            quantizer.set_module_name_qconfig(name, None)
        with torch.no_grad(), _quiet():
            prepared = prepare_pt2e(self._exported().module(), quantizer)
            for batch in images:
                prepared(batch.contiguous())
            return _without_unused(convert_pt2e(prepared))

    @property
    def _example(self) -> Tensor:
        return torch.zeros(2, 3, self.image_size, self.image_size)

    @property
    def _shapes(self) -> Any:
        return ({0: torch.export.Dim("images_in_batch")},)

    def _exported(self) -> Any:
        # Where gradients are recorded nothing is overwritten: the program has no such operations.
        with torch.enable_grad(), _quiet():
            return torch.export.export(self.network, (self._example,), dynamic_shapes=self._shapes)


def _config(method: str) -> Any:
    """The usual configuration: weights per channel, activations unsigned, ranges by `method`."""
    from torchao.quantization.pt2e import MinMaxObserver
    from torchao.quantization.pt2e.quantizer.x86_inductor_quantizer import (
        get_default_x86_inductor_quantization_config,
    )

    usual = get_default_x86_inductor_quantization_config()  # a histogram's least squared error
    if method == "mse":
        return usual
    observer = MinMaxObserver.with_args(eps=2**-12)
    activations = replace(usual.input_activation, observer_or_fake_quant_ctr=observer)
    return replace(usual, input_activation=activations, output_activation=activations)


def _without_unused(program: Any) -> Any:
    """The program without the float weights whose place has been taken by INT8 ones."""
    used = {node.target for node in program.graph.nodes if node.op == "get_attr"}
    for name, _ in [*program.named_parameters(), *program.named_buffers()]:
        if name not in used:
            owner, _, leaf = name.rpartition(".")
            delattr(program.get_submodule(owner), leaf)
    return program


def _bytes(exported: Any) -> int:
    """Size of the file of an exported program."""
    file = io.BytesIO()
    with _quiet():
        torch.export.save(exported, file)
    return file.getbuffer().nbytes


@contextmanager
def _quiet() -> Iterator[None]:
    """Hints about what torch deprecates in itself are not shown."""
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
