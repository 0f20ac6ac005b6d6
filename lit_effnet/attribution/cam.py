"""Class activation maps by the package grad-cam, for every network of the suite.

grad-cam keeps a layer's output without copying it, so a later in-place operation changes it. It
also computes gradients of all weights, which it does not need. Here the output is copied, and
gradients are recorded from there on.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stderr
from io import StringIO
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from lit_effnet.network.feature_layers import last_map

# Methods, and the class in grad-cam that computes each.
METHODS = MappingProxyType(
    {
        "gradcam": "GradCAM",
        "gradcam++": "GradCAMPlusPlus",
        "hirescam": "HiResCAM",
        "xgradcam": "XGradCAM",
        "layercam": "LayerCAM",
        "eigencam": "EigenCAM",
        "eigengradcam": "EigenGradCAM",
        "kpcacam": "KPCA_CAM",
        "scorecam": "ScoreCAM",
        "ablationcam": "AblationCAM",
    }
)

Maps = NDArray[np.float32]  # [N, H, W], from 0 to 1


class LayerOutput:
    """Record a layer's output and its gradient, with the interface that grad-cam expects.

    Args:
        network: Maps images to logits.
        layer: One of its modules; layers before it record no gradients.
    """

    def __init__(self, network: nn.Module, layer: nn.Module) -> None:
        self.network = network
        self.output: Tensor | None = None
        self.handle = layer.register_forward_hook(self.keep)

    def __call__(self, images: Tensor) -> Tensor:
        """Return the logits, and keep the layer's output."""
        with torch.no_grad():  # the hook turns gradients on
            logits: Tensor = self.network(images)
        return logits

    def keep(self, module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        """Keep a copy of the output, and record gradients from there on."""
        self.output = output.detach().clone().requires_grad_()
        torch.set_grad_enabled(True)
        return self.output.clone()  # which the network may overwrite

    @property
    def activations(self) -> list[Tensor]:
        """The layer's output `[N, C, h, w]`."""
        return [] if self.output is None else [self.output.detach()]

    @property
    def gradients(self) -> list[Tensor]:
        """The target's gradient at the output; empty before the backward pass."""
        there = self.output is not None and self.output.grad is not None
        return [self.output.grad] if there else []  # type: ignore[list-item, union-attr]

    def release(self) -> None:
        """Remove the hook from the network."""
        self.handle.remove()
        self.output = None


class Explainer:
    """Compute class activation maps of one network by one method; see `explaining`.

    Args:
        network: Maps images `float32 [N, 3, H, W]` to logits `[N, K]`.
        method: One of `METHODS`.
        layer: The module whose output is explained; the last activated map if None.
        size: Side of the maps in pixels; that of the images if None.

    Raises:
        ValueError: an unknown method.
    """

    def __init__(
        self,
        network: nn.Module,
        method: str = "gradcam",
        layer: nn.Module | None = None,
        size: int | None = None,
    ) -> None:
        if method not in METHODS:
            raise ValueError(f"method {method!r}: must be one of {', '.join(METHODS)}")
        import pytorch_grad_cam

        layer = layer or last_map(network)
        self.cam = getattr(pytorch_grad_cam, METHODS[method])(network, [layer])
        self.cam.activations_and_grads.release()
        self.cam.activations_and_grads = self.kept = LayerOutput(network, layer)
        if size is not None:
            self.cam.get_target_width_height = lambda images: (size, size)

    def __call__(self, images: Tensor, classes: Sequence[int]) -> Maps:
        """Return the evidence for a class in each image, `float32 [N, H, W]` from 0 to 1.

        Args:
            images: `float32 [N, 3, H, W]`, on the network's device.
            classes: Class to explain in each image.
        """
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        targets = [ClassifierOutputTarget(int(label)) for label in classes]
        # Some methods print a progress bar for every image.
        with torch.enable_grad(), redirect_stderr(StringIO()):
            maps = self.cam(images, targets)
        self.cam.outputs = None  # they hold the graph
        return np.asarray(maps, np.float32)


@contextmanager
def explaining(
    network: nn.Module,
    method: str = "gradcam",
    layer: nn.Module | None = None,
    size: int | None = None,
) -> Iterator[Explainer]:
    """Yield an explainer, then restore the network: modes, layers, gradients and hooks.

    Raises:
        ValueError: an unknown method, or a network that is not one of the suite.
    """
    modes = {module: module.training for module in network.modules()}
    trained = {p: (p.requires_grad, p.grad) for p in network.parameters()}
    # ablationcam replaces the layer while it works, and adds hooks.
    hooks = {module: set(module._forward_hooks) for module in network.modules()}
    parts = [(parent, dict(parent.named_children())) for parent in network.modules()]
    explainer = None
    try:
        for parameter in network.parameters():
            parameter.requires_grad_(False)
        explainer = Explainer(network, method, layer, size)
        yield explainer
    finally:
        if explainer is not None:
            explainer.kept.release()
        for parent, children in parts:
            for name, child in children.items():
                if getattr(parent, name) is not child:
                    setattr(parent, name, child)
        for module, before in hooks.items():
            for key in set(module._forward_hooks) - before:
                del module._forward_hooks[key]
        for parameter, (requires, gradient) in trained.items():
            parameter.requires_grad_(requires)
            parameter.grad = gradient
        for module, training in modes.items():
            module.training = training


def class_activation_maps(
    network: nn.Module,
    images: Tensor,
    classes: Sequence[int],
    method: str = "gradcam",
    size: int | None = None,
) -> Maps:
    """Return the maps of one batch, `float32 [N, H, W]`; see `Explainer`."""
    with explaining(network, method, size=size) as explainer:
        return explainer(images, classes)
