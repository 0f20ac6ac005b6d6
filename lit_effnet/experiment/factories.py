"""What an experiment is built of: each group of flags to what the others need of it."""

from typing import Any

from torch import nn

from lit_effnet.data.augment import Augment
from lit_effnet.data.images import ImageData, Resolution
from lit_effnet.data.preprocessing import Preprocessing
from lit_effnet.network.arm_cost import cost, settled
from lit_effnet.network.detection import DETECTORS
from lit_effnet.network.efficientnet import Activation, Padding
from lit_effnet.network.properties import CONVENTIONS
from lit_effnet.network.registry import NETWORKS, OURS, build
from lit_effnet.network.weights import Weights
from lit_effnet.scaling.arms import Arm
from lit_effnet.scaling.compound import BASE_IMAGE_SIZE, VARIANTS, Scaling
from lit_effnet.scaling.cost import Complexity
from lit_effnet.training.classifier import LitClassifier
from lit_effnet.training.recipe import Recipe


def classifier(
    *,
    scaling: Scaling,
    recipe: Recipe,
    weights: Weights,
    num_classes: int,
    batch_size: int,
    name: str = "efficientnet",
    se_ratio: float | None = None,
    activation: Activation | None = None,
    padding: Padding | None = None,
    bn_eps: float | None = None,
) -> LitClassifier:
    """The network to train, with its recipe; null keeps the network's own choice.

    Args:
        scaling: Set by --scaling.
        recipe: Set by --recipe.
        weights: Set by --weights.
        num_classes: Set by the data.
        batch_size: Set by --data.batch_size.
        name: efficientnet, efficientnet_lite, or a baseline: resnet50, resnet152, densenet201,
            mobilenetv2, mobilenetv3_large, wide_resnet50_2, wide_resnet101_2, mnasnet_a1,
            mnasnet_b1, nasnet_large.
        se_ratio: Squeezed channels over a block's input channels; 0 builds no gate.
        activation: Activation of all convolutions and gates; null keeps the weights'.
        padding: symmetric as in PyTorch, or same as in TensorFlow; null keeps the weights'.
        bn_eps: Batch norm's epsilon; null keeps the weights'.
    """
    network = network_of(
        scaling,
        recipe,
        weights,
        num_classes,
        name=name,
        se_ratio=se_ratio,
        activation=activation,
        padding=padding,
        bn_eps=bn_eps,
    )
    return LitClassifier(network, recipe, num_classes, batch_size)


def network_of(
    scaling: Scaling, recipe: Recipe, weights: Weights, num_classes: int, **options: Any
) -> nn.Module:
    """The network that the flags of `--model` name.

    Raises:
        ValueError: there is none such.
    """
    name = options.pop("name")
    if name in DETECTORS:
        raise ValueError(
            f"model.name {name!r}: is a detector, whose cost "
            f"`python -m lit_effnet.scale --network {name}` shows; must be one of "
            f"{', '.join(NETWORKS)}"
        )
    if name not in NETWORKS:
        raise ValueError(f"model.name {name!r}: must be one of {', '.join(NETWORKS)}")
    for option in CONVENTIONS:
        if options[option] is None and name in OURS:
            options[option] = getattr(weights, option)
    return build(
        name,
        scaling,
        num_classes,
        dropout=recipe.dropout,
        drop_path_rate=recipe.drop_path_rate,
        **{key: value for key, value in options.items() if value is not None},
    )


def scaling_on(arm: Arm, data: ImageData) -> Scaling:
    """The arm's scaling on a data set."""
    return settled(arm, data.base_image_size, data.num_classes)


def baseline_on(arm: Arm, data: ImageData) -> Complexity | None:
    """What the network costs that the arm scales, on the same data; null for one of timm's."""
    if arm.network not in OURS:
        return None
    return cost(arm, data.num_classes, arm.base, data.base_image_size)


def resolution(arm: Arm) -> Resolution:
    """The multiplier of the image size; one that follows from a budget waits for the data."""
    if arm.budget is None:
        return arm.fixed.resolution
    return lambda base_size, num_classes: settled(arm, base_size, num_classes).resolution


def augmentation(recipe: Recipe) -> Augment:
    """The part of a recipe that the data applies."""
    return Augment(
        (recipe.crop_scale_min, 1.0),
        recipe.flip,
        recipe.randaugment_layers,
        recipe.randaugment_magnitude,
    )


def preprocessing(weights: Weights, arm: Arm) -> Preprocessing | None:
    """How the weights want their images; the data set's own way where there are none.

    Their image size holds a resolution multiplier already, their run's or that of the variant
    whose depth and width the scaling has; without it, it is the size at resolution 1.
    """
    if weights.name is None:
        return None
    of_variant = [
        variant.image_size / BASE_IMAGE_SIZE
        for variant in VARIANTS.values()
        if (variant.depth, variant.width) == (arm.fixed.depth, arm.fixed.width)
    ]
    held = weights.resolution or next(iter(of_variant), 1.0)
    return Preprocessing(
        None if weights.image_size is None else weights.image_size / held,
        weights.crop_fraction,
        weights.interpolation,  # type: ignore[arg-type] # checked there
        weights.mean,
        weights.std,
    )
