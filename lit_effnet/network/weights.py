"""Weights with all that evaluation needs, translated into a network: all of them, or none."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from lit_effnet.network.efficientnet import Activation, EfficientNet, Padding
from lit_effnet.network.layouts import Layout, names
from lit_effnet.network.properties import CONVENTIONS, differing

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

COUNTER = "num_batches_tracked"  # older files have none
SHOWN = 3  # names in a message


@dataclass(frozen=True)
class Weights:
    """The tensors of a released or trained network, and how it wants its images.

    Args:
        name: Where they come from; null for none, which leaves a network random.
        state: The tensors under the names of their layout.
        layout: Whose names these are; null for a network that is not an EfficientNet.
        variant: The released variant whose shapes they have.
        lite: Whether they are those of an EfficientNet-Lite.
        activation: What they were trained with; None where it is not known.
        padding: What they were trained with; null where it is not known.
        bn_eps: Batch norm's epsilon; null where it is not known.
        properties: Further properties of timm's network that they belong to, see `properties`.
        image_size: Side of the input in pixels; null where it is not known.
        crop_fraction: Part of the resized short side that evaluation keeps.
        interpolation: Filter of evaluation's resize.
        mean: By channel, of pixels from 0 to 1.
        std: By channel, of pixels from 0 to 1.
        notes: What had to be assumed.
        resolution: The multiplier that image_size holds already; null where it is a variant's.
        seen_imagenet: Whether they were trained on ImageNet, or from weights that were.
        class_names: Names of the classes in the order of the logits; empty where not known.
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
        """Sixteen hexadecimal digits that follow from the tensors."""
        digest = hashlib.sha256()
        for key, tensor in self.state.items():
            digest.update(key.encode())
            digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()[:16]

    @property
    def num_classes(self) -> int:
        """Number of classes, which is that of the last linear layer."""
        return [tensor for tensor in self.state.values() if tensor.ndim == 2][-1].shape[0]

    def load_into(self, network: nn.Module) -> str:
        """Fill the network and say in a line what was taken; all of it, or nothing.

        A classifier for another number of classes stays as it is, random.

        Raises:
            ValueError: tensors are missing, left over, or of another shape; lists the first. Or
                the network computes something else with them that no flag can change.
        """
        ours = network.state_dict()
        theirs = self._their_names(network)
        head = classifier_name(network)
        there, here = self.state.get(theirs.get(f"{head}.weight", "")), ours[f"{head}.weight"]
        replaced = there is not None and there.shape[0] != here.shape[0]
        kept = {key for key in ours if replaced and key.startswith(f"{head}.")}
        wanted = {key: theirs[key] for key in ours if key not in kept}
        self._check_fit(wanted, ours, {theirs[key] for key in kept})
        self._check_properties(network)
        network.load_state_dict(
            {
                key: self.state[wanted[key]] if wanted.get(key) in self.state else tensor
                for key, tensor in ours.items()
            }
        )
        text = described(network)
        what = f"{len(wanted)} tensors ({self.layout or 'own'} layout{text and f': {text}'})"
        if there is not None and replaced:
            what += f", new classifier: {there.shape[0]:,} classes there, {here.shape[0]:,} here"
        return what

    def differences(self, network: nn.Module) -> list[str]:
        """Return notes on an `EfficientNet`'s conventions that are not those of its weights."""
        told = {name: getattr(self, name) for name in CONVENTIONS}
        found = differing(told, network) if isinstance(network, EfficientNet) else []
        return [f"not as in the weights: {difference}" for difference in found]

    def _check_properties(self, network: nn.Module) -> None:
        # Flags may give an `EfficientNet` other conventions than its weights have.
        free = CONVENTIONS if isinstance(network, EfficientNet) else ()
        told = {name: value for name, value in self.properties.items() if name not in free}
        if found := differing(told, network):
            raise ValueError(
                f"weights.name {self.name}: were trained in another network, nothing was loaded: "
                f"{'; '.join(found)}"
            )

    def _their_names(self, network: nn.Module) -> Mapping[str, str]:
        if isinstance(network, EfficientNet) and self.layout is not None:
            return names(network, self.layout)
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
            f"{len(found)} {what} ({', '.join(found[:SHOWN])}{' ...' * (len(found) > SHOWN)})"
            for what, found in (
                ("missing", missing),
                ("left over", left_over),
                ("of another shape", shapes),
            )
            if found
        ]
        if not problems:
            return
        lite = "--model.name efficientnet_lite " if self.lite else ""
        hint = f"; they fit {lite}--scaling.variant {self.variant}" if self.variant else ""
        raise ValueError(
            f"weights.name {self.name}: do not fit the network, nothing was loaded: "
            f"{'; '.join(problems)}{hint}"
        )


def described(network: nn.Module) -> str:
    """Return activation, padding and epsilon of an `EfficientNet`; empty for a baseline."""
    if not isinstance(network, EfficientNet):
        return ""
    return f"{network.activation}, {network.padding} padding, epsilon {network.bn_eps:g}"


def classifier_name(network: nn.Module) -> str:
    """Name of the last linear layer, which decides about the classes."""
    linear = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    return str(linear[-1])
