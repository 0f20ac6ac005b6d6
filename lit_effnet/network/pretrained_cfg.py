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
from lit_effnet.network.layouts import Layout, layout_of
from lit_effnet.network.properties import CONVENTIONS, timm_properties
from lit_effnet.network.registry import OURS
from lit_effnet.network.weights import Weights
from lit_effnet.scaling.compound import VARIANTS, Variant

HALF = (0.5, 0.5, 0.5)
LITE_MEAN, LITE_STD = (127 / 255,) * 3, (128 / 255,) * 3  # tensorflow/tpu, efficientnet/lite
CROP_PADDING = 32  # pixels around the central crop; tensorflow/tpu, efficientnet/preprocessing.py
LITE_IMAGE_SIZES = {"b0": 224, "b1": 240, "b2": 260, "b3": 280, "b4": 300}

USUAL = "efficientnet"  # network of a record that names none
TOLD = (
    *CONVENTIONS,
    *("image_size", "resolution", "seen_imagenet", "crop_fraction", "interpolation"),
)

# Sources: timm's names without tf_, torchvision and EfficientNet-PyTorch as released, our own.
OF_LAYOUT: Mapping[Layout | None, Mapping[str, Any]] = {
    "timm": {"padding": "symmetric", "bn_eps": 1e-5},
    "torchvision": {"padding": "symmetric"},
    "efficientnet_pytorch": {"padding": "same", "bn_eps": 1e-3},
    "lit_effnet": {"bn_eps": 1e-3},
}
PEER_FILE = r"(adv-)?efficientnet-(b\d|l2|lite\d)-[0-9a-f]{8}\.pth"

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


def told_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run's record tells of its weights, in plain values.

    A file of tensors or a checkpoint holds this beside them, since no shape tells it.

    Args:
        record: The content of `run.json`.

    Raises:
        KeyError: the record lacks something.
        TypeError: it is no record.
    """
    data, network, model = record["data"], record["network"], record["model"]
    own = {"activation": "silu", **OURS[name]} if (name := model.get("name", USUAL)) in OURS else {}
    older = model.get("activation") or own.get("activation")  # records without this property
    prepared = data["preprocessing"]
    return {
        "activation": network.get("activation") or older,
        "padding": network["padding"],
        "bn_eps": network["bn_eps"],
        "image_size": data["image_size"],
        "resolution": record["scaling"]["resolution"],
        "seen_imagenet": record["seen_imagenet"],
        "class_names": list(data.get("class_names") or ()),
        "crop_fraction": prepared["crop_fraction"],
        "interpolation": prepared["interpolation"],
        "mean": list(prepared["mean"]),
        "std": list(prepared["std"]),
    }


def as_told(weights: Weights, told: Mapping[str, Any]) -> Weights:
    """Return the weights with what `told_of` gave.

    Raises:
        KeyError: something is missing.
        TypeError, ValueError: something is not of its kind.
    """
    plain = {name: told[name] for name in TOLD}
    plain["class_names"] = tuple(str(name) for name in told["class_names"])
    prepared = _prepared(told["image_size"], told["crop_fraction"], told)
    return replace(weights, **{**plain, **prepared})


def _prepared(size: Any, crop_fraction: Any, told: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "image_size": int(size),
        "crop_fraction": float(crop_fraction),
        "interpolation": str(told["interpolation"]),
        "mean": tuple(float(value) for value in told["mean"]),
        "std": tuple(float(value) for value in told["std"]),
    }


def as_timm_says(weights: Weights, config: Mapping[str, Any]) -> Weights:
    """Return the weights with what timm's `config.json`, or its table, tells of them.

    Raises:
        ValueError: it lacks something, or timm cannot build what it tells.
    """
    try:
        told = {**config, **config.get("pretrained_cfg", {})}
        arguments = dict(told.get("model_args") or {})
        prepared = _prepared(told["input_size"][-1], told["crop_pct"], told)
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise ValueError(
            f"its config.json is not timm's ({type(error).__name__}: {error})"
        ) from error
    names = told.get("label_names")
    if isinstance(names, list | tuple):
        prepared["class_names"] = tuple(str(name) for name in names)
    weights = replace(weights, **prepared)
    if told.get("crop_mode", "center") != "center":
        note = f"timm prepares images by crop_mode {told['crop_mode']}; here they are cropped"
        weights = replace(weights, notes=(*weights.notes, note))
    built = timm_properties(told.get("architecture"), arguments)
    if built is not None:
        known = {name: built[name] for name in CONVENTIONS} if weights.layout else {}
        return replace(weights, **known, properties=built)
    if weights.layout is None:
        return weights
    given: dict[str, Any] = {}
    if "pad_type" in arguments:
        given["padding"] = "same" if arguments["pad_type"] == "same" else "symmetric"
    if "bn_eps" in arguments:
        given["bn_eps"] = arguments["bn_eps"]
    if "act_layer" in arguments:
        named = str(arguments["act_layer"]).replace("_", "")
        given["activation"] = "silu" if named == "swish" else named
    return assumed(replace(weights, **given), "its config.json")


def assumed(weights: Weights, file: str, *, noted: bool = True) -> Weights:
    """Return the weights with what their layout usually means where nothing is known of it.

    Args:
        weights: Weights of an EfficientNet, in a known layout.
        file: What does not tell it, for the note.
        noted: Whether a note says so.
    """
    usual = {"activation": "relu6" if weights.lite else "silu", **OF_LAYOUT[weights.layout]}
    if weights.layout == "torchvision":
        usual["bn_eps"] = _torchvision_eps(weights.variant)
    unknown = {name: usual[name] for name in CONVENTIONS if getattr(weights, name) is None}
    if not unknown:
        return weights
    words = {"activation": "{}", "padding": "{} padding", "bn_eps": "epsilon {:g}"}
    said = ", ".join(words[name].format(value) for name, value in unknown.items())
    flags = " ".join(f"--model.{name}" for name in unknown)
    note = f"{file} does not say what it expects; assumed: {said} ({flags} for another)"
    notes = (*weights.notes, note) if noted else weights.notes
    return replace(weights, **unknown, notes=notes)


def as_torchvision_says(weights: Weights, released: Any) -> Weights:
    """With what torchvision's enumeration of released weights tells of them."""
    prepared = released.transforms()
    (size,), (resized,) = prepared.crop_size, prepared.resize_size
    built: dict[str, Any] = {}
    if weights.layout is not None:
        eps = _torchvision_eps(weights.variant)
        built = {"activation": "silu", "padding": "symmetric", "bn_eps": eps}
    return replace(
        weights,
        image_size=size,
        crop_fraction=size / resized,
        interpolation=prepared.interpolation.value,
        mean=tuple(prepared.mean),
        std=tuple(prepared.std),
        **built,
    )


def _torchvision_eps(variant: str | None) -> float:
    """torchvision, efficientnet.py: B5 to B7 were ported from TensorFlow with its epsilon."""
    return 1e-3 if variant in ("b5", "b6", "b7") else 1e-5


def as_layout_says(weights: Weights, file: str) -> Weights:
    """Return the weights with what follows from their layout alone, and a note on it.

    Released files of EfficientNet-PyTorch are known by their names and need no note.
    """
    known = VARIANTS.get(weights.variant or "")
    size = _image_size(known, weights) if known else None
    if weights.layout is None:
        return _sized(weights, size)
    of_peer = weights.layout == "efficientnet_pytorch"
    if of_peer and weights.lite:
        weights = replace(weights, mean=LITE_MEAN, std=LITE_STD)
    if of_peer and file.startswith("adv-"):  # AdvProp's, whose pixels go from -1 to 1
        weights = replace(weights, mean=HALF, std=HALF)
    released = of_peer and re.fullmatch(PEER_FILE, file) is not None
    return _sized(assumed(weights, file, noted=not released), size)


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
    for name in list_pretrained(
        ["*efficientnet*", "*res*net*", "*mobilenet*", "*densenet*", "*nasnet*"]
    ):
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
