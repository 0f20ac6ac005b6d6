"""A run's tensors in a file of another program, kept only if it gives the run's logits again."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lit_effnet.network.efficientnet import EfficientNet
from lit_effnet.network.layouts import Layout, to_layout
from lit_effnet.network.pretrained_cfg import told_of
from lit_effnet.network.registry import BASELINES
from lit_effnet.network.trained import filled
from lit_effnet.network.weight_sources import HEADER, find, safetensors_of
from lit_effnet.network.weights import Weights
from lit_effnet.runs.files import scratch_folder

CONFIG = "config.json"  # as timm calls it
TIMM_ACTIVATIONS = {"hardswish": "hard_swish"}  # others have our names

SIDE = 64  # pixels of the compared images; any size shows another property
TOLERANCE = 1e-9  # of the largest logit, in float64


@dataclass(frozen=True)
class Written:
    """What was written.

    Args:
        tensors: Number of tensors.
        architecture: timm's name of the network; None where it has none, or for another layout.
    """

    tensors: int
    architecture: str | None


def write_tensors(
    network: nn.Module, weights: Weights, record: Mapping[str, Any], layout: Layout, file: Path
) -> Written:
    """Write a trained network's tensors, and for timm the `config.json` from which it builds them.

    The file is read back and compared with the network before it has its name; for timm by
    `create_model("local-dir:FOLDER")` too.

    Args:
        network: In evaluation mode.
        weights: How it wants its images.
        record: The content of its `run.json`.
        layout: Whose names the tensors have.
        file: Ends in `.safetensors`; its folder is made.

    Raises:
        ValueError: the network has no such layout, or its logits are not given again.
        OSError: the folder cannot be written.
    """
    state = to_layout(network, layout)
    header = {"format": "pt", HEADER: json.dumps(told_of(record))}
    content = safetensors_of(state, header)
    file.parent.mkdir(parents=True, exist_ok=True)
    images = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)).double()
    expected = _logits(network, images)
    with scratch_folder(file) as folder:
        part = folder / file.name
        part.write_bytes(content)
        again = filled(record, find(str(part)))
        _check_equal(expected, _logits(again, images), f"output {file}: not written, read again")
        parts, architecture = [part], None
        if layout == "timm":
            config = timm_config(network, weights, record)
            beside = part.with_name(CONFIG)
            peer = _built_by_timm(config, beside)
            config["architecture"] = None if peer is None else config["architecture"]
            if peer is not None:
                _check_equal(
                    expected, _logits(peer, images), f"output {file}: not written: in timm"
                )
            architecture = config["architecture"]
            beside.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
            parts.insert(0, beside)
        # The file that is looked for comes last: where it is, the other is.
        for piece in parts:
            piece.replace(file.with_name(piece.name))
    return Written(len(state), architecture)


def timm_config(network: nn.Module, weights: Weights, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what timm's `config.json` tells of a network, so that timm can build and load it."""
    config: dict[str, Any] = {
        "architecture": None,
        "num_classes": weights.num_classes,
        "label_names": record["data"].get("class_names"),
        "pretrained_cfg": {
            "input_size": [3, weights.image_size, weights.image_size],
            "crop_pct": weights.crop_fraction,
            "interpolation": weights.interpolation,
            "mean": list(weights.mean),
            "std": list(weights.std),
        },
    }
    if isinstance(network, EfficientNet):
        activation = TIMM_ACTIVATIONS.get(network.activation, network.activation)
        config["model_args"] = {
            "act_layer": activation,
            "bn_eps": network.bn_eps,
            "pad_type": "same" if network.padding == "same" else "",
        }
        if weights.variant is not None:  # as far as its shapes have been looked at
            family = "efficientnet_lite" if weights.lite else "efficientnet_b"
            config["architecture"] = family + weights.variant.removeprefix("b")
    else:
        config["architecture"] = BASELINES[record["model"]["name"]].timm_name
    return {key: value for key, value in config.items() if key != "label_names" or value}


def _built_by_timm(config: Mapping[str, Any], beside: Path) -> nn.Module | None:
    """Return the network that timm builds from a folder; None where it has none of these shapes."""
    import timm

    if config["architecture"] is None or not timm.is_model(config["architecture"]):
        return None
    beside.write_text(json.dumps(config), encoding="utf-8")
    try:
        network: nn.Module = timm.create_model(f"local-dir:{beside.parent}", pretrained=True)
    except RuntimeError:  # a variant has the blocks, but another SE ratio or scaling
        return None
    return network


def _logits(network: nn.Module, images: Tensor) -> Tensor:
    """Return logits `float64 [N, K]`; the network stays in float64 no longer than that."""
    was = next(network.parameters()).dtype
    with torch.inference_mode():
        logits: Tensor = network.double().eval()(images.clone())
    network.to(was)
    return logits


def _check_equal(expected: Tensor, given: Tensor, what: str) -> None:
    """Raise ValueError where logits are not the expected ones."""
    largest = float(expected.nan_to_num(0).abs().max())
    if not torch.allclose(given, expected, rtol=0, atol=TOLERANCE * largest, equal_nan=True):
        error = float((given - expected).abs().max()) / largest
        raise ValueError(f"{what} its logits differ by {error:.1e} of the largest one")
