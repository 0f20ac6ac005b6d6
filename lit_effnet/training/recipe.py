"""Recipes: everything about a training but the network, the data and the device."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

RMSPROP_TF = {"alpha": 0.9, "eps": 1e-3}


@dataclass(frozen=True)
class Recipe:
    """One training recipe.

    Args:
        name: Key in `RECIPES`.
        epochs: Passes over the training split; `--trainer.max_epochs` goes before it.
        optimizer: timm's name of the optimiser.
        momentum: Momentum of the optimiser.
        optimizer_options: Further arguments of the optimiser.
        learning_rate: Peak, for 256 images per optimiser step; scaled linearly with their number.
        warmup_epochs: Epochs of linear warm-up before the cosine to zero.
        weight_decay: On all weights but batch norm's and biases.
        label_smoothing: Probability mass spread over all classes.
        dropout: Rate before the classifier.
        drop_path_rate: Stochastic depth's rate at the last block.
        bn_momentum: Weight of the newest batch in batch norm's running statistics.
        ema_decay: Decay of the averaged weights after their warm-up; 0 keeps none.
        crop_scale_min: Smallest part of the image's area that random-resized-crop takes.
        flip: Probability of a horizontal flip.
        randaugment_layers: N of RandAugment(N, M); 0 for none.
        randaugment_magnitude: M of RandAugment(N, M), 0 to 30.
        reduced_precision: fp16 on CUDA and bf16 on CPUs that have it, else float32.

    Raises:
        ValueError: a number outside its range, naming it.
    """

    name: str
    epochs: int
    optimizer: str
    momentum: float
    learning_rate: float
    warmup_epochs: float
    weight_decay: float
    label_smoothing: float
    dropout: float
    drop_path_rate: float
    bn_momentum: float
    ema_decay: float
    crop_scale_min: float
    flip: float
    randaugment_layers: int
    randaugment_magnitude: int
    reduced_precision: bool
    optimizer_options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise ValueError(f"epochs {self.epochs}: must be at least 1")
        if not (math.isfinite(self.learning_rate) and self.learning_rate > 0):
            raise ValueError(f"learning_rate {self.learning_rate}: must be a number above 0")
        for name in ("warmup_epochs", "weight_decay"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} {value}: must be a number of at least 0")
        for name in ("label_smoothing", "momentum", "ema_decay"):
            value = getattr(self, name)
            if not 0 <= value < 1:
                raise ValueError(f"{name} {value}: must be from 0 to below 1")
        for name in ("bn_momentum", "crop_scale_min"):
            value = getattr(self, name)
            if not 0 < value <= 1:
                raise ValueError(f"{name} {value}: must be above 0 and at most 1")
        for name in ("dropout", "drop_path_rate", "flip"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ValueError(f"{name} {value}: must be from 0 to 1")
        if self.randaugment_layers < 0:
            raise ValueError(f"randaugment_layers {self.randaugment_layers}: must not be negative")
        if not 0 <= self.randaugment_magnitude <= 30:
            raise ValueError(
                f"randaugment_magnitude {self.randaugment_magnitude}: must be from 0 to 30"
            )


RECIPES = {
    # Tan and Le 2019, section 5.2, as the released code makes it precise (tensorflow/tpu,
    # efficientnet/main.py): 0.016 per 256 images, epsilon 1e-3, label smoothing 0.1, EMA 0.9999,
    # 350 epochs. The design document asks for cosine instead of 0.97 every 2.4 epochs,
    # RandAugment instead of AutoAugment, and dropout 0.2 at every size; so does this.
    "paper": Recipe(
        name="paper",
        epochs=350,
        optimizer="rmsproptf",
        momentum=0.9,
        optimizer_options=RMSPROP_TF,
        learning_rate=0.016,
        warmup_epochs=5,
        weight_decay=1e-5,
        label_smoothing=0.1,
        dropout=0.2,
        drop_path_rate=0.2,
        bn_momentum=0.01,
        ema_decay=0.9999,
        crop_scale_min=0.08,
        flip=0.5,
        randaugment_layers=2,
        randaugment_magnitude=9,
        reduced_precision=True,
    ),
    # For the embedded photographs: hundreds of steps instead of hundreds of thousands, so the
    # averages are short and the regularisation is light.
    "quick": Recipe(
        name="quick",
        epochs=10,
        optimizer="rmsproptf",
        momentum=0.9,
        optimizer_options=RMSPROP_TF,
        learning_rate=0.016,
        warmup_epochs=1,
        weight_decay=1e-5,
        label_smoothing=0.1,
        dropout=0.2,
        drop_path_rate=0.1,
        bn_momentum=0.1,
        ema_decay=0.98,
        crop_scale_min=0.25,
        flip=0.5,
        randaugment_layers=0,
        randaugment_magnitude=9,
        reduced_precision=False,
    ),
}


def choose(
    *,
    name: str = "quick",
    epochs: int | None = None,
    optimizer: str | None = None,
    momentum: float | None = None,
    learning_rate: float | None = None,
    warmup_epochs: float | None = None,
    weight_decay: float | None = None,
    label_smoothing: float | None = None,
    dropout: float | None = None,
    drop_path_rate: float | None = None,
    bn_momentum: float | None = None,
    ema_decay: float | None = None,
    crop_scale_min: float | None = None,
    flip: float | None = None,
    randaugment_layers: int | None = None,
    randaugment_magnitude: int | None = None,
    reduced_precision: bool | None = None,
) -> Recipe:
    """A recipe by name, with what is given instead of its own; null keeps the recipe's value.

    Args:
        name: paper or quick.
        epochs: Passes over the training split; trainer.max_epochs goes before it.
        optimizer: timm's name of the optimiser; another than the recipe's takes its own defaults.
        momentum: Momentum of the optimiser.
        learning_rate: Peak for 256 images per step; scaled linearly with their number.
        warmup_epochs: Epochs of linear warm-up before the cosine to zero.
        weight_decay: On all weights but batch norm's and biases.
        label_smoothing: Probability mass spread over all classes.
        dropout: Rate before the classifier.
        drop_path_rate: Stochastic depth's rate at the last block.
        bn_momentum: Weight of the newest batch in batch norm's running statistics.
        ema_decay: Decay of the averaged weights; 0 keeps none.
        crop_scale_min: Smallest part of the area that random-resized-crop takes.
        flip: Probability of a horizontal flip.
        randaugment_layers: N of RandAugment(N, M); 0 for none.
        randaugment_magnitude: M of RandAugment(N, M), 0 to 30.
        reduced_precision: fp16 on CUDA, bf16 on CPUs that have it.

    Raises:
        ValueError: an unknown recipe, or a number outside its range.
    """
    given = {key: value for key, value in locals().items() if value is not None and key != "name"}
    if name not in RECIPES:
        raise ValueError(f"recipe.name {name!r}: must be one of {', '.join(RECIPES)}")
    if optimizer not in (None, RECIPES[name].optimizer):
        given["optimizer_options"] = {}
    return replace(RECIPES[name], **given)


def warmup_cosine(step: int, warmup_steps: float, total_steps: int) -> float:
    """Part of the peak learning rate at `step`: linear warm-up, then a cosine to zero.

    The warm-up's first step is already above zero, and its last the peak.
    """
    if step < warmup_steps:
        return (step + 1) / (warmup_steps + 1)
    progress = (step - warmup_steps) / max(1.0, total_steps - warmup_steps)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
