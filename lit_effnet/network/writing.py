"""Write a run's tensors for other programs; the file is kept only if it gives the same logits."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lit_effnet.network.efficientnet import EfficientNet
from lit_effnet.network.layouts import Layout, to_layout
from lit_effnet.network.pretrained_cfg import description_of_run
from lit_effnet.network.registry import BASELINES
from lit_effnet.network.trained import network_of_record
from lit_effnet.network.weight_sources import HEADER, find, safetensors_of
from lit_effnet.network.weights import Weights
from lit_effnet.runs.files import scratch_folder

CONFIG = "config.json"  # timm's name
TIMM_ACTIVATIONS = {"hardswish": "hard_swish"}  # the others have the same names

SIDE = 64  # pixels of the compared images; any size shows a difference
TOLERANCE = 1e-9  # of the largest logit, in float64


@dataclass(frozen=True)
class Written:
    """A written file.

    Args:
        tensors: Number of tensors.
        architecture: timm's name of the network; None without one, or for another layout.
    """

    tensors: int
    architecture: str | None


def write_tensors(
    network: nn.Module, weights: Weights, record: Mapping[str, Any], layout: Layout, file: Path
) -> Written:
    """Write a trained network's tensors, and for timm the `config.json` that `create_model` reads.

    Before the file gets its name, it is read back and its logits are compared with the network's;
    for timm, those of `create_model("local-dir:FOLDER")` too.

    Args:
        network: Network in evaluation mode.
        weights: Weights of the network, with their preprocessing.
        record: Content of its `run.json`.
        layout: Package whose tensor names to use.
        file: File that ends in `.safetensors`; its folder is created.

    Raises:
        ValueError: the network does not have the layout, or the logits differ.
        OSError: the folder cannot be written.
    """
    state = to_layout(network, layout)
    header = {"format": "pt", HEADER: json.dumps(description_of_run(record))}
    content = safetensors_of(state, header)
    file.parent.mkdir(parents=True, exist_ok=True)
    images = torch.randn(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)).double()
    expected = _logits(network, images)
    with scratch_folder(file) as folder:
        part = folder / file.name
        part.write_bytes(content)
        again = network_of_record(record, find(str(part)))
        _check_equal(expected, _logits(again, images), f"output {file}: not written, read again")
        parts, architecture = [part], None
        if layout == "timm":
            config = config_for_timm(network, weights, record)
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
        # The tensors come last: if their file exists, so does the configuration.
        for piece in parts:
            piece.replace(file.with_name(piece.name))
    return Written(len(state), architecture)


def config_for_timm(
    network: nn.Module, weights: Weights, record: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the `config.json` with which timm can build and load a network."""
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
        if weights.variant is not None:  # by those shapes that were compared
            family = "efficientnet_lite" if weights.lite else "efficientnet_b"
            config["architecture"] = family + weights.variant.removeprefix("b")
    else:
        config["architecture"] = BASELINES[record["model"]["name"]].timm_name
    return {key: value for key, value in config.items() if key != "label_names" or value}


def _built_by_timm(config: Mapping[str, Any], beside: Path) -> nn.Module | None:
    """Return the network that timm builds from the folder; None if none has these shapes."""
    import timm

    if config["architecture"] is None or not timm.is_model(config["architecture"]):
        return None
    beside.write_text(json.dumps(config), encoding="utf-8")
    try:
        network: nn.Module = timm.create_model(f"local-dir:{beside.parent}", pretrained=True)
    except RuntimeError:  # same blocks as a variant, but another SE ratio or scaling
        return None
    return network


def _logits(network: nn.Module, images: Tensor) -> Tensor:
    """Return logits `float64 [N, K]`; the network returns to its own dtype."""
    dtype = next(network.parameters()).dtype
    with torch.inference_mode():
        logits: Tensor = network.double().eval()(images.clone())
    network.to(dtype)
    return logits


def _check_equal(expected: Tensor, actual: Tensor, what: str) -> None:
    """Raise ValueError if logits differ from the expected ones."""
    largest = float(expected.nan_to_num(0).abs().max())
    if not torch.allclose(actual, expected, rtol=0, atol=TOLERANCE * largest, equal_nan=True):
        error = float((actual - expected).abs().max()) / largest
        raise ValueError(f"{what} its logits differ by {error:.1e} of the largest one")
