"""The ONNX graph: the network's logits, and the names of its modules."""

import pytest
import torch

from lit_effnet.deploy.layers import layers, se_gates
from lit_effnet.deploy.onnx_graph import module_of, nodes_of, onnx_graph
from tests.deploy.conftest import EfficientNet, Trained

pytest.importorskip("onnxscript")
pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def graph(photographs: Trained):
    return onnx_graph(photographs.network, photographs.size)


def test_every_layer_is_one_node_of_its_name_and_batch_norm_is_folded(
    graph, photographs: Trained
) -> None:
    names = [node.name for node in graph.graph.node]
    assert len(set(names)) == len(names)
    weighted = [module_of(n.name) for n in graph.graph.node if n.op_type in ("Conv", "Gemm")]
    assert sorted(weighted) == sorted(layers(photographs.network))
    assert "BatchNormalization" not in {node.op_type for node in graph.graph.node}


def test_a_gate_is_the_pooling_two_layers_and_the_product(graph, photographs: Trained) -> None:
    names = nodes_of(graph, ["stages.1.0.se"])
    kinds = [name.split("/")[1] for name in names]
    assert kinds == ["ReduceMean", "Conv", "Sigmoid", "Mul", "Conv", "Sigmoid", "Mul"]
    assert len(nodes_of(graph, se_gates(photographs.network))) == 8 * len(kinds)


@pytest.mark.slow
def test_a_network_without_gates_has_clips_for_relu6(lite: EfficientNet) -> None:
    model = onnx_graph(lite, 32)
    assert "Clip" in {node.op_type for node in model.graph.node}
    assert nodes_of(model, ["stem.0"]) == ["stem.0/Conv"]


def test_the_network_stays_as_it_was(graph, photographs: Trained) -> None:
    assert graph.graph.input[0].name == "images"
    with torch.inference_mode():
        again = photographs.network(photographs.images)
    assert torch.equal(again, photographs.reference)
    assert not photographs.network.training
