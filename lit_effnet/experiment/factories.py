"""Build the parts of an experiment from its groups of flags, which depend on one another."""

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
    """Build the network to train. Options that are None keep the network's or the weights' own.

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
        activation: Activation of all convolutions and gates. Defaults to that of the weights.
        padding: symmetric as in PyTorch, or same as in TensorFlow. Defaults to that of the weights.
        bn_eps: Batch norm's epsilon. Defaults to that of the weights.
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
    """Build the network that the flags of `--model` describe.

    Raises:
        ValueError: an unknown network, or an option that it does not have.
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
    """Return the scaling of an arm on a data set."""
    return settled(arm, data.base_image_size, data.num_classes)


def baseline_on(arm: Arm, data: ImageData) -> Complexity | None:
    """Return the cost of the arm's unscaled network on the data; None for a network of timm's."""
    if arm.network not in OURS:
        return None
    return cost(arm, data.num_classes, arm.base, data.base_image_size)


def resolution(arm: Arm) -> Resolution:
    """Return the multiplier of the image size, or a function of the data if a budget decides it."""
    if arm.budget is None:
        return arm.fixed.resolution
    return lambda base_size, num_classes: settled(arm, base_size, num_classes).resolution


def augmentation(recipe: Recipe) -> Augment:
    """Return the augmentation of a recipe."""
    return Augment(
        (recipe.crop_scale_min, 1.0),
        recipe.flip,
        recipe.randaugment_layers,
        recipe.randaugment_magnitude,
    )


def preprocessing(weights: Weights, arm: Arm) -> Preprocessing | None:
    """Return the preprocessing that the weights expect; None for random weights.

    The image size of weights contains a resolution multiplier: that of their run, or of the variant
    with the depth and width of the scaling. Divided by it, it is the size at resolution 1.
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
