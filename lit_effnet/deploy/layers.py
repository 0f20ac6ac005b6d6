"""The parts of a network that are quantised or kept in float, by their names in it."""

from collections.abc import Collection, Sequence

from torch import nn

NOTHING = "nothing"
KEPT = ("se", "silu", "worst")
GATE = "SqueezeExc"  # in the class of the gates here, in timm and in torchvision
SWISHES = ("SiLU", "Swish", "swish")  # in that of x * sigmoid(x) and its hard form


def layers(network: nn.Module) -> list[str]:
    """Names of the convolutions and linear layers, in the order in which they were built."""
    kinds = (nn.Conv2d, nn.Linear)
    return [name for name, module in network.named_modules() if isinstance(module, kinds)]


def gates(network: nn.Module) -> list[str]:
    """Names of the squeeze-and-excite gates; empty for a network without."""
    return [name for name, module in network.named_modules() if GATE in type(module).__name__]


def swishes(network: nn.Module) -> list[str]:
    """Names of the SiLU, Swish and hard Swish activations; empty for a network of ReLU."""
    return [
        name
        for name, module in network.named_modules()
        if any(word in type(module).__name__ for word in SWISHES)
    ]


def inside(name: str, modules: Collection[str]) -> bool:
    """Whether a layer is one of the modules, or in one of them."""
    parts = name.split(".")
    return any(".".join(parts[:length]) in modules for length in range(1, len(parts) + 1))


def blocks(network: nn.Module) -> dict[str, list[str]]:
    """Layers by the block that they are in: a module that adds its input, or what stands alone.

    A block is named as it is in the network, `stages.2.0`; a layer in none is its own.
    """
    repeated = [
        name
        for name, module in network.named_modules()
        if "." in name and name.rsplit(".", 1)[1].isdecimal() and len(layers(module)) > 1
    ]
    # The innermost, for a stage is a list of blocks.
    owners = [name for name in repeated if not any(o.startswith(f"{name}.") for o in repeated)]
    found: dict[str, list[str]] = {}
    for layer in layers(network):
        owner = next((name for name in owners if inside(layer, (name,))), layer)
        found.setdefault(owner, []).append(layer)
    return found


def kept_modules(kept: str, network: nn.Module, worst: Sequence[str] = ()) -> list[str]:
    """Names of the modules that stay in float.

    Args:
        kept: `nothing`, or words of `KEPT` joined by `+`.
        network: Whose modules.
        worst: The layers that are kept for `worst`.

    Raises:
        ValueError: another word.
    """
    return [name for word in words_of(kept) for name in _modules(word, network, worst)]


def words_of(kept: str) -> list[str]:
    """The words of `KEPT` that a choice is made of, in their order; none for `nothing`.

    Raises:
        ValueError: another word.
    """
    words = [] if kept == NOTHING else kept.split("+")
    if not set(words) <= set(KEPT):
        raise ValueError(f"kept {kept!r}: must be {NOTHING}, or {', '.join(KEPT)} joined by +")
    return [word for word in KEPT if word in words]


def choices(kept: Sequence[str], network: nn.Module) -> list[str]:
    """What is kept, as it is for the network: `se` is `nothing` where it has no gates.

    Raises:
        ValueError: another word.
    """
    there = {"se": bool(gates(network)), "silu": bool(swishes(network)), "worst": True}
    return merged(kept, [word for word in KEPT if there[word]])


def merged(kept: Sequence[str], words: Collection[str]) -> list[str]:
    """What is kept where only some words make a difference, each choice once.

    Args:
        kept: `nothing`, or words of `KEPT` joined by `+`.
        words: Those that make one.

    Raises:
        ValueError: another word.
    """
    joined = ("+".join(word for word in words_of(choice) if word in words) for choice in kept)
    return list(dict.fromkeys(choice or NOTHING for choice in joined))


def _modules(word: str, network: nn.Module, worst: Sequence[str]) -> Sequence[str]:
    if word == "worst":
        return worst
    return gates(network) if word == "se" else swishes(network)
