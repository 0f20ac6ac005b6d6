"""A network as an ONNX graph whose nodes carry the names of the modules that they come from."""

import ast
import logging
import warnings
from collections.abc import Collection
from typing import Any

import torch
from torch import nn

from lit_effnet.deploy.layers import inside

SCOPES = "pkg.torch.onnx.name_scopes"  # where torch's exporter notes the modules
INPUT, OUTPUT = "images", "logits"


def onnx_graph(network: nn.Module, image_size: int) -> Any:
    """The network as an `onnx.ModelProto`: `images float32 [N, 3, S, S]` to `logits [N, K]`.

    Batch norm is folded into the convolutions. A node of the layer `stem.0` is named
    `stem.0/Conv`, one that is only part of a module `stages.0.0.se/Mul/OUTPUT`.

    Args:
        network: In evaluation mode, on the CPU.
        image_size: S in pixels.
    """
    example = torch.zeros(2, 3, image_size, image_size)
    quiet = logging.getLogger("torch.onnx")
    level = quiet.level
    quiet.setLevel(logging.ERROR)
    # Where gradients are recorded nothing is overwritten: what is traced has no such operations.
    with torch.enable_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            program = torch.onnx.export(
                network,
                (example,),
                dynamo=True,
                verbose=False,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes=({0: torch.export.Dim("images_in_batch")},),
            )
        finally:
            quiet.setLevel(level)
    assert program is not None
    model = program.model_proto
    for node in model.graph.node:
        node.name = _name(node)
    return model


def module_of(node: str) -> str:
    """The module that a node of `onnx_graph` comes from."""
    return node.split("/", 1)[0]


def nodes_of(model: Any, modules: Collection[str]) -> list[str]:
    """Names of the graph's nodes that come from the modules."""
    names = [node.name for node in model.graph.node]
    return [name for name in names if inside(module_of(name), modules)]


def _name(node: Any) -> str:
    weights = [name for name in node.input if name.endswith(".weight")]
    if node.op_type in ("Conv", "Gemm", "MatMul") and weights:
        return f"{weights[0].removesuffix('.weight')}/{node.op_type}"
    noted = {entry.key: entry.value for entry in node.metadata_props}.get(SCOPES, "[]")
    scopes = ast.literal_eval(noted)
    # The last scope is the operation, the first the whole network.
    module = scopes[-2] if len(scopes) > 1 else ""
    return f"{module}/{node.op_type}/{node.output[0]}"
