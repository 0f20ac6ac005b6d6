"""Weights with their conventions and preprocessing, and their transfer into a network."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from lit_effnet.network.efficientnet import Activation, EfficientNet, Padding
from lit_effnet.network.layouts import Layout
from lit_effnet.network.layouts import names as names_in_layout
from lit_effnet.network.properties import CONVENTIONS, differences

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

COUNTER = "num_batches_tracked"  # older files have none
MOST_NAMES = 3  # in a message


@dataclass(frozen=True)
class Weights:
    """Tensors of a released or trained network, and the preprocessing that it expects.

    Args:
        name: Source of the weights; None for random weights.
        state: Tensors, with the names of their layout.
        layout: Package whose names these are; None for a network that is not an EfficientNet.
        variant: Released variant with the same shapes.
        lite: Whether they belong to an EfficientNet-Lite.
        activation: Activation that they were trained with; None if not known.
        padding: Padding that they were trained with; None if not known.
        bn_eps: Batch norm's epsilon; None if not known.
        properties: Further properties of their network in timm, see `properties`.
        image_size: Side of the input in pixels; None if not known.
        crop_fraction: Fraction of the resized short side that evaluation keeps.
        interpolation: Filter of evaluation's resize.
        mean: Mean by channel, for pixels from 0 to 1.
        std: Standard deviation by channel, for pixels from 0 to 1.
        notes: Assumptions about the weights.
        resolution: Resolution multiplier that image_size contains; None for that of the variant.
        seen_imagenet: Whether they were trained on ImageNet, or from weights that were.
        class_names: Names of the classes in the order of the logits; empty if not known.
    """

    name: str | None = None
    state: Mapping[str, Tensor] = field(default_factory=dict, repr=False)
    layout: Layout | None = None
    variant: str | None = None
    lite: bool = False
    activation: Activation | None = None
    padding: Padding | None = None
    bn_eps: float | None = None
    properties: Mapping[str, Any] = field(default_factory=dict, repr=False)
    image_size: int | None = None
    crop_fraction: float = 0.875
    interpolation: str = "bicubic"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    notes: tuple[str, ...] = ()
    resolution: float | None = None
    seen_imagenet: bool = False
    class_names: tuple[str, ...] = ()

    @property
    def fingerprint(self) -> str:
        """Hash of the tensors, as 16 hexadecimal digits."""
        digest = hashlib.sha256()
        for key, tensor in self.state.items():
            digest.update(key.encode())
            digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()[:16]

    @property
    def num_classes(self) -> int:
        """Number of classes: the outputs of the last linear layer."""
        return [tensor for tensor in self.state.values() if tensor.ndim == 2][-1].shape[0]

    def load_into(self, network: nn.Module) -> str:
        """Load the weights into a network, all or nothing, and return a line about it.

        The network keeps its random classifier if its number of classes differs.

        Raises:
            ValueError: tensors are missing, left over, or of another shape; the message lists the
                first. Or the network has other properties, which no flag can change.
        """
        ours = network.state_dict()
        theirs = self._their_names(network)
        head = classifier_name(network)
        there, here = self.state.get(theirs.get(f"{head}.weight", "")), ours[f"{head}.weight"]
        replaced = there is not None and there.shape[0] != here.shape[0]
        own = {key for key in ours if replaced and key.startswith(f"{head}.")}
        wanted = {key: theirs[key] for key in ours if key not in own}
        self._check_fit(wanted, ours, {theirs[key] for key in own})
        self._check_properties(network)
        network.load_state_dict(
            {
                key: self.state[wanted[key]] if wanted.get(key) in self.state else tensor
                for key, tensor in ours.items()
            }
        )
        text = described(network)
        line = f"{len(wanted)} tensors ({self.layout or 'own'} layout{text and f': {text}'})"
        if there is not None and replaced:
            line += f", new classifier: {there.shape[0]:,} classes there, {here.shape[0]:,} here"
        return line

    def differences(self, network: nn.Module) -> list[str]:
        """Return notes on conventions of an `EfficientNet` that differ from the weights'."""
        if not isinstance(network, EfficientNet):
            return []
        expected = {name: getattr(self, name) for name in CONVENTIONS}
        return [f"not as in the weights: {line}" for line in differences(expected, network)]

    def _check_properties(self, network: nn.Module) -> None:
        # Flags may set other conventions of an `EfficientNet` than its weights have.
        free = CONVENTIONS if isinstance(network, EfficientNet) else ()
        expected = {name: value for name, value in self.properties.items() if name not in free}
        if lines := differences(expected, network):
            raise ValueError(
                f"weights.name {self.name}: were trained in another network, nothing was loaded: "
                f"{'; '.join(lines)}"
            )

    def _their_names(self, network: nn.Module) -> Mapping[str, str]:
        if isinstance(network, EfficientNet) and self.layout is not None:
            return names_in_layout(network, self.layout)
        return {key: key for key in network.state_dict()}

    def _check_fit(
        self, wanted: Mapping[str, str], ours: Mapping[str, Tensor], head: set[str]
    ) -> None:
        missing = [
            name for name in wanted.values() if name not in self.state and COUNTER not in name
        ]
        expected = {*wanted.values(), *head}
        left_over = [key for key in self.state if key not in expected and COUNTER not in key]
        shapes = [
            f"{name} {list(self.state[name].shape)} instead of {list(ours[key].shape)}"
            for key, name in wanted.items()
            if name in self.state and self.state[name].shape != ours[key].shape
        ]
        problems = [
            f"{len(names)} {problem} ({_first(names)})"
            for problem, names in (
                ("missing", missing),
                ("left over", left_over),
                ("of another shape", shapes),
            )
            if names
        ]
        if not problems:
            return
        lite = "--model.name efficientnet_lite " if self.lite else ""
        hint = f"; they fit {lite}--scaling.variant {self.variant}" if self.variant else ""
        raise ValueError(
            f"weights.name {self.name}: do not fit the network, nothing was loaded: "
            f"{'; '.join(problems)}{hint}"
        )


def _first(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMES]) + " ..." * (len(names) > MOST_NAMES)


def described(network: nn.Module) -> str:
    """Return activation, padding and epsilon as text; empty if not an `EfficientNet`."""
    if not isinstance(network, EfficientNet):
        return ""
    return f"{network.activation}, {network.padding} padding, epsilon {network.bn_eps:g}"


def classifier_name(network: nn.Module) -> str:
    """Return the name of the last linear layer, the classifier."""
    linear = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    return str(linear[-1])
