"""EfficientNet at any scaling: the network of paper Table 1; ablated choices are arguments.

Shapes: N images, C channels, H x W pixels, K classes.
"""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.ops import StochasticDepth

from lit_effnet.network.depthwise import DepthwiseConv2d
from lit_effnet.scaling.compound import HEAD_CHANNELS, STEM_CHANNELS, Scaling, Stage

Activation = Literal["silu", "relu", "relu6", "hardswish", "gelu"]
Padding = Literal["symmetric", "same"]


class SiLU(nn.SiLU):
    """SiLU that works in place if no gradient is recorded, which saves a tensor."""

    def forward(self, x: Tensor) -> Tensor:
        """Activate a tensor of any shape."""
        return F.silu(x, inplace=not torch.is_grad_enabled())


ACTIVATIONS: dict[str, type[nn.Module]] = {
    "silu": SiLU,
    "relu": nn.ReLU,
    "relu6": nn.ReLU6,
    "hardswish": nn.Hardswish,
    "gelu": nn.GELU,
}


IMAGENET_CLASSES = 1000


class SamePad2d(nn.Module):
    """TensorFlow's "same" padding: the odd pixel goes to the right and the bottom.

    It differs from symmetric padding only for strides above 1. As a module of its own, it leaves a
    plain `Conv2d` for counters, quantisers and exporters.
    """

    def __init__(self, kernel_size: int, stride: int) -> None:
        super().__init__()
        self.kernel_size, self.stride = kernel_size, stride

    def forward(self, x: Tensor) -> Tensor:
        """Pad `[N, C, H, W]` so that a convolution returns ceil(H / stride) x ceil(W / stride)."""
        rows, columns = (
            max((-(-side // self.stride) - 1) * self.stride + self.kernel_size - side, 0)
            for side in x.shape[-2:]
        )
        return F.pad(x, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))


@dataclass(frozen=True)
class Layers:
    """Padding, normalisation and activation of all convolutions of a network."""

    activation: Activation
    padding: Padding
    bn_eps: float
    bn_momentum: float

    def activate(self) -> nn.Module:
        """Return a new activation module."""
        return ACTIVATIONS[self.activation]()

    def conv(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 1,
        stride: int = 1,
        *,
        depthwise: bool = False,
        activated: bool = True,
    ) -> nn.Sequential:
        """Return padding if asymmetric, convolution, batch norm and (if `activated`) activation."""
        same = self.padding == "same" and stride > 1
        kind = DepthwiseConv2d if depthwise else nn.Conv2d
        return nn.Sequential(
            *([SamePad2d(kernel_size, stride)] if same else []),
            kind(
                in_channels,
                out_channels,
                kernel_size,
                stride=stride,
                padding=0 if same else kernel_size // 2,
                groups=in_channels if depthwise else 1,
                bias=False,
            ),
            nn.BatchNorm2d(out_channels, eps=self.bn_eps, momentum=self.bn_momentum),
            *([self.activate()] if activated else []),
        )


class SqueezeExcite(nn.Module):
    """Channel gates from the globally pooled tensor (Hu et al. 2018, in the form MBConv uses)."""

    def __init__(self, channels: int, squeezed_channels: int, activation: nn.Module) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, squeezed_channels, 1)
        self.activation = activation
        self.expand = nn.Conv2d(squeezed_channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Scale `[N, C, H, W]` by a gate per channel, in place if no gradient is recorded."""
        if self.training and x.dtype != torch.float16:  # in which the sum of a map overflows
            # The gradient of a sum is a view; that of a mean is a tensor of the size of x.
            pooled = x.sum((2, 3), keepdim=True) / (x.shape[2] * x.shape[3])
        else:
            pooled = x.mean((2, 3), keepdim=True)
        gate = torch.sigmoid(self.expand(self.activation(self.reduce(pooled))))
        return x * gate if torch.is_grad_enabled() else x.mul_(gate)


class MBConv(nn.Module):
    """Inverted bottleneck: expand 1x1, depthwise kxk, squeeze-and-excite, project 1x1, skip.

    The squeezed width is a fraction of the block's input channels, not of the expanded ones, and at
    least one channel (`max(1, int(in * ratio))`, released code). `se_ratio` 0 builds no gate.
    """

    def __init__(
        self,
        in_channels: int,
        stage: Stage,
        *,
        stride: int,
        se_ratio: float,
        drop_path_rate: float,
        layers: Layers,
    ) -> None:
        super().__init__()
        expanded = in_channels * stage.expand_ratio
        self.expand = layers.conv(in_channels, expanded) if stage.expand_ratio != 1 else None
        self.depthwise = layers.conv(expanded, expanded, stage.kernel_size, stride, depthwise=True)
        squeezed = max(1, int(in_channels * se_ratio))
        self.se = SqueezeExcite(expanded, squeezed, layers.activate()) if se_ratio > 0 else None
        self.project = layers.conv(expanded, stage.channels, activated=False)
        self.skip = stride == 1 and in_channels == stage.channels
        self.drop_path = StochasticDepth(drop_path_rate, "row") if drop_path_rate > 0 else None

    def forward(self, x: Tensor) -> Tensor:
        """Map `[N, in, H, W]` to `[N, out, H / stride, W / stride]`."""
        y: Tensor = x if self.expand is None else self.expand(x)
        y = self.depthwise(y)
        if self.se is not None:
            y = self.se(y)
        y = self.project(y)
        if self.drop_path is not None and self.skip:
            y = self.drop_path(y)
        return x + y if self.skip else y


class EfficientNet(nn.Module):
    """Scaled EfficientNet; maps images `float [N, 3, H, W]` to logits `float [N, K]`.

    Args:
        scaling: Depth and width multipliers. The data apply the resolution.
        num_classes: K.
        se_ratio: Squeezed channels over the block's input channels; 0 builds no gate.
        activation: Activation of all convolutions and gates; SiLU in the paper.
        dropout: Dropout rate before the classifier.
        drop_path_rate: Stochastic depth: block i of n is dropped at rate * i / n.
        padding: `symmetric` (PyTorch) or `same` (TensorFlow, what released weights expect).
        bn_eps: Batch norm's epsilon; 1e-3 in the released code.
        bn_momentum: Weight of the newest batch in the running statistics: one minus the
            paper's 0.99.
        lite: Whether to build EfficientNet-Lite, which does not scale stem, head and the depth of
            the first and last stage. The registry adds `se_ratio=0` and `activation="relu6"`.

    Raises:
        ValueError: an option outside its range, named in the message.
    """

    def __init__(
        self,
        scaling: Scaling | None = None,
        num_classes: int = 1000,
        *,
        se_ratio: float = 0.25,
        activation: Activation = "silu",
        dropout: float = 0.2,
        drop_path_rate: float = 0.2,
        padding: Padding = "symmetric",
        bn_eps: float = 1e-3,
        bn_momentum: float = 0.01,
        lite: bool = False,
    ) -> None:
        super().__init__()
        _check_choice("activation", activation, tuple(ACTIVATIONS))
        _check_choice("padding", padding, get_args(Padding))
        _check_range("se_ratio", se_ratio, 0, 1)
        _check_range("dropout", dropout, 0, 1)
        _check_range("drop_path_rate", drop_path_rate, 0, 1)
        if not (math.isfinite(bn_eps) and bn_eps > 0):
            raise ValueError(f"bn_eps {bn_eps}: must be a number above 0")
        if num_classes < 1:
            raise ValueError(f"num_classes {num_classes}: must be at least 1")
        scaling = scaling or Scaling()
        self.activation, self.padding, self.bn_eps = activation, padding, bn_eps
        layers = Layers(activation, padding, bn_eps, bn_momentum)
        stem = STEM_CHANNELS if lite else scaling.channels(STEM_CHANNELS)
        head = HEAD_CHANNELS if lite else scaling.channels(HEAD_CHANNELS)
        stages = scaling.stages(fix_first_last=lite)

        self.stem = layers.conv(3, stem, kernel_size=3, stride=2)
        self.stages = nn.Sequential()
        blocks = sum(stage.repeats for stage in stages)
        channels, built = stem, 0
        for stage in stages:
            repeats = nn.Sequential()
            self.stages.append(repeats)
            for repeat in range(stage.repeats):
                repeats.append(
                    MBConv(
                        channels,
                        stage,
                        stride=stage.stride if repeat == 0 else 1,
                        se_ratio=se_ratio,
                        drop_path_rate=drop_path_rate * built / blocks,
                        layers=layers,
                    )
                )
                channels, built = stage.channels, built + 1
        self.head = layers.conv(channels, head)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(head, num_classes)
        if not self.classifier.weight.is_meta:  # where drawing takes longer than building
            self.apply(initialise)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits `[N, K]` of images `[N, 3, H, W]`."""
        features = self.head(self.stages(self.stem(images)))
        logits: Tensor = self.classifier(self.dropout(self.pool(features).flatten(1)))
        return logits

    def get_classifier(self) -> nn.Linear:
        """Return the last layer; timm's name for this method."""
        return self.classifier

    def group_matcher(self, coarse: bool = False) -> dict[str, object]:
        """Return which parameters form a layer, for timm's layer-wise learning rates."""
        blocks = r"^stages\.(\d+)" if coarse else r"^stages\.(\d+)\.(\d+)"
        return {"stem": r"^stem", "blocks": [(blocks, None), (r"^head", (99999,))]}


def initialise(module: nn.Module) -> None:
    """Initialise as released: convolutions normal by fan-out, classifier uniform, biases 0.

    Source: conv_kernel_initializer and dense_kernel_initializer, tensorflow/tpu. The classifier
    keeps the range that it has for ImageNet's 1,000 classes. The released rule depends on the
    number of classes; with ten, the loss would start far above chance.
    """
    if isinstance(module, nn.Conv2d):
        fan_out = module.out_channels * math.prod(module.kernel_size) // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
    elif isinstance(module, nn.Linear):
        bound = 1 / math.sqrt(max(module.out_features, IMAGENET_CLASSES))
        nn.init.uniform_(module.weight, -bound, bound)
    if isinstance(module, nn.Conv2d | nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)


def _check_choice(name: str, value: str, accepted: tuple[str, ...]) -> None:
    if value not in accepted:
        raise ValueError(f"{name} {value!r}: must be one of {', '.join(accepted)}")


def _check_range(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # also catches NaN
        raise ValueError(f"{name} {value}: must be from {low} to {high}")
