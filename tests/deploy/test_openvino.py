"""INT8 by NNCF in OpenVINO."""

import pytest
import torch

from lit_effnet.deploy.agreement import agreement, median_snr
from lit_effnet.deploy.layers import is_inside, se_gates, silu_modules
from lit_effnet.deploy.onnx_graph import module_of
from tests.deploy.conftest import EfficientNet, Trained

pytest.importorskip("openvino")
pytest.importorskip("nncf")
pytest.importorskip("onnxscript")

from lit_effnet.deploy.openvino import MixedQuantizer, PerformanceQuantizer, float_precisions

LEAST_AGREEMENT, LEAST_SNR = 0.9, 15  # measured .957 to .963 and 20 to 24 dB


@pytest.fixture(scope="module")
def mixed(photographs: Trained) -> MixedQuantizer:
    return MixedQuantizer(photographs.network, photographs.size)


@pytest.fixture(scope="module")
def everything(mixed: MixedQuantizer, photographs: Trained):
    return mixed.build_int8(photographs.calibration, "min-max", [])


def stored(source):
    """The scales and integers of weights that are kept in eight bits; None for other inputs."""
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


def quantized_inputs(model) -> dict[str, int]:
    """How many inputs each operation has that were rounded, by its name."""
    return {
        node.get_friendly_name(): sum(
            source.get_node().get_type_name() == "FakeQuantize" or stored(source) is not None
            for source in node.input_values()
        )
        for node in model.get_ops()
    }


def test_float32_is_float32(mixed: MixedQuantizer, photographs: Trained) -> None:
    logits = mixed.build_float().network(photographs.images)
    assert agreement(logits, photographs.reference) == 1
    assert median_snr(logits, photographs.reference) > 90  # bfloat16 has some 40


def test_bfloat16_differs_from_float32(mixed: MixedQuantizer, photographs: Trained) -> None:
    if "bfloat16" not in float_precisions():
        pytest.skip("this processor has no bfloat16")
    built = mixed.build_float("bfloat16")
    logits = built.network(photographs.images)
    assert built.network.name == "OpenVINO bfloat16"
    assert 20 < median_snr(logits, photographs.reference) < 60
    assert agreement(logits, photographs.reference) > 0.95


def test_silu_is_one_operation_and_rounded_only_behind(everything, photographs: Trained) -> None:
    operations = everything.network.model.get_ops()
    gated = se_gates(photographs.network)
    outside = [name for name in silu_modules(photographs.network) if not is_inside(name, gated)]
    joined = [node for node in operations if node.get_type_name() == "Swish"]
    assert sorted(module_of(node.get_friendly_name()) for node in joined) == sorted(outside)
    for node in joined:
        assert node.input_value(0).get_node().get_type_name() in ("Add", "Convolution"), node
    sigmoids = [node for node in operations if node.get_type_name() == "Sigmoid"]
    assert all(is_inside(module_of(node.get_friendly_name()), gated) for node in sigmoids)


def test_int8_agrees_with_float(everything, photographs: Trained) -> None:
    logits = everything.network(photographs.images)
    assert agreement(logits, photographs.reference) >= LEAST_AGREEMENT
    assert LEAST_SNR < median_snr(logits, photographs.reference) < 60


def test_weights_have_a_scale_for_each_channel(everything, photographs: Trained) -> None:
    found = {}
    for node in everything.network.model.get_ops():
        if node.get_type_name() in ("Convolution", "GroupConvolution"):
            scales, integers = stored(node.input_value(1))
            assert integers.get_element_type().get_type_name() == "i8"
            found[module_of(node.get_friendly_name())] = scales.size
    for name, scales in found.items():
        assert scales == photographs.network.get_submodule(name).out_channels, name
    assert len(found) == 41


def test_modules_kept_in_float_have_no_rounded_input(
    mixed: MixedQuantizer, everything, photographs: Trained
) -> None:
    names = [*se_gates(photographs.network), "stem.0"]
    kept = mixed.build_int8(photographs.calibration[:1], "min-max", names)
    with_gates = quantized_inputs(everything.network.model)
    without = quantized_inputs(kept.network.model)
    inner = [name for name in without if is_inside(module_of(name), names)]
    assert len(inner) > 5 * len(names)
    assert {without[name] for name in inner} == {0}
    assert sum(with_gates.get(name, 0) for name in inner) >= 4 * len(names)
    for layer in ("stages.1.0.expand.0", "stages.1.0.project.0"):
        assert without[f"{layer}/Conv/WithoutBiases"] == 2


def test_swishes_that_are_kept_have_no_rounded_input(
    mixed: MixedQuantizer, everything, photographs: Trained
) -> None:
    """Joined ones never have; what is kept are those in gates."""
    names, gated = silu_modules(photographs.network), se_gates(photographs.network)
    kept = mixed.build_int8(photographs.calibration[:1], "min-max", names)
    before, after = (quantized_inputs(m.network.model) for m in (everything, kept))
    inner = [name for name in after if is_inside(module_of(name), names)]
    assert {after[name] for name in inner} == {0}
    changed = {module_of(name) for name in inner if before.get(name)}
    assert changed
    assert all(is_inside(name, gated) for name in changed)


@pytest.mark.slow
def test_the_same_images_give_the_same_numbers(
    mixed: MixedQuantizer, everything, photographs: Trained
) -> None:
    images = photographs.images[:32]
    again = mixed.build_int8(photographs.calibration, "min-max", [])
    assert torch.equal(again.network(images), everything.network(images))


@pytest.mark.slow
def test_a_network_of_relu6_without_gates(lite: EfficientNet) -> None:
    torch.manual_seed(1)
    images = torch.randn(8, 3, 32, 32)
    built = MixedQuantizer(lite, 32).build_int8([images], "min-max", [])
    assert built.network(images).shape == (8, 5)
    assert built.network(images[:3]).isfinite().all()


@pytest.mark.slow
@pytest.mark.parametrize("kind", [MixedQuantizer, PerformanceQuantizer])
@pytest.mark.parametrize("method", ["percentile", "mean-min-max", "mse"])
def test_every_method_gives_another_network(kind, method: str, photographs: Trained) -> None:
    backend = kind(photographs.network, photographs.size)
    logits = backend.build_int8(photographs.calibration, method, []).network(photographs.images)
    usual = backend.build_int8(photographs.calibration, "min-max", []).network(photographs.images)
    assert not torch.equal(logits, usual)
    assert agreement(logits, photographs.reference) > 0.3
