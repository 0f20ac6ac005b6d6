"""Our network against timm's and torchvision's, and what each option does."""

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

from lit_effnet.network.efficientnet import EfficientNet, MBConv, SqueezeExcite
from lit_effnet.scaling.compound import VARIANTS, Scaling

# Released families differ in batch norm's epsilon: timm 1e-5; torchvision 1e-5, from B5 on 1e-3.
TIMM_EPS = 1e-5
TORCHVISION_EPS = {name: 1e-3 if name in ("b5", "b6", "b7") else 1e-5 for name in VARIANTS}
B0_TO_B7 = [f"b{index}" for index in range(8)]


def peer_weights(ours: nn.Module, peer: nn.Module) -> nn.Module:
    """`ours` with the peer's weights and random batch norm statistics, in order of definition."""
    generator = torch.Generator().manual_seed(1)
    state = peer.state_dict()
    for name, tensor in state.items():
        if name.endswith(("running_mean", "bias")):
            tensor.normal_(0, 0.1, generator=generator)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5, generator=generator)
    keys = ours.state_dict().keys()
    assert len(keys) == len(state)
    ours.load_state_dict(dict(zip(keys, state.values(), strict=True)))
    return ours


def images(size: int) -> Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0)).double()


def relative_error(a: Tensor, b: Tensor) -> float:
    return ((a - b).abs().max() / b.abs().max()).item()


@pytest.mark.parametrize("name", B0_TO_B7)
def test_logits_equal_timms(name: str) -> None:
    torch.manual_seed(0)
    peer = timm.create_model(f"efficientnet_{name}").double().eval()
    ours = EfficientNet(VARIANTS[name].scaling, bn_eps=TIMM_EPS).double().eval()
    peer_weights(ours, peer)
    with torch.inference_mode():
        assert relative_error(ours(images(75)), peer(images(75))) < 1e-9


@pytest.mark.parametrize("name", B0_TO_B7)
def test_logits_equal_torchvisions(name: str) -> None:
    torch.manual_seed(0)
    peer = getattr(torchvision.models, f"efficientnet_{name}")().double().eval()
    ours = EfficientNet(VARIANTS[name].scaling, bn_eps=TORCHVISION_EPS[name]).double().eval()
    peer_weights(ours, peer)
    with torch.inference_mode():
        assert relative_error(ours(images(75)), peer(images(75))) < 1e-9


@pytest.mark.parametrize("size", [64, 75])
def test_logits_equal_timms_with_tensorflow_padding(size: int) -> None:
    torch.manual_seed(0)
    peer = timm.create_model("tf_efficientnet_b0").double().eval()
    ours = EfficientNet(padding="same", bn_eps=1e-3).double().eval()
    peer_weights(ours, peer)
    with torch.inference_mode():
        assert relative_error(ours(images(size)), peer(images(size))) < 1e-9


@pytest.mark.parametrize("name", ["efficientnet_lite0", "efficientnet_lite3"])
def test_logits_of_the_lite_form_equal_timms(name: str) -> None:
    torch.manual_seed(0)
    scaling = {"efficientnet_lite0": Scaling(), "efficientnet_lite3": Scaling(1.4, 1.2)}[name]
    peer = timm.create_model(name).double().eval()
    ours = EfficientNet(scaling, lite=True, se_ratio=0, activation="relu6", bn_eps=TIMM_EPS)
    peer_weights(ours.double().eval(), peer)
    with torch.inference_mode():
        assert relative_error(ours(images(64)), peer(images(64))) < 1e-9


@pytest.mark.parametrize("family", ["timm", "torchvision"])
def test_all_gradients_of_b0_equal_the_peers_in_training_mode(family: str) -> None:
    torch.manual_seed(0)
    peer: nn.Module = (
        timm.create_model("efficientnet_b0")
        if family == "timm"
        else torchvision.models.efficientnet_b0(dropout=0.0, stochastic_depth_prob=0.0)
    )
    ours = EfficientNet(bn_eps=1e-5, bn_momentum=0.1, dropout=0, drop_path_rate=0)
    peer_weights(ours.double(), peer.double())
    target = torch.tensor([3, 7])
    for network in (ours, peer):
        network.train()
        nn.functional.cross_entropy(network(images(64)), target).backward()
    gradients = zip(ours.parameters(), peer.parameters(), strict=True)
    assert max(relative_error(a.grad, b.grad) for a, b in gradients) < 1e-9
    buffers = zip(ours.buffers(), peer.buffers(), strict=True)
    assert max(relative_error(a.double(), b.double()) for a, b in buffers) < 1e-9


def test_se_ratio_zero_builds_no_gate_and_a_tiny_ratio_one_channel() -> None:
    def gates(ratio: float) -> list[SqueezeExcite]:
        network = EfficientNet(se_ratio=ratio)
        return [module for module in network.modules() if isinstance(module, SqueezeExcite)]

    assert gates(0) == []
    assert {gate.reduce.out_channels for gate in gates(1e-6)} == {1}


@pytest.mark.parametrize(
    ("ratio", "millions"),  # max(1, int(in * ratio)): facts computed with an independent counter
    [(0, 4.652), (1 / 64, 4.697), (1 / 32, 4.736), (1 / 16, 4.817), (1 / 8, 4.975), (1 / 2, 5.916)],
)
def test_parameters_by_se_ratio(ratio: float, millions: float) -> None:
    with torch.device("meta"):
        network = EfficientNet(se_ratio=ratio)
    assert round(sum(p.numel() for p in network.parameters()) / 1e6, 3) == millions


def test_drop_path_grows_linearly_with_depth_as_released() -> None:
    blocks = [m for m in EfficientNet(drop_path_rate=0.2).modules() if isinstance(m, MBConv)]
    rates = [0.0 if block.drop_path is None else block.drop_path.p for block in blocks]
    assert rates == pytest.approx([0.2 * index / 16 for index in range(16)])
    assert rates[-1] == pytest.approx(0.1875)


def test_initialisation_has_the_released_spread() -> None:
    torch.manual_seed(0)
    network = EfficientNet(Scaling(width=2))
    head = network.head[0]
    assert head.weight.std().item() == pytest.approx((2 / head.out_channels) ** 0.5, rel=0.02)
    depthwise = network.stages[-1][0].depthwise[0]
    assert depthwise.weight.std().item() == pytest.approx((2 / 9) ** 0.5, rel=0.05)
    assert network.classifier.weight.abs().max().item() <= 1000**-0.5
    assert not network.classifier.bias.any()


def test_dropout_and_drop_path_act_in_training_only() -> None:
    torch.manual_seed(0)
    network = EfficientNet(dropout=0.5, drop_path_rate=0.5).eval()
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(network(x), network(x))
    network.train()
    assert not torch.equal(network(x), network(x))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"se_ratio": -0.1}, "se_ratio -0.1: must be from 0 to 1"),
        ({"dropout": float("nan")}, "dropout nan"),
        ({"activation": "swishy"}, "activation 'swishy': must be one of silu"),
        ({"padding": "valid"}, "padding 'valid': must be one of symmetric, same"),
        ({"num_classes": 0}, "num_classes 0: must be at least 1"),
    ],
)
def test_bad_options_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EfficientNet(**options)  # type: ignore[arg-type]
