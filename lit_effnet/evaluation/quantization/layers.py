"""The parts of a network that are quantised or kept in float, by their names in it."""

from collections.abc import Collection, Sequence

from torch import nn

KEPT = ("nothing", "se", "se+worst")
GATE = "SqueezeExc"  # in the class of the gates here, in timm and in torchvision


def layers(network: nn.Module) -> list[str]:
    """Names of the convolutions and linear layers, in the order in which they were built."""
    kinds = (nn.Conv2d, nn.Linear)
    return [name for name, module in network.named_modules() if isinstance(module, kinds)]


def gates(network: nn.Module) -> list[str]:
    """Names of the squeeze-and-excite gates; empty for a network without."""
    return [name for name, module in network.named_modules() if GATE in type(module).__name__]


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
        kept: One of `KEPT`.
        network: Whose modules.
        worst: The layers that are kept beside the gates for `se+worst`.

    Raises:
        ValueError: another word.
    """
    if kept not in KEPT:
        raise ValueError(f"kept {kept!r}: must be one of {', '.join(KEPT)}")
    return [] if kept == "nothing" else [*gates(network), *(worst if kept == "se+worst" else ())]


def choices(words: Sequence[str], network: nn.Module) -> list[str]:
    """The words of `KEPT` as they are for the network: `se` is `nothing` where it has no gates.

    Raises:
        ValueError: another word.
    """
    for word in words:
        kept_modules(word, network)
    without = not gates(network)
    return list(dict.fromkeys("nothing" if w == "se" and without else w for w in words))
