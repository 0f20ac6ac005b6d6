"""Networks by name: EfficientNets at any scaling, and the design document's baselines from timm."""

from dataclasses import dataclass
from typing import Any

from torch import nn

from lit_effnet.network.efficientnet import EfficientNet
from lit_effnet.scaling.compound import Scaling


@dataclass(frozen=True)
class Baseline:
    """A network of timm's.

    Args:
        timm_name: timm's name of the network.
        last_map: Module whose activated output goes into the classifier's pooling.
        image_size: Side of the input in pixels.
        drop_path: Whether the network supports stochastic depth.
    """

    timm_name: str
    last_map: str
    image_size: int = 224
    drop_path: bool = False


BASELINES = {
    "resnet50": Baseline("resnet50", "layer4", drop_path=True),
    "resnet152": Baseline("resnet152", "layer4", drop_path=True),
    "densenet201": Baseline("densenet201", "features.norm5"),
    "mobilenetv2": Baseline("mobilenetv2_100", "bn2", drop_path=True),
    "mobilenetv3_large": Baseline("mobilenetv3_large_100", "blocks", drop_path=True),
    "wide_resnet50_2": Baseline("wide_resnet50_2", "layer4", drop_path=True),
    "wide_resnet101_2": Baseline("wide_resnet101_2", "layer4", drop_path=True),
    "mnasnet_a1": Baseline("semnasnet_100", "bn2", drop_path=True),  # with SE
    "mnasnet_b1": Baseline("mnasnet_100", "bn2", drop_path=True),  # without SE
    "nasnet_large": Baseline("nasnetalarge", "act", image_size=331),
}

# Tan, "EfficientNet-lite" (tensorflow/tpu, efficientnet/lite): differences from EfficientNet.
LITE: dict[str, Any] = {"lite": True, "se_ratio": 0.0, "activation": "relu6"}

OURS: dict[str, dict[str, Any]] = {"efficientnet": {}, "efficientnet_lite": LITE}

NETWORKS = (*OURS, *BASELINES)


def build(
    name: str = "efficientnet",
    scaling: Scaling | None = None,
    num_classes: int = 1000,
    *,
    dropout: float = 0.0,
    drop_path_rate: float = 0.0,
    **options: Any,
) -> nn.Module:
    """Build a network with random weights; images `float [N, 3, H, W]` to logits `float [N, K]`.

    Args:
        name: One of `NETWORKS`.
        scaling: Depth and width multipliers; 1 for a baseline.
        num_classes: K.
        dropout: Dropout rate before the classifier.
        drop_path_rate: Largest rate of stochastic depth; ignored by baselines without it.
        options: Further arguments of `EfficientNet`; none for a baseline.

    Raises:
        ValueError: an unknown name, or an option that the network does not have.
    """
    if name in OURS:
        return EfficientNet(
            scaling,
            num_classes,
            dropout=dropout,
            drop_path_rate=drop_path_rate,
            **{**OURS[name], **options},
        )
    if name not in BASELINES:
        raise ValueError(f"network {name!r}: must be one of {', '.join(NETWORKS)}")
    scaling = scaling or Scaling()
    fixed = [axis for axis in ("depth", "width") if getattr(scaling, axis) != 1]
    if fixed or options:
        raise ValueError(
            f"{name} has no {', '.join([*fixed, *options])} to set: only "
            f"{' and '.join(OURS)} are built to scale"
        )
    import timm

    baseline = BASELINES[name]
    rates: dict[str, Any] = {"drop_path_rate": drop_path_rate} if baseline.drop_path else {}
    network: nn.Module = timm.create_model(
        baseline.timm_name, num_classes=num_classes, drop_rate=dropout, **rates
    )
    return network
