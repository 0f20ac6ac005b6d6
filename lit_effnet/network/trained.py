"""Build the network that weights belong to, those of a run or released ones, and load them."""

import re
from collections.abc import Mapping
from typing import Any

from torch import nn

from lit_effnet.network.properties import CONVENTIONS
from lit_effnet.network.registry import BASELINES, NETWORKS, OURS, build
from lit_effnet.network.weight_sources import find
from lit_effnet.network.weights import Weights
from lit_effnet.runs.documents import read_json
from lit_effnet.runs.paths import Location
from lit_effnet.scaling.compound import VARIANTS, Scaling


def load_network(
    name: str, scaling: Scaling, weights: Weights, num_classes: int | None = None, **options: Any
) -> nn.Module:
    """Build a network, load weights into it, and return it in evaluation mode.

    Args:
        name: Name in the registry.
        scaling: Depth and width multipliers.
        weights: Weights, which also decide activation, padding and epsilon of an `EfficientNet`.
        num_classes: Number of classes. Defaults to that of the weights.
        options: Further arguments of `build`.

    Raises:
        ValueError: the weights do not fit the network.
    """
    if name in OURS:
        known = {option: getattr(weights, option) for option in CONVENTIONS}
        options |= {option: value for option, value in known.items() if value is not None}
    classes = weights.num_classes if num_classes is None else num_classes
    network = build(name, scaling, classes, **options)
    weights.load_into(network)
    return network.eval()


def network_of_run(path: Location) -> tuple[nn.Module, Weights]:
    """Return the trained network of a run in evaluation mode, and its weights.

    Args:
        path: Run directory, which stands for its last checkpoint, or a checkpoint.

    Raises:
        ValueError: The folder is not a run directory, has no checkpoint, or the checkpoint does not
            match run.json.
    """
    folder = folder_of(path)
    if not (folder / "run.json").exists():
        raise ValueError(f"{folder}: no run folder (it has no run.json)")
    weights = find(str(path))
    record: dict[str, Any] = read_json(folder / "run.json")
    return network_of_record(record, weights), weights


def folder_of(path: Location) -> Location:
    """Return the folder of a run, given that folder or one of its checkpoints."""
    return path.parents[1] if path.parent.name == "checkpoints" else path


def network_of_record(record: Mapping[str, Any], weights: Weights) -> nn.Module:
    """Return the network that a run's record describes, with weights, in evaluation mode.

    Raises:
        ValueError: the weights do not fit it, or the record does not describe a network.
    """
    try:
        options = {key: value for key, value in record["model"].items() if key != "name"}
        name = record["model"].get("name", "efficientnet")
        scaling, num_classes = Scaling(**record["scaling"]), record["data"]["classes"]
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"run.json: does not describe its network ({error})") from error
    try:
        return load_network(name, scaling, weights, num_classes, **options)
    except TypeError as error:  # an option or a number of another type
        raise ValueError(f"run.json: does not describe its network ({error})") from error


def architecture(name: str, weights: Weights, network: str | None) -> tuple[str, Scaling]:
    """Return the network of released weights, by its name in the registry, and its scaling.

    Args:
        name: Name or file of the weights.
        weights: The weights.
        network: Name of the network, if the user gives it.

    Raises:
        ValueError: the network is not known, or not in the registry.
    """
    if network is not None and network not in NETWORKS:
        raise ValueError(f"network {network!r}: must be one of {', '.join(NETWORKS)}")
    if network is not None and network not in OURS:
        return network, Scaling()
    # timm/resnet50.tv_in1k, resnet50.safetensors, ResNet50_Weights.IMAGENET1K_V1
    stem = re.split(r"\.|_weights", name.lower().rsplit("/", 1)[-1])[0]
    # Names come before shapes, since MnasNet-A1 has those shapes of B0 that are compared.
    for known, baseline in BASELINES.items():
        timm_name = baseline.timm_name
        if network is None and stem in (known, timm_name, timm_name.replace("_100", "")):
            return known, Scaling()
    if weights.variant is not None:
        own = "efficientnet_lite" if weights.lite else "efficientnet"
        return network or own, VARIANTS[weights.variant].scaling
    raise ValueError(
        f"{name}: the name does not say which network it is for; set --network to one of "
        f"{', '.join(NETWORKS)}"
    )
