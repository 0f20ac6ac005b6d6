"""INT8 by torchao's PT2E: the converted program, and (slow) what inductor makes of it."""

import pytest
import torch

from lit_effnet.deploy.agreement import agreement, median_snr
from lit_effnet.deploy.layers import is_inside, layers, se_gates
from tests.deploy.conftest import Trained

pytest.importorskip("torchao")

from lit_effnet.deploy.torchao import TorchAoQuantizer

pytestmark = pytest.mark.slow

PER_CHANNEL = "quantized_decomposed.dequantize_per_channel.default"


@pytest.fixture(scope="module")
def backend(photographs: Trained) -> TorchAoQuantizer:
    return TorchAoQuantizer(photographs.network, photographs.size)


@pytest.fixture(scope="module")
def program(backend: TorchAoQuantizer, photographs: Trained):
    return backend.int8_program(photographs.calibration, "min-max", [])


def weighted(program) -> list:
    """The convolutions and linear layers of a program in their order."""
    names = ("aten.conv2d", "aten.linear")
    return [node for node in program.graph.nodes if str(node.target).startswith(names)]


def module_of(node) -> str:
    """The layer that a convolution or a linear layer of a program was."""
    return str(list(node.meta["nn_module_stack"].values())[-1][0])


def test_weights_are_signed_per_channel_but_depthwise_ones_in_float(
    program, photographs: Trained
) -> None:
    nodes = weighted(program)
    assert len(nodes) == len(layers(photographs.network))
    depthwise = [node for node in nodes if module_of(node).endswith("depthwise.0")]
    assert len(depthwise) == 8
    assert all(node.args[1].op == "get_attr" for node in depthwise)
    for node in set(nodes) - set(depthwise):
        weights = node.args[1]
        assert str(weights.target) == PER_CHANNEL
        stored, scales = (getattr(program, str(arg.target)) for arg in weights.args[:2])
        assert stored.dtype == torch.int8
        assert len(scales) == len(stored)
    used = {node.target for node in program.graph.nodes if node.op == "get_attr"}
    assert {name for name, _ in program.named_parameters()} <= used  # no weights beside INT8 ones


def test_int8_agrees_with_float(program, photographs: Trained) -> None:
    with torch.no_grad():
        logits = program(photographs.images)
    assert agreement(logits, photographs.reference) >= 0.9  # measured .97 to .99
    assert 15 < median_snr(logits, photographs.reference) < 60


def test_gates_that_are_kept_are_in_float(backend: TorchAoQuantizer, photographs: Trained) -> None:
    names = se_gates(photographs.network)
    kept = backend.int8_program(photographs.calibration[:1], "min-max", names)
    in_float = {module_of(n) for n in weighted(kept) if str(n.args[1].target) != PER_CHANNEL}
    wanted = {name for name in layers(photographs.network) if is_inside(name, names)}
    assert len(wanted) == 2 * len(names)
    assert {name for name in in_float if not name.endswith("depthwise.0")} == wanted


def test_compiled_it_gives_what_the_program_gives(
    backend: TorchAoQuantizer, program, photographs: Trained
) -> None:
    built = backend.build_int8(photographs.calibration, "min-max", [])
    images = photographs.images[:20]
    first = built.network(images[:16])
    assert torch.equal(built.network(images[:5]), first[:5])  # filled up to sixteen
    with torch.no_grad():
        assert median_snr(first, program(images[:16])) > 25  # sums are rounded in other places
    assert built.file_bytes > 0
