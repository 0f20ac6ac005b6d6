"""Properties of a network that decide its logits but do not show in the shapes of its tensors."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import nn

from lit_effnet.network.efficientnet import EfficientNet

CONVENTIONS = ("activation", "padding", "bn_eps")  # arguments of `EfficientNet`

# Arguments of timm's `create_model` that load something instead of describing a network.
NOT_OF_THE_NETWORK = ("pretrained", "checkpoint", "cache", "num_classes")
GATES = {"sigmoid", "hardsigmoid"}
INACTIVE = ("Drop", "Identity", "Linear", "Norm")  # in evaluation, or covered by other properties


def conventions(network: nn.Module) -> dict[str, Any]:
    """Return activation, padding and epsilon of an `EfficientNet`; each None for a baseline."""
    return {name: getattr(network, name, None) for name in CONVENTIONS}


def properties(network: nn.Module) -> dict[str, Any]:
    """Return the properties that decide a network's logits beside its tensors, by name.

    They are activation, gate, padding and epsilon, and size, stride, dilation and groups of each
    convolution. A baseline also has all its layers, since their order is always timm's.
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
    values = {
        "activation": "+".join(sorted(functions - GATES)),
        "padding": _padding(convolutions),
        "bn_eps": eps[0] if len(eps) == 1 else eps,
        "convolutions": _sizes(convolutions),
        "layers": [str(m) for m in leaves if not any(w in type(m).__name__ for w in INACTIVE)],
    }
    return values | {"gate": "+".join(sorted(functions & GATES))} if functions & GATES else values


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
    """Return the properties of a network of timm's; None for an unknown name.

    Args:
        architecture: timm's name, without the tag of its pretrained weights.
        arguments: Arguments of its builder, which a `config.json` has as `model_args`.

    Raises:
        ValueError: timm cannot build the network with these arguments.
    """
    ours = {k: v for k, v in arguments.items() if not k.startswith(NOT_OF_THE_NETWORK)}
    return _timm_properties(str(architecture), json.dumps(ours, sort_keys=True))


@cache
def _timm_properties(architecture: str, arguments: str) -> dict[str, Any] | None:
    import timm

    if not timm.is_model(architecture):
        return None
    try:
        with torch.device("meta"):  # allocates no memory
            return properties(timm.create_model(architecture, **json.loads(arguments)))
    except Exception as error:  # builders raise anything
        reason = " ".join(str(error).split())[:120]
        raise ValueError(f"timm cannot build {architecture} with {arguments} ({reason})") from error


def differences(expected: Mapping[str, Any], network: nn.Module) -> list[str]:
    """Return how a network differs from expected properties, with both values where short.

    Args:
        expected: Properties by name; None where a value is not known.
        network: Network to compare.
    """
    here = properties(network)
    return [
        f"{name} {value} there, {here[name]} here" if _short(value) else f"other {name}"
        for name, value in expected.items()
        if value is not None and name in here and value != here[name]
    ]


def _short(value: Any) -> bool:
    return isinstance(value, str | float)
