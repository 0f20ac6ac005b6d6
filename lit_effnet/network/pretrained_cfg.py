"""Conventions and preprocessing of weights: padding, epsilon, size, crop, filter, mean and std.

They come from the record of a run, from timm's and torchvision's tables, or from the usual values
of a layout.
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

DEFAULT_NETWORK = "efficientnet"  # of a record without a name
DESCRIBED = (
    *CONVENTIONS,
    *("image_size", "resolution", "seen_imagenet", "crop_fraction", "interpolation"),
)

# Sources: timm's names without tf_, torchvision and EfficientNet-PyTorch as released, our own.
LAYOUT_DEFAULTS: Mapping[Layout | None, Mapping[str, Any]] = {
    "timm": {"padding": "symmetric", "bn_eps": 1e-5},
    "torchvision": {"padding": "symmetric"},
    "efficientnet_pytorch": {"padding": "same", "bn_eps": 1e-3},
    "lit_effnet": {"bn_eps": 1e-3},
}
PEER_FILE = r"(adv-)?efficientnet-(b\d|l2|lite\d)-[0-9a-f]{8}\.pth"

HEADS = ("conv_head.weight", "features.8.0.weight", "_conv_head.weight", "head.0.weight")


def recognise(weights: Weights) -> Weights:
    """Return the weights with their layout, and the variant that has their shapes."""
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
    if layout == "lit_effnet":  # a padding module comes before the convolution
        padding = "symmetric" if "stem.0.weight" in state else "same"
    lite = lite and variant is not None
    return replace(weights, layout=layout, variant=variant, lite=lite, padding=padding)


def _shape(state: Mapping[str, Tensor]) -> tuple[int, int, bool]:
    """Return the number of blocks, the head's input channels, and whether there are gates."""
    depthwise = [k for k, t in state.items() if t.ndim == 4 and t.shape[1] == 1 and t.shape[2] > 1]
    heads = [state[head].shape[1] for head in HEADS if head in state]
    gates = any({"se", "fc1"} & set(re.split(r"[._]", key)) for key in state)
    return len(depthwise), heads[0] if heads else 0, gates


def description_of_run(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return conventions and preprocessing of a run's weights, in plain values.

    Checkpoints and files of tensors contain this description beside the tensors.

    Args:
        record: Content of `run.json`.

    Raises:
        KeyError: the record lacks an entry.
        TypeError: it is not a record.
    """
    data, network, model = record["data"], record["network"], record["model"]
    own = (
        {"activation": "silu", **OURS[name]}
        if (name := model.get("name", DEFAULT_NETWORK)) in OURS
        else {}
    )
    fallback = model.get("activation") or own.get("activation")  # for older records
    prepared = data["preprocessing"]
    return {
        "activation": network.get("activation") or fallback,
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


def apply_description(weights: Weights, description: Mapping[str, Any]) -> Weights:
    """Return the weights with the result of `description_of_run`.

    Raises:
        KeyError: an entry is missing.
        TypeError, ValueError: an entry has another type.
    """
    plain = {name: description[name] for name in DESCRIBED}
    plain["class_names"] = tuple(str(name) for name in description["class_names"])
    prepared = _prepared(description["image_size"], description["crop_fraction"], description)
    return replace(weights, **{**plain, **prepared})


def _prepared(size: Any, crop_fraction: Any, config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "image_size": int(size),
        "crop_fraction": float(crop_fraction),
        "interpolation": str(config["interpolation"]),
        "mean": tuple(float(value) for value in config["mean"]),
        "std": tuple(float(value) for value in config["std"]),
    }


def apply_timm_cfg(weights: Weights, config: Mapping[str, Any]) -> Weights:
    """Return the weights with the entries of timm's `config.json` or pretrained configuration.

    Raises:
        ValueError: an entry is missing, or timm cannot build the network.
    """
    try:
        cfg = {**config, **config.get("pretrained_cfg", {})}
        arguments = dict(cfg.get("model_args") or {})
        prepared = _prepared(cfg["input_size"][-1], cfg["crop_pct"], cfg)
    except (KeyError, TypeError, IndexError, ValueError) as error:
        raise ValueError(
            f"its config.json is not timm's ({type(error).__name__}: {error})"
        ) from error
    names = cfg.get("label_names")
    if isinstance(names, list | tuple):
        prepared["class_names"] = tuple(str(name) for name in names)
    weights = replace(weights, **prepared)
    if cfg.get("crop_mode", "center") != "center":
        note = f"timm prepares images with crop_mode {cfg['crop_mode']}; here they are cropped"
        weights = replace(weights, notes=(*weights.notes, note))
    known: dict[str, Any] = {}
    built = timm_properties(cfg.get("architecture"), arguments)
    if built is not None:
        if weights.layout:
            known = {name: built[name] for name in CONVENTIONS}
        return replace(weights, **known, properties=built)
    if weights.layout is None:
        return weights
    if "pad_type" in arguments:
        known["padding"] = "same" if arguments["pad_type"] == "same" else "symmetric"
    if "bn_eps" in arguments:
        known["bn_eps"] = arguments["bn_eps"]
    if "act_layer" in arguments:
        activation = str(arguments["act_layer"]).replace("_", "")
        known["activation"] = "silu" if activation == "swish" else activation
    return assume_defaults(replace(weights, **known), "its config.json")


def assume_defaults(weights: Weights, file: str, *, noted: bool = True) -> Weights:
    """Return the weights with their layout's defaults for unknown conventions.

    Args:
        weights: Weights of an EfficientNet, in a known layout.
        file: File that lacks the conventions, for the note.
        noted: Whether to add a note.
    """
    defaults = {
        "activation": "relu6" if weights.lite else "silu",
        **LAYOUT_DEFAULTS[weights.layout],
    }
    if weights.layout == "torchvision":
        defaults["bn_eps"] = _torchvision_eps(weights.variant)
    unknown = {name: defaults[name] for name in CONVENTIONS if getattr(weights, name) is None}
    if not unknown:
        return weights
    words = {"activation": "{}", "padding": "{} padding", "bn_eps": "epsilon {:g}"}
    values = ", ".join(words[name].format(value) for name, value in unknown.items())
    flags = " ".join(f"--model.{name}" for name in unknown)
    note = f"{file} does not describe its network; assumed: {values} (change with {flags})"
    notes = (*weights.notes, note) if noted else weights.notes
    return replace(weights, **unknown, notes=notes)


def apply_torchvision(weights: Weights, released: Any) -> Weights:
    """Return the weights with the transforms of torchvision's weights enumeration."""
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
    """Return torchvision's epsilon (efficientnet.py): B5 to B7 were ported from TensorFlow."""
    return 1e-3 if variant in ("b5", "b6", "b7") else 1e-5


def apply_layout(weights: Weights, file: str) -> Weights:
    """Return the weights with the defaults of their layout, and a note about it.

    Released files of EfficientNet-PyTorch are recognised by their names and need no note.
    """
    known = VARIANTS.get(weights.variant or "")
    size = _image_size(known, weights) if known else None
    if weights.layout is None:
        return _sized(weights, size)
    of_peer = weights.layout == "efficientnet_pytorch"
    if of_peer and weights.lite:
        weights = replace(weights, mean=LITE_MEAN, std=LITE_STD)
    if of_peer and file.startswith("adv-"):  # AdvProp scales pixels to -1 to 1
        weights = replace(weights, mean=HALF, std=HALF)
    released = of_peer and re.fullmatch(PEER_FILE, file) is not None
    return _sized(assume_defaults(weights, file, noted=not released), size)


def _image_size(known: Variant, weights: Weights) -> int:
    return LITE_IMAGE_SIZES[str(weights.variant)] if weights.lite else known.image_size


def _sized(weights: Weights, size: int | None) -> Weights:
    if size is None:
        return weights
    return replace(weights, image_size=size, crop_fraction=size / (size + CROP_PADDING))


@cache
def _timm_files() -> Mapping[str, str]:
    """Return timm's pretrained names by the name of the file."""
    from timm import list_pretrained
    from timm.models import get_pretrained_cfg

    names = {}
    for name in list_pretrained(
        ["*efficientnet*", "*res*net*", "*mobilenet*", "*densenet*", "*nasnet*"]
    ):
        config = get_pretrained_cfg(name)
        if config is not None and config.url:
            names[str(config.url).rsplit("/", 1)[-1]] = name
    return names


def timm_cfg_of_file(file: str) -> Mapping[str, Any] | None:
    """Return timm's pretrained configuration of a file, by the file's name; None if unknown."""
    name = _timm_files().get(file)
    return None if name is None else timm_cfg(name)


def timm_cfg(name: str) -> Mapping[str, Any] | None:
    """Return timm's configuration of a pretrained name or model; None if unknown."""
    from timm import is_model
    from timm.models import get_pretrained_cfg

    if not is_model(name.split(".", 1)[0]):
        return None
    config = get_pretrained_cfg(name, allow_unregistered=False)
    return None if config is None else asdict(config)


def torchvision_of_file(file: str) -> Any:
    """Return torchvision's weights of a file, by the file's name; None if unknown."""
    from torchvision import models

    for name in models.list_models(models):
        for released in models.get_model_weights(name):
            if released.url.rsplit("/", 1)[-1] == file:
                return released
    return None
