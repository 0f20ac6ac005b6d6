"""INT8 by NNCF in OpenVINO."""

import pytest
import torch

from lit_effnet.deploy.agreement import agreement, median_snr
from lit_effnet.deploy.layers import gates, inside, swishes
from lit_effnet.deploy.onnx_graph import module_of
from tests.deploy.conftest import EfficientNet, Trained

pytest.importorskip("openvino")
pytest.importorskip("nncf")
pytest.importorskip("onnxscript")

from lit_effnet.deploy.openvino_nncf import Mixed, Performance

LEAST_AGREEMENT, LEAST_SNR = 0.9, 15  # measured .957 to .963 and 20 to 24 dB


@pytest.fixture(scope="module")
def mixed(photographs: Trained) -> Mixed:
    return Mixed(photographs.network, photographs.size)


@pytest.fixture(scope="module")
def everything(mixed: Mixed, photographs: Trained):
    return mixed.quantized(photographs.calibration, "min-max", [])


def stored(source):
    """The scales and integers of weights that are kept in eight bits; null for other inputs."""
    node = source.get_node()
    if node.get_type_name() == "Reshape":
        return stored(node.input_value(0))
    if node.get_type_name() != "Multiply":
        return None
    values = node.input_value(0).get_node()
    while values.get_type_name() in ("Convert", "Subtract"):
        values = values.input_value(0).get_node()
    integers = values.get_type_name() == "Constant" and values.get_element_type().size == 1
    return (node.input_value(1).get_node().data, values) if integers else None


def quantised_inputs(model) -> dict[str, int]:
    """How many inputs each operation has that were rounded, by its name."""
    return {
        node.get_friendly_name(): sum(
            source.get_node().get_type_name() == "FakeQuantize" or stored(source) is not None
            for source in node.input_values()
        )
        for node in model.get_ops()
    }


def test_float32_is_float32(mixed: Mixed, photographs: Trained) -> None:
    logits = mixed.in_float().runtime(photographs.images)
    assert agreement(logits, photographs.reference) == 1
    assert median_snr(logits, photographs.reference) > 90  # bfloat16 has some 40


def test_bfloat16_is_told_from_float32(mixed: Mixed, photographs: Trained) -> None:
    if "bfloat16" not in mixed.floats_here():
        pytest.skip("this processor has no bfloat16")
    built = mixed.in_float("bfloat16")
    logits = built.runtime(photographs.images)
    assert built.runtime.name == "OpenVINO bfloat16"
    assert 20 < median_snr(logits, photographs.reference) < 60
    assert agreement(logits, photographs.reference) > 0.95


def test_silu_is_one_operation_and_rounded_only_behind(everything, photographs: Trained) -> None:
    operations = everything.runtime.model.get_ops()
    gated = gates(photographs.network)
    outside = [name for name in swishes(photographs.network) if not inside(name, gated)]
    joined = [node for node in operations if node.get_type_name() == "Swish"]
    assert sorted(module_of(node.get_friendly_name()) for node in joined) == sorted(outside)
    for node in joined:
        assert node.input_value(0).get_node().get_type_name() in ("Add", "Convolution"), node
    sigmoids = [node for node in operations if node.get_type_name() == "Sigmoid"]
    assert all(inside(module_of(node.get_friendly_name()), gated) for node in sigmoids)


def test_int8_agrees_with_float(everything, photographs: Trained) -> None:
    logits = everything.runtime(photographs.images)
    assert agreement(logits, photographs.reference) >= LEAST_AGREEMENT
    assert LEAST_SNR < median_snr(logits, photographs.reference) < 60


def test_weights_have_a_scale_for_each_channel(everything, photographs: Trained) -> None:
    found = {}
    for node in everything.runtime.model.get_ops():
        if node.get_type_name() in ("Convolution", "GroupConvolution"):
            scales, integers = stored(node.input_value(1))
            assert integers.get_element_type().get_type_name() == "i8"
            found[module_of(node.get_friendly_name())] = scales.size
    for name, scales in found.items():
        assert scales == photographs.network.get_submodule(name).out_channels, name
    assert len(found) == 41


def test_what_is_kept_has_no_rounded_input(mixed: Mixed, everything, photographs: Trained) -> None:
    names = [*gates(photographs.network), "stem.0"]
    kept = mixed.quantized(photographs.calibration[:1], "min-max", names)
    with_gates = quantised_inputs(everything.runtime.model)
    without = quantised_inputs(kept.runtime.model)
    inner = [name for name in without if inside(module_of(name), names)]
    assert len(inner) > 5 * len(names)
    assert {without[name] for name in inner} == {0}
    assert sum(with_gates.get(name, 0) for name in inner) >= 4 * len(names)
    for layer in ("stages.1.0.expand.0", "stages.1.0.project.0"):
        assert without[f"{layer}/Conv/WithoutBiases"] == 2


def test_swishes_that_are_kept_have_no_rounded_input(
    mixed: Mixed, everything, photographs: Trained
) -> None:
    """Joined ones never have; what is kept are those in gates."""
    names, gated = swishes(photographs.network), gates(photographs.network)
    kept = mixed.quantized(photographs.calibration[:1], "min-max", names)
    before, after = (quantised_inputs(m.runtime.model) for m in (everything, kept))
    inner = [name for name in after if inside(module_of(name), names)]
    assert {after[name] for name in inner} == {0}
    changed = {module_of(name) for name in inner if before.get(name)}
    assert changed
    assert all(inside(name, gated) for name in changed)


@pytest.mark.slow
def test_the_same_images_give_the_same_numbers(
    mixed: Mixed, everything, photographs: Trained
) -> None:
    images = photographs.images[:32]
    again = mixed.quantized(photographs.calibration, "min-max", [])
    assert torch.equal(again.runtime(images), everything.runtime(images))


@pytest.mark.slow
def test_a_network_of_relu6_without_gates(lite: EfficientNet) -> None:
    torch.manual_seed(1)
    images = torch.randn(8, 3, 32, 32)
    built = Mixed(lite, 32).quantized([images], "min-max", [])
    assert built.runtime(images).shape == (8, 5)
    assert built.runtime(images[:3]).isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Mixed, Performance])
@pytest.mark.parametrize("method", ["percentile", "mean-min-max", "mse"])
def test_every_method_gives_another_network(kind, method: str, photographs: Trained) -> None:
    backend = kind(photographs.network, photographs.size)
    logits = backend.quantized(photographs.calibration, method, []).runtime(photographs.images)
    usual = backend.quantized(photographs.calibration, "min-max", []).runtime(photographs.images)
    assert not torch.equal(logits, usual)
    assert agreement(logits, photographs.reference) > 0.3
