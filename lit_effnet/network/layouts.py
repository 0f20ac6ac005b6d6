"""Translate the tensor names of an EfficientNet to and from the layouts of other packages."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from torch import Tensor, nn

from lit_effnet.network.efficientnet import EfficientNet, MBConv, SqueezeExcite

# efficientnet_pytorch includes EfficientNet-Lite-PyTorch, which has the same names.
Layout = Literal["lit_effnet", "timm", "torchvision", "efficientnet_pytorch"]

# The stem's convolution identifies the layout; ours has two names for it, see SamePad2d.
STEMS: Mapping[str, Layout] = {
    "conv_stem.weight": "timm",
    "features.0.0.weight": "torchvision",
    "_conv_stem.weight": "efficientnet_pytorch",
    "stem.0.weight": "lit_effnet",
    "stem.1.weight": "lit_effnet",
}

CONV = ("weight",)
LINEAR = ("weight", "bias")
NORM = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")


@dataclass(frozen=True)
class Block:
    """Position of a block, and its optional parts."""

    stage: int
    repeat: int
    number: int  # over all stages
    expands: bool
    gated: bool


def layout_of(keys: Mapping[str, Tensor]) -> Layout | None:
    """Return the layout of a state dict, by its stem; None for another network."""
    return next((layout for stem, layout in STEMS.items() if stem in keys), None)


def names(network: EfficientNet, layout: Layout) -> dict[str, str]:
    """Return the layout's names of the network's tensors, by our names.

    Raises:
        ValueError: an unknown layout.
    """
    if layout not in get_args(Layout):
        raise ValueError(f"layout {layout!r}: must be one of {', '.join(get_args(Layout))}")
    if layout == "lit_effnet":
        return {key: key for key in network.state_dict()}
    return {
        f"{ours}.{tensor}": f"{theirs}.{tensor}"
        for ours, theirs, tensors in _pairs(network, layout)
        for tensor in tensors
    }


def to_layout(network: nn.Module, layout: Layout) -> dict[str, Tensor]:
    """Return the network's state with the layout's names, in our order; baselines have timm's only.

    Raises:
        ValueError: an unknown layout, or one that the network does not have.
    """
    if not isinstance(network, EfficientNet):
        if layout != "timm":
            raise ValueError(f"layout {layout!r}: must be timm for a baseline")
        return dict(network.state_dict())
    named = names(network, layout)
    return {named[key]: tensor for key, tensor in network.state_dict().items()}


def _pairs(network: EfficientNet, layout: Layout) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield our name, their name and the tensor names of each module with tensors."""
    ends = _ends(layout, len(network.stages))
    yield from _conv_norm(network.stem, "stem", *ends["stem"])
    number = 0
    for i, stage in enumerate(network.stages):
        for j, block in enumerate(cast("nn.Sequential", stage)):
            assert isinstance(block, MBConv)
            position = Block(
                stage=i,
                repeat=j,
                number=number,
                expands=block.expand is not None,
                gated=block.se is not None,
            )
            number += 1
            ours = f"stages.{i}.{j}"
            for role, (prefix, conv, norm) in _block(layout, position).items():
                part = getattr(block, role)
                if isinstance(part, SqueezeExcite):
                    yield f"{ours}.se.reduce", f"{prefix}{conv}", LINEAR
                    yield f"{ours}.se.expand", f"{prefix}{norm}", LINEAR
                else:
                    yield from _conv_norm(
                        part, f"{ours}.{role}", f"{prefix}{conv}", f"{prefix}{norm}"
                    )
    yield from _conv_norm(network.head, "head", *ends["head"])
    yield "classifier", ends["classifier"][0], LINEAR


def _conv_norm(
    sequence: nn.Sequential, ours: str, conv: str, norm: str
) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    for position, module in sequence.named_children():
        if isinstance(module, nn.Conv2d):
            yield f"{ours}.{position}", conv, CONV
        elif isinstance(module, nn.BatchNorm2d):
            yield f"{ours}.{position}", norm, NORM


def _ends(layout: Layout, stages: int) -> dict[str, tuple[str, ...]]:
    if layout == "timm":
        return {
            "stem": ("conv_stem", "bn1"),
            "head": ("conv_head", "bn2"),
            "classifier": ("classifier",),
        }
    if layout == "torchvision":
        head = f"features.{stages + 1}"
        return {
            "stem": ("features.0.0", "features.0.1"),
            "head": (f"{head}.0", f"{head}.1"),
            "classifier": ("classifier.1",),
        }
    return {
        "stem": ("_conv_stem", "_bn0"),
        "head": ("_conv_head", "_bn1"),
        "classifier": ("_fc",),
    }


def _block(layout: Layout, block: Block) -> dict[str, tuple[str, str, str]]:
    """Return their prefix, convolution and norm (or the gate's two layers) by part of our block."""
    parts = ["depthwise", "project"]
    if block.gated:
        parts.insert(1, "se")
    if block.expands:
        parts.insert(0, "expand")
    if layout == "timm":
        prefix = f"blocks.{block.stage}.{block.repeat}."
        projection = "conv_pwl" if block.expands else "conv_pw"
        first = 2 if block.expands else 1  # norms are numbered
        table = {
            "expand": ("conv_pw", "bn1"),
            "depthwise": ("conv_dw", f"bn{first}"),
            "se": ("se.conv_reduce", "se.conv_expand"),
            "project": (projection, f"bn{first + 1}"),
        }
    elif layout == "torchvision":
        prefix = f"features.{block.stage + 1}.{block.repeat}.block."
        table = {
            part: (f"{k}.fc1", f"{k}.fc2") if part == "se" else (f"{k}.0", f"{k}.1")
            for k, part in enumerate(parts)
        }
    else:
        prefix = f"_blocks.{block.number}."
        table = {
            "expand": ("_expand_conv", "_bn0"),
            "depthwise": ("_depthwise_conv", "_bn1"),
            "se": ("_se_reduce", "_se_expand"),
            "project": ("_project_conv", "_bn2"),
        }
    return {part: (prefix, *table[part]) for part in parts}
