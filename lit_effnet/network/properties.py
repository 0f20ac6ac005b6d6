"""Properties of a network that decide its logits and that no tensor's shape tells."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import nn

from lit_effnet.network.efficientnet import EfficientNet

CONVENTIONS = ("activation", "padding", "bn_eps")  # what an `EfficientNet` takes as arguments

# Arguments of timm's `create_model` that load something instead of describing a network.
NOT_OF_THE_NETWORK = ("pretrained", "checkpoint", "cache", "num_classes")
GATES = {"sigmoid", "hardsigmoid"}
INACTIVE = ("Drop", "Identity", "Linear", "Norm")  # in evaluation, or told by other properties


def conventions(network: nn.Module) -> dict[str, Any]:
    """Return activation, padding and epsilon of an `EfficientNet`; None each for a baseline."""
    return {name: getattr(network, name, None) for name in CONVENTIONS}


def properties(network: nn.Module) -> dict[str, Any]:
    """Return what decides a network's logits beside its tensors, by name.

    Activation, gate, padding and epsilon, and the size, stride and groups of each convolution. A
    baseline has all its layers instead, since their order is always timm's.
    """
    modules = list(network.modules())
    convolutions = [m for m in modules if isinstance(m, nn.Conv2d)]
    if isinstance(network, EfficientNet):
        # Ours differ from timm's in class and padding modules, not in these.
        return {**conventions(network), "gate": "sigmoid", "convolutions": _sizes(convolutions)}
    functions = {
        type(m).__name__.lower()
        for m in modules
        if "activation" in type(m).__module__.split(".")[-1]
    }
    eps = sorted({m.eps for m in modules if isinstance(m, nn.BatchNorm2d)})
    leaves = [m for m in modules if not list(m.children())]
    found = {
        "activation": "+".join(sorted(functions - GATES)),
        "padding": _padding(convolutions),
        "bn_eps": eps[0] if len(eps) == 1 else eps,
        "convolutions": _sizes(convolutions),
        "layers": [str(m) for m in leaves if not any(w in type(m).__name__ for w in INACTIVE)],
    }
    return found | {"gate": "+".join(sorted(functions & GATES))} if functions & GATES else found


def _sizes(convolutions: list[nn.Conv2d]) -> list[tuple[Any, ...]]:
    return [(c.kernel_size, c.stride, c.dilation, c.groups) for c in convolutions]


def _padding(convolutions: list[nn.Conv2d]) -> str:
    if any(type(c).__name__.endswith("Same") for c in convolutions):
        return "same"
    centred = all(
        isinstance(c.padding, str)
        or all(
            2 * p == d * (k - 1)
            for p, d, k in zip(c.padding, c.dilation, c.kernel_size, strict=True)
        )
        for c in convolutions
    )
    return "symmetric" if centred else "mixed"


def timm_properties(architecture: Any, arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the properties of timm's network of a name; None where timm has no such name.

    Args:
        architecture: timm's name, without the tag of a training.
        arguments: Of its builder; a `config.json` has them as `model_args`.

    Raises:
        ValueError: timm cannot build it with these arguments.
    """
    ours = {k: v for k, v in arguments.items() if not k.startswith(NOT_OF_THE_NETWORK)}
    return _timm_properties(str(architecture), json.dumps(ours, sort_keys=True))


@cache
def _timm_properties(architecture: str, arguments: str) -> dict[str, Any] | None:
    import timm

    if not timm.is_model(architecture):
        return None
    try:
        with torch.device("meta"):  # without memory for its tensors
            return properties(timm.create_model(architecture, **json.loads(arguments)))
    except Exception as error:  # builders raise what they like
        reason = " ".join(str(error).split())[:120]
        raise ValueError(f"timm cannot build {architecture} with {arguments} ({reason})") from error


def differing(told: Mapping[str, Any], network: nn.Module) -> list[str]:
    """Return which properties of a network are not as told, with both values where short.

    Args:
        told: Properties by name; None where one is not known.
        network: The network they are compared with.
    """
    here = properties(network)
    return [
        f"{name} {value} there, {here[name]} here" if _short(value) else f"other {name}"
        for name, value in told.items()
        if value is not None and name in here and value != here[name]
    ]


def _short(value: Any) -> bool:
    return isinstance(value, str | float)
