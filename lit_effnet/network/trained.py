"""The network of a run, built again as its record tells and filled with its last weights."""

from typing import Any

from torch import nn

from lit_effnet.locations import Location
from lit_effnet.network.registry import OURS, build
from lit_effnet.network.released import find
from lit_effnet.network.weights import Weights
from lit_effnet.runs.documents import read_json
from lit_effnet.scaling import Scaling


def network_of_run(path: Location) -> tuple[nn.Module, Weights]:
    """The trained network in evaluation mode, and how it wants its images.

    Args:
        path: The run folder, or another of its checkpoints than the last.

    Raises:
        ValueError: no run folder, no checkpoint in it, or one that does not fit its record.
    """
    folder = path.parents[1] if path.parent.name == "checkpoints" else path
    if not (folder / "run.json").exists():
        raise ValueError(f"{folder}: no run folder (it has no run.json)")
    weights = find(str(path))
    record: dict[str, Any] = read_json(folder / "run.json")
    try:
        options = {key: value for key, value in record["model"].items() if key != "name"}
        name = record["model"].get("name", "efficientnet")
        if name in OURS:
            options |= record["network"]
        network = build(name, Scaling(**record["scaling"]), record["data"]["classes"], **options)
    except (AttributeError, KeyError, TypeError) as error:
        told = f"does not tell what it trained ({error})"
        raise ValueError(f"{folder / 'run.json'}: {told}") from error
    weights.load_into(network)
    return network.eval(), weights
