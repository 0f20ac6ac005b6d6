"""INT8 by ONNX Runtime's quantizer."""

import pytest
import torch

from lit_effnet.deploy.agreement import agreement, median_snr
from lit_effnet.deploy.layers import layers, se_gates, silu_modules
from lit_effnet.deploy.onnx_graph import module_of, nodes_of
from tests.deploy.conftest import EfficientNet, Trained

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from lit_effnet.deploy.onnxruntime import OnnxNetwork, OnnxRuntimeQuantizer

LEAST_AGREEMENT = 0.85  # measured .948 to .965


@pytest.fixture(scope="module")
def backend(photographs: Trained) -> OnnxRuntimeQuantizer:
    return OnnxRuntimeQuantizer(photographs.network, photographs.size)


@pytest.fixture(scope="module")
def content(backend: OnnxRuntimeQuantizer, photographs: Trained) -> bytes:
    return backend.int8_file(photographs.calibration, "min-max", [])


def rounded(content: bytes):
    """The graph's nodes, constants, and the dequantised inputs of each node by its name."""
    import onnx

    graph = onnx.load_from_string(content).graph
    made = {output: node for node in graph.node for output in node.output}
    constants = {c.name: onnx.numpy_helper.to_array(c) for c in graph.initializer}
    inputs = {
        node.name: [
            made[i] for i in node.input if i in made and made[i].op_type == "DequantizeLinear"
        ]
        for node in graph.node
    }
    return graph, constants, inputs


def test_float32_is_float32(backend: OnnxRuntimeQuantizer, photographs: Trained) -> None:
    logits = backend.build_float().network(photographs.images)
    assert agreement(logits, photographs.reference) == 1
    assert median_snr(logits, photographs.reference) > 90


def test_int8_agrees_with_float(content: bytes, photographs: Trained) -> None:
    logits = OnnxNetwork(content, 1)(photographs.images)
    assert agreement(logits, photographs.reference) >= LEAST_AGREEMENT
    assert 12 < median_snr(logits, photographs.reference) < 60


def test_weights_are_signed_per_channel_and_activations_unsigned(
    content: bytes, photographs: Trained
) -> None:
    _, constants, inputs = rounded(content)
    for name in layers(photographs.network):
        node = next(n for n in (f"{name}/Conv", f"{name}/Gemm") if n in inputs)
        values, weights, *_ = inputs[node]
        layer = photographs.network.get_submodule(name)
        assert constants[weights.input[0]].dtype == "int8", name
        assert constants[weights.input[1]].shape == (len(layer.weight),), name
        assert not constants[weights.input[2]].any(), name
        assert constants[values.input[1]].shape == ()
        assert constants[values.input[2]].dtype == "uint8", name


def test_gates_that_are_kept_have_no_rounded_input(
    backend: OnnxRuntimeQuantizer, content: bytes, photographs: Trained
) -> None:
    names = se_gates(photographs.network)
    kept = backend.int8_file(photographs.calibration[:1], "min-max", names)
    _, _, inputs = rounded(kept)
    _, _, before = rounded(content)
    convolutions = [n for n in nodes_of(backend.model, names) if n.endswith("/Conv")]
    assert len(convolutions) == 2 * len(names)
    assert all(not inputs[name] for name in convolutions)
    assert all(len(before[name]) >= 2 for name in convolutions)
    assert len(inputs["stages.1.0.project.0/Conv"]) >= 2
    assert {module_of(name) for name in convolutions} < set(layers(photographs.network))


def test_swishes_that_are_kept_do_not_round_their_sigmoid(
    backend: OnnxRuntimeQuantizer, content: bytes, photographs: Trained
) -> None:
    """What they are given is what a convolution in INT8 gives, and has been rounded there."""
    names = silu_modules(photographs.network)
    kept = backend.int8_file(photographs.calibration[:1], "min-max", names)
    _, _, inputs = rounded(kept)
    _, _, before = rounded(content)
    products = [name for name in nodes_of(backend.model, names) if "/Mul/" in name]
    assert len(products) == len(names)
    assert {len(before[name]) for name in products} == {2}
    assert {len(inputs[name]) for name in products} == {1}


def test_the_same_images_give_the_same_file(
    backend: OnnxRuntimeQuantizer, content: bytes, photographs: Trained
) -> None:
    assert backend.int8_file(photographs.calibration, "min-max", []) == content


def test_a_network_of_relu6_without_gates(lite: EfficientNet) -> None:
    torch.manual_seed(1)
    images = torch.randn(8, 3, 32, 32)
    built = OnnxRuntimeQuantizer(lite, 32).build_int8([images], "min-max", [])
    assert built.network(images[:3]).shape == (3, 5)
    assert built.network(images).isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["percentile", "entropy"])
def test_every_method_gives_another_network(
    backend: OnnxRuntimeQuantizer, content: bytes, method: str, photographs: Trained, capsys
) -> None:
    other = backend.int8_file(photographs.calibration, method, [])
    assert other != content
    logits = OnnxNetwork(other, 1)(photographs.images)
    assert agreement(logits, photographs.reference) > 0.3
    assert capsys.readouterr().out == ""
