"""Class activation maps by the package grad-cam, for every network of the suite.

grad-cam keeps what a layer gave without copying it, so that a later operation in place changes
it, and computes the gradients of all weights, of which it needs none. Here the output is copied,
and gradients begin there.
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

# By the class in grad-cam that computes them.
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
    """A layer's output and the gradient at it, in the form in which grad-cam asks for them.

    Args:
        network: Images to logits.
        layer: One of its modules; what comes before it records no gradients.
    """

    def __init__(self, network: nn.Module, layer: nn.Module) -> None:
        self.network = network
        self.output: Tensor | None = None
        self.handle = layer.register_forward_hook(self.keep)

    def __call__(self, images: Tensor) -> Tensor:
        """Logits; the output is kept."""
        with torch.no_grad():  # until the hook is reached, and again when this ends
            logits: Tensor = self.network(images)
        return logits

    def keep(self, module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> Tensor:
        """Keep a copy, and let gradients begin there."""
        self.output = output.detach().clone().requires_grad_()
        torch.set_grad_enabled(True)
        return self.output.clone()  # which the network may overwrite

    @property
    def activations(self) -> list[Tensor]:
        """The output `[N, C, h, w]`."""
        return [] if self.output is None else [self.output.detach()]

    @property
    def gradients(self) -> list[Tensor]:
        """The gradient of the target at the output, once it is known."""
        there = self.output is not None and self.output.grad is not None
        return [self.output.grad] if there else []  # type: ignore[list-item, union-attr]

    def release(self) -> None:
        """Leave the network as it was."""
        self.handle.remove()
        self.output = None


class Explainer:
    """Class activation maps of one network by one method; `explaining` makes and ends it.

    Args:
        network: Images `float32 [N, 3, H, W]` to logits `[N, K]`.
        method: One of `METHODS`.
        layer: The module whose output is explained; the last activated map if null.
        size: Side of the maps in pixels; that of the images if null.

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
        """Maps `float32 [N, H, W]` from 0 to 1 of what speaks for a class in each image.

        Args:
            images: `float32 [N, 3, H, W]`, on the network's device.
            classes: The class for each image.
        """
        from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

        targets = [ClassifierOutputTarget(int(label)) for label in classes]
        # Some methods show a bar of their own for every image.
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
    """An explainer, and the network as it was afterwards: modes, weights, gradients, no hooks.

    Raises:
        ValueError: an unknown method, or a network that is none of the suite's.
    """
    modes = {module: module.training for module in network.modules()}
    trained = {p: (p.requires_grad, p.grad) for p in network.parameters()}
    # One method replaces the layer while it works, and hangs hooks of its own.
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
    """Maps `float32 [N, H, W]` of one batch; see `Explainer`."""
    with explaining(network, method, size=size) as explainer:
        return explainer(images, classes)
