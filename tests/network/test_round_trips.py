"""What no tensor's shape tells survives every pair of writer and reader, or the reader says so."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from lit_effnet import export
from lit_effnet.experiment.factories import network_of
from lit_effnet.network.efficientnet import ACTIVATIONS
from lit_effnet.network.pretrained_cfg import description_of_run
from lit_effnet.network.properties import conventions
from lit_effnet.network.registry import build
from lit_effnet.network.trained import network_of_run
from lit_effnet.network.weight_sources import choose
from lit_effnet.network.writing import write_tensors
from lit_effnet.scaling.compound import Scaling
from lit_effnet.training import recipe

TINY = Scaling(width=0.25, depth=0.3)
CLASSES = 10


def randomised(network: nn.Module) -> nn.Module:
    """A network whose batch norms and biases take part in its logits."""
    generator = torch.Generator().manual_seed(1)
    for name, tensor in network.state_dict().items():
        if name.endswith(("running_mean", "bias")):
            tensor.normal_(0, 0.1, generator=generator)
        elif name.endswith("running_var"):
            # Small ones show the epsilon.
            tensor.uniform_(0.01, 1, generator=generator)
    return network.eval()


def logits(network: nn.Module) -> Tensor:
    images = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)).double()
    with torch.inference_mode():
        return network.double().eval()(images)


def error(given: nn.Module, expected: nn.Module) -> float:
    a, b = logits(given), logits(expected)
    return float((a - b).abs().max() / b.abs().max())


def run_of(folder: Path, scaling: Scaling = TINY, name: str = "efficientnet", **flags: Any) -> Path:
    """A run folder with a network of these flags of `--model`, as `fit` leaves it."""
    torch.manual_seed(0)
    network = randomised(build(name, scaling, CLASSES, **flags))
    record = {
        "status": "finished",
        "model": {"name": name, **flags},
        "network": conventions(network),
        "scaling": asdict(scaling),
        "seen_imagenet": False,
        "data": {
            "classes": CLASSES,
            "class_names": [f"class {number}" for number in range(CLASSES)],
            "image_size": 40,
            "preprocessing": {
                "crop_fraction": 0.9,
                "interpolation": "bilinear",
                "mean": (0.1, 0.2, 0.3),
                "std": (0.4, 0.5, 0.6),
            },
        },
    }
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "run.json").write_text(json.dumps(record))
    state = {f"network.{key}": tensor for key, tensor in network.state_dict().items()}
    content = {"state_dict": state, "lit_effnet": description_of_run(record)}
    torch.save(content, folder / "checkpoints" / "last.ckpt")
    return folder


def copied(run: Path, folder: Path) -> Path:
    return (run / "checkpoints" / "last.ckpt").rename(folder / "copied.ckpt")


def exported(layout: str) -> Callable[[Path, Path], Path]:
    def write(run: Path, folder: Path) -> Path:
        file = folder / layout / "model.safetensors"
        network, weights = network_of_run(run)
        record = json.loads((run / "run.json").read_text())
        write_tensors(network, weights, record, layout, file)
        return file

    return write


def by_command(run: Path, folder: Path) -> Path:
    export.main([str(run), f"--output={folder}/timm/model.safetensors"])
    return folder / "timm" / "model.safetensors"


def saved_by_timm(run: Path, folder: Path) -> Path:
    """timm's own files: what this suite wrote into the tensors' file is gone."""
    file = exported("timm")(run, folder)
    save_file(load_file(file), file)
    return file.parent


WRITERS: dict[str, Callable[[Path, Path], Path]] = {
    "run folder": lambda run, folder: run,
    "checkpoint of a run": lambda run, folder: run / "checkpoints" / "last.ckpt",
    "checkpoint without its run": copied,
    "safetensors in timm's layout": exported("timm"),
    "config.json alone": saved_by_timm,
    "safetensors in torchvision's layout": exported("torchvision"),
    "safetensors in EfficientNet-PyTorch's layout": exported("efficientnet_pytorch"),
    "safetensors in our layout": exported("lit_effnet"),
}

FLAGS: list[dict[str, Any]] = [
    {},
    {"activation": "relu"},
    {"activation": "hardswish"},
    {"activation": "gelu", "padding": "same"},
    {"activation": "relu6", "bn_eps": 1e-5},
    {"se_ratio": 0.0},
    {"se_ratio": 0.5, "activation": "relu6", "padding": "same", "bn_eps": 0.01},
    {"name": "efficientnet_lite"},
    {"name": "efficientnet_lite", "activation": "silu"},
]


def test_every_activation_is_among_the_cases() -> None:
    assert {"silu", *(flags.get("activation") for flags in FLAGS)} - {None} == set(ACTIVATIONS)


@pytest.mark.parametrize("flags", FLAGS, ids=str)
@pytest.mark.parametrize("writer", WRITERS)
def test_a_network_is_the_same_after_a_round_trip(
    writer: str, flags: dict[str, Any], tmp_path: Path
) -> None:
    """Read as `fit --weights.name` reads it, where only shapes are given by flags."""
    run = run_of(tmp_path / "run", **flags)
    trained, _ = network_of_run(run)
    found = choose(str(WRITERS[writer](run, tmp_path)))
    shapes = {key: flags.get(key) for key in ("name", "se_ratio")}
    shapes["name"] = shapes["name"] or "efficientnet"
    unset = dict.fromkeys(("activation", "padding", "bn_eps"))
    again = network_of(TINY, recipe.choose(), found, CLASSES, **shapes, **unset)
    found.load_into(again)
    assert error(again, trained) < 1e-9
    assert found.notes == ()
    assert (found.image_size, found.crop_fraction, found.interpolation) == (40, 0.9, "bilinear")
    assert (found.mean, found.std) == ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert found.class_names == tuple(f"class {number}" for number in range(CLASSES))
    if writer != "config.json alone":
        assert (found.resolution, found.seen_imagenet) == (1, False)


@pytest.mark.parametrize("layout", ["timm", "torchvision", "efficientnet_pytorch", "lit_effnet"])
def test_a_bare_file_says_what_is_assumed_of_it(layout: str, tmp_path: Path) -> None:
    run = run_of(tmp_path / "run", activation="relu")
    file = exported(layout)(run, tmp_path)
    save_file(load_file(file), tmp_path / "bare.safetensors")
    found = choose(str(tmp_path / "bare.safetensors"))
    (note,) = found.notes
    assert "bare.safetensors does not describe its network; assumed: silu, " in note
    assert "--model.activation" in note


TIMM: list[tuple[str, dict[str, Any]]] = [
    ("efficientnet_b0", {"activation": "relu"}),
    ("efficientnet_b0", {"activation": "hardswish", "padding": "same", "bn_eps": 0.01}),
    ("efficientnet_b0", {"activation": "gelu", "bn_eps": 1e-5}),
    ("efficientnet_lite0", {"se_ratio": 0.0}),
    ("efficientnet_lite0", {"name": "efficientnet_lite", "padding": "same"}),
    ("mobilenetv3_large_100", {"name": "mobilenetv3_large"}),
]


@pytest.mark.parametrize(("architecture", "flags"), TIMM, ids=str)
def test_timm_builds_the_network_from_an_exported_folder(
    architecture: str, flags: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(tmp_path / "run", Scaling(), **flags)
    file = by_command(run, tmp_path)
    assert f"the network that timm builds ({architecture})" in capsys.readouterr().out
    peer = timm.create_model(f"local-dir:{file.parent}", pretrained=True)
    trained, _ = network_of_run(run)
    assert error(peer, trained) < 1e-9
    assert peer.pretrained_cfg["label_names"][3] == "class 3"


def test_a_network_that_timm_cannot_build_has_no_architecture(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = run_of(tmp_path / "run", Scaling(), se_ratio=0.5)
    file = by_command(run, tmp_path)
    assert json.loads(file.with_name("config.json").read_text())["architecture"] is None
    assert (
        "the network that timm builds (no name for a network of these shapes)"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize("peer", ["timm", "this suite"])
def test_a_file_that_gives_other_logits_is_not_written(
    peer: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_of(tmp_path / "run", Scaling(), activation="relu")
    if peer == "timm":
        name, forgetful = "TIMM_ACTIVATIONS", {"relu": "silu"}
    else:
        name, forgetful = (
            "description_of_run",
            lambda record: {**description_of_run(record), "activation": "silu"},
        )
    monkeypatch.setattr(f"lit_effnet.network.writing.{name}", forgetful)
    with pytest.raises(SystemExit) as raised:
        by_command(run, tmp_path)
    assert raised.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "model.safetensors: not written" in line
    assert "its logits differ by " in line
    assert list((tmp_path / "timm").iterdir()) == []


@pytest.mark.parametrize(
    ("architecture", "difference"),
    [
        ("tf_mobilenetv3_large_100", "padding same there, symmetric here; bn_eps 0.001 there"),
        ("mobilenetv3_large_100", None),
    ],
)
def test_a_baseline_refuses_the_weights_of_another_network_of_its_shapes(
    architecture: str, difference: str | None, tmp_path: Path
) -> None:
    peer = timm.create_model(architecture, num_classes=CLASSES)
    save_file(peer.state_dict(), tmp_path / "model.safetensors")
    prepared = {"input_size": [3, 32, 32], "crop_pct": 1, "interpolation": "bicubic",
                "mean": [0.5] * 3, "std": [0.5] * 3}  # fmt: skip
    told = {"architecture": architecture, "pretrained_cfg": prepared}
    (tmp_path / "config.json").write_text(json.dumps(told))
    found, network = choose(str(tmp_path)), build("mobilenetv3_large", num_classes=CLASSES)
    if difference is None:
        found.load_into(network)
        return
    with pytest.raises(ValueError, match="were trained in another network") as raised:
        found.load_into(network)
    assert difference in str(raised.value)
    assert "\n" not in str(raised.value)


def test_timms_options_are_read_from_the_network_that_they_build(tmp_path: Path) -> None:
    """An output stride is no convention: the tensors fit, and no flag of ours builds it."""
    run = run_of(tmp_path / "run", Scaling())
    folder = saved_by_timm(run, tmp_path)
    config = json.loads((folder / "config.json").read_text())
    config["model_args"] = {"output_stride": 16}
    (folder / "config.json").write_text(json.dumps(config))
    found = choose(str(folder))
    assert (found.activation, found.padding, found.bn_eps) == ("silu", "symmetric", 1e-5)
    with pytest.raises(ValueError, match="another network, nothing was loaded: other convolutions"):
        found.load_into(build("efficientnet", num_classes=CLASSES))


def test_records_of_earlier_runs_have_the_activation_of_their_flags(tmp_path: Path) -> None:
    for flags, activation in (
        ({}, "silu"),
        ({"activation": "relu"}, "relu"),
        ({"name": "efficientnet_lite"}, "relu6"),
    ):
        run = run_of(tmp_path / activation, **flags)
        record = json.loads((run / "run.json").read_text())
        del record["network"]["activation"]
        (run / "run.json").write_text(json.dumps(record))
        assert choose(str(run)).activation == activation


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pretrained_cfg": {}}, "its config.json is not timm's (KeyError: 'input_size')"),
        ({"pretrained_cfg": 3}, "its config.json is not timm's (TypeError: "),
        ({"model_args": 3}, "its config.json is not timm's (TypeError: "),
        ({"model_args": {"act_layer": "none"}}, "timm cannot build efficientnet_b0 with {"),
    ],
    ids=str,
)
def test_a_config_that_is_not_timms_is_one_line(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    prepared = {"input_size": [3, 32, 32], "crop_pct": 1, "interpolation": "bicubic",
                "mean": [0.5] * 3, "std": [0.5] * 3}  # fmt: skip
    save_file(build("efficientnet", TINY).state_dict(), tmp_path / "model.safetensors")
    told = {"architecture": "efficientnet_b0", "pretrained_cfg": prepared, **change}
    (tmp_path / "config.json").write_text(json.dumps(told))
    with pytest.raises(ValueError, match=re.escape(message)) as raised:
        choose(str(tmp_path))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("told", ["{}", '{"activation": "relu"}', "[]", "3", '"text"', "{"])
def test_a_header_that_is_not_ours_is_one_line_or_ignored(told: str, tmp_path: Path) -> None:
    state = build("efficientnet", TINY).state_dict()
    save_file(state, tmp_path / "a.safetensors", {"lit_effnet": told})
    if told in ("{}", "[]", "3", '"text"'):
        assert "does not describe its network" in choose(str(tmp_path / "a.safetensors")).notes[0]
        return
    with pytest.raises(ValueError, match="its header") as raised:
        choose(str(tmp_path / "a.safetensors"))
    assert "\n" not in str(raised.value)
