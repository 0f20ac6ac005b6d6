"""The network of a run, built again as its record tells and filled with its last weights."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from lit_effnet.network.properties import CONVENTIONS
from lit_effnet.network.registry import OURS, build
from lit_effnet.network.weight_sources import find
from lit_effnet.network.weights import Weights
from lit_effnet.runs.documents import read_json
from lit_effnet.runs.paths import Location
from lit_effnet.scaling.compound import Scaling


def network_of_run(path: Location) -> tuple[nn.Module, Weights]:
    """The trained network in evaluation mode, and how it wants its images.

    Args:
        path: The run folder, or another of its checkpoints than the last.

    Raises:
        ValueError: no run folder, no checkpoint in it, or one that does not fit its record.
    """
    folder = folder_of(path)
    if not (folder / "run.json").exists():
        raise ValueError(f"{folder}: no run folder (it has no run.json)")
    weights = find(str(path))
    record: dict[str, Any] = read_json(folder / "run.json")
    return filled(record, weights), weights


def folder_of(path: Location) -> Location:
    """Return the folder of a run, given that or one of its checkpoints."""
    return path.parents[1] if path.parent.name == "checkpoints" else path


def filled(record: Mapping[str, Any], weights: Weights) -> nn.Module:
    """Return the network that a run's record describes, with weights, in evaluation mode.

    What no tensor's shape tells is taken from the weights.

    Raises:
        ValueError: they do not fit it, or the record does not describe a network.
    """
    try:
        options = {key: value for key, value in record["model"].items() if key != "name"}
        name = record["model"].get("name", "efficientnet")
        if name in OURS:
            options |= {option: getattr(weights, option) for option in CONVENTIONS}
        network = build(name, Scaling(**record["scaling"]), record["data"]["classes"], **options)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"run.json: does not tell what it trained ({error})") from error
    weights.load_into(network)
    return network.eval()
