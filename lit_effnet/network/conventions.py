"""What weights expect of a network and of images, as their owners wrote it down.

Padding, epsilon, size, crop, filter, mean and std: from timm's and torchvision's tables, or from
what a layout has always meant.
"""

import re
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import cache
from typing import Any

from torch import Tensor

from lit_effnet.network.efficientnet import Padding
from lit_effnet.network.layouts import layout_of
from lit_effnet.network.weights import IMAGENET_MEAN, IMAGENET_STD, Weights
from lit_effnet.scaling import VARIANTS, Variant

HALF = (0.5, 0.5, 0.5)
LITE_MEAN, LITE_STD = (127 / 255,) * 3, (128 / 255,) * 3  # tensorflow/tpu, efficientnet/lite
CROP_PADDING = 32  # pixels around the central crop; tensorflow/tpu, efficientnet/preprocessing.py
LITE_IMAGE_SIZES = {"b0": 224, "b1": 240, "b2": 260, "b3": 280, "b4": 300}

HEADS = ("conv_head.weight", "features.8.0.weight", "_conv_head.weight", "head.0.weight")


def recognised(weights: Weights) -> Weights:
    """With the layout, and which variant has these shapes."""
    layout, state = layout_of(weights.state), weights.state
    if layout is None:
        return weights
    blocks, head_input, gates = _shape(state)
    lite = not gates
    variant = None
    for name, known in VARIANTS.items():
        stages = known.scaling.stages(fix_first_last=lite)
        if (sum(s.repeats for s in stages), stages[-1].channels) == (blocks, head_input):
            variant = name
            break
    padding: Padding | None = None
    if layout == "lit_effnet":  # the padding of a module of its own comes before the convolution
        padding = "symmetric" if "stem.0.weight" in state else "same"
    lite = lite and variant is not None
    return replace(weights, layout=layout, variant=variant, lite=lite, padding=padding)


def _shape(state: Mapping[str, Tensor]) -> tuple[int, int, bool]:
    """Number of blocks, input channels of the head's convolution, and whether there are gates."""
    depthwise = [k for k, t in state.items() if t.ndim == 4 and t.shape[1] == 1 and t.shape[2] > 1]
    heads = [state[head].shape[1] for head in HEADS if head in state]
    gates = any({"se", "fc1"} & set(re.split(r"[._]", key)) for key in state)
    return len(depthwise), heads[0] if heads else 0, gates


def as_timm_says(weights: Weights, config: Mapping[str, Any]) -> Weights:
    """With what timm's `config.json`, or its table, tells of them."""
    told = {**config, **config.get("pretrained_cfg", {})}
    architecture, built = str(told.get("architecture", "")), told.get("model_args") or {}
    padding, bn_eps = weights.padding, weights.bn_eps
    if weights.layout is not None:
        from_tensorflow = architecture.startswith("tf_")
        padding, bn_eps = ("same", 1e-3) if from_tensorflow else ("symmetric", 1e-5)
        bn_eps = built.get("bn_eps", bn_eps)
        if "pad_type" in built:
            padding = "same" if built["pad_type"] == "same" else "symmetric"
    return replace(
        weights,
        padding=padding,
        bn_eps=bn_eps,
        image_size=told["input_size"][-1],
        crop_fraction=told["crop_pct"],
        interpolation=told["interpolation"],
        mean=tuple(told["mean"]),
        std=tuple(told["std"]),
    )


def as_torchvision_says(weights: Weights, released: Any) -> Weights:
    """With what torchvision's enumeration of released weights tells of them."""
    prepared = released.transforms()
    (size,), (resized,) = prepared.crop_size, prepared.resize_size
    return replace(
        weights,
        padding="symmetric",
        image_size=size,
        crop_fraction=size / resized,
        interpolation=prepared.interpolation.value,
        mean=tuple(prepared.mean),
        std=tuple(prepared.std),
        bn_eps=None if weights.layout is None else _torchvision_eps(weights.variant),
    )


def _torchvision_eps(variant: str | None) -> float:
    """torchvision, efficientnet.py: B5 to B7 were ported from TensorFlow with its epsilon."""
    return 1e-3 if variant in ("b5", "b6", "b7") else 1e-5


def as_layout_says(weights: Weights, file: str) -> Weights:
    """With what follows from the layout alone, and a note on what does not."""
    known = VARIANTS.get(weights.variant or "")
    size = _image_size(known, weights) if known else None
    if weights.layout == "efficientnet_pytorch":
        mean, std = (LITE_MEAN, LITE_STD) if weights.lite else (IMAGENET_MEAN, IMAGENET_STD)
        if file.startswith("adv-"):  # AdvProp's, whose pixels go from -1 to 1
            mean, std = HALF, HALF
        return _sized(replace(weights, padding="same", bn_eps=1e-3, mean=mean, std=std), size)
    if weights.layout == "torchvision":
        eps = _torchvision_eps(weights.variant)
        return _sized(replace(weights, padding="symmetric", bn_eps=eps), size)
    if weights.layout == "timm":
        note = (
            "the file does not say what it expects: symmetric padding and epsilon 1e-5 are "
            "assumed, timm's for names without tf_ (--model.padding same --model.bn_eps 0.001 "
            "for those with it)"
        )
        return _sized(replace(weights, padding="symmetric", bn_eps=1e-5, notes=(note,)), size)
    if weights.layout == "lit_effnet":
        note = (
            "the file does not say what it expects: the suite's own epsilon, mean and std are "
            "assumed; the run folder tells them"
        )
        return _sized(replace(weights, notes=(note,)), size)
    return _sized(weights, size)


def _image_size(known: Variant, weights: Weights) -> int:
    return LITE_IMAGE_SIZES[str(weights.variant)] if weights.lite else known.image_size


def _sized(weights: Weights, size: int | None) -> Weights:
    if size is None:
        return weights
    return replace(weights, image_size=size, crop_fraction=size / (size + CROP_PADDING))


@cache
def _timm_files() -> Mapping[str, str]:
    """timm's pretrained names by the file's name."""
    from timm import list_pretrained
    from timm.models import get_pretrained_cfg

    found = {}
    for name in list_pretrained("*efficientnet*") + list_pretrained("*res*net*"):
        config = get_pretrained_cfg(name)
        if config is not None and config.url:
            found[str(config.url).rsplit("/", 1)[-1]] = name
    return found


def timm_config_of_file(file: str) -> Mapping[str, Any] | None:
    """What timm tells of a file that it released, by the file's name."""
    name = _timm_files().get(file)
    return None if name is None else timm_config(name)


def timm_config(name: str) -> Mapping[str, Any] | None:
    """What timm tells of a pretrained name or of a model, if it knows it."""
    from timm import is_model
    from timm.models import get_pretrained_cfg

    if not is_model(name.split(".", 1)[0]):
        return None
    config = get_pretrained_cfg(name, allow_unregistered=False)
    return None if config is None else asdict(config)


def torchvision_of_file(file: str) -> Any:
    """torchvision's weights of a file that it released, by the file's name; null if it did not."""
    from torchvision import models

    for name in models.list_models(models):
        for released in models.get_model_weights(name):
            if released.url.rsplit("/", 1)[-1] == file:
                return released
    return None
