"""A network as an ONNX graph whose nodes are named after the modules that they come from."""

import ast
from collections.abc import Collection
from typing import Any

import torch
from torch import nn

from lit_effnet.deploy.exported_program import INPUT, OUTPUT, no_converter_output
from lit_effnet.deploy.layers import is_inside

SCOPES = "pkg.torch.onnx.name_scopes"  # key under which torch's exporter records the modules


def onnx_graph(network: nn.Module, image_size: int) -> Any:
    """Export the network as an `onnx.ModelProto`.

    It maps `images float32 [N, 3, S, S]` to `logits [N, K]`, batch norm folded into the
    convolutions. A node is named after its layer, `stem.0/Conv`, or after the module that it is a
    part of, `stages.0.0.se/Mul/OUTPUT`.

    Args:
        network: In evaluation mode, on the CPU.
        image_size: S in pixels.
    """
    example = torch.zeros(2, 3, image_size, image_size)
    # With gradients enabled, the traced program has no in-place operations.
    with torch.enable_grad(), no_converter_output():
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            verbose=False,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_shapes=({0: torch.export.Dim("images_in_batch")},),
        )
    assert program is not None
    model = program.model_proto
    for node in model.graph.node:
        node.name = _name(node)
    return model


def module_of(node: str) -> str:
    """Return the module that a node of `onnx_graph` comes from."""
    return node.split("/", 1)[0]


def nodes_of(model: Any, modules: Collection[str]) -> list[str]:
    """Return the names of the graph's nodes that come from the modules."""
    names = [node.name for node in model.graph.node]
    return [name for name in names if is_inside(module_of(name), modules)]


def _name(node: Any) -> str:
    weights = [name for name in node.input if name.endswith(".weight")]
    if node.op_type in ("Conv", "Gemm", "MatMul") and weights:
        return f"{weights[0].removesuffix('.weight')}/{node.op_type}"
    recorded = {entry.key: entry.value for entry in node.metadata_props}.get(SCOPES, "[]")
    scopes = ast.literal_eval(recorded)
    # The last scope is the operation, the first the whole network.
    module = scopes[-2] if len(scopes) > 1 else ""
    return f"{module}/{node.op_type}/{node.output[0]}"
