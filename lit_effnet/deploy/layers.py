"""The parts of a network that are quantized or stay in float, by module name."""

from collections.abc import Collection, Sequence

from torch import nn

NOTHING = "nothing"
PARTS = ("se", "silu", "worst")
"""The words of `--keep_float`."""

SE_CLASS = "SqueezeExc"  # part of the class name of gates here, in timm and in torchvision
SILU_CLASSES = ("SiLU", "Swish", "swish")  # of x * sigmoid(x) and its hard form


def layers(network: nn.Module) -> list[str]:
    """Return the names of the convolutions and linear layers, in the order of construction."""
    kinds = (nn.Conv2d, nn.Linear)
    return [name for name, module in network.named_modules() if isinstance(module, kinds)]


def se_gates(network: nn.Module) -> list[str]:
    """Return the names of the squeeze-and-excite gates."""
    return [name for name, module in network.named_modules() if SE_CLASS in type(module).__name__]


def silu_modules(network: nn.Module) -> list[str]:
    """Return the names of the SiLU, Swish and hard Swish activations."""
    return [
        name
        for name, module in network.named_modules()
        if any(word in type(module).__name__ for word in SILU_CLASSES)
    ]


def is_inside(name: str, modules: Collection[str]) -> bool:
    """Whether a layer is one of the modules, or in one of them."""
    parts = name.split(".")
    return any(".".join(parts[:length]) in modules for length in range(1, len(parts) + 1))


def blocks(network: nn.Module) -> dict[str, list[str]]:
    """Return the layers by block, such as `stages.2.0`; a layer in no block is its own."""
    repeated = [
        name
        for name, module in network.named_modules()
        if "." in name and name.rsplit(".", 1)[1].isdecimal() and len(layers(module)) > 1
    ]
    # Take the innermost: a stage is a list of blocks.
    owners = [name for name in repeated if not any(o.startswith(f"{name}.") for o in repeated)]
    layers_by_block: dict[str, list[str]] = {}
    for layer in layers(network):
        owner = next((name for name in owners if is_inside(layer, (name,))), layer)
        layers_by_block.setdefault(owner, []).append(layer)
    return layers_by_block


def float_modules(keep_float: str, network: nn.Module, worst: Sequence[str] = ()) -> list[str]:
    """Return the names of the modules that stay in float.

    Args:
        keep_float: `nothing`, or words of `PARTS` joined by `+`.
        network: Whose modules.
        worst: Names of the layers that `worst` stands for.

    Raises:
        ValueError: An unknown word.
    """
    modules = {"se": se_gates(network), "silu": silu_modules(network), "worst": worst}
    return [name for word in split_parts(keep_float) for name in modules[word]]


def split_parts(keep_float: str) -> list[str]:
    """Return the words of `keep_float` in the order of `PARTS`; none for `nothing`.

    Raises:
        ValueError: An unknown word.
    """
    words = [] if keep_float == NOTHING else keep_float.split("+")
    if not set(words) <= set(PARTS):
        raise ValueError(
            f"keep_float {keep_float!r}: must be {NOTHING}, or {', '.join(PARTS)} joined by +"
        )
    return [word for word in PARTS if word in words]


def parts_of(network: nn.Module) -> list[str]:
    """Return the words of `PARTS` that a network has modules for."""
    present = {"se": se_gates(network), "silu": silu_modules(network), "worst": True}
    return [word for word in PARTS if present[word]]


def distinct_choices(choices: Sequence[str], parts: Collection[str]) -> list[str]:
    """Reduce choices of `keep_float` to the parts that have an effect, without duplicates.

    Args:
        choices: Each `nothing`, or words of `PARTS` joined by `+`.
        parts: Words that have an effect.

    Raises:
        ValueError: An unknown word.
    """
    joined = ("+".join(word for word in split_parts(choice) if word in parts) for choice in choices)
    return list(dict.fromkeys(choice or NOTHING for choice in joined))
