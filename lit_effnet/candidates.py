"""Networks by name to measure: ours at any scaling, baselines, runs and released weights."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from lit_effnet import arms
from lit_effnet.building import settled
from lit_effnet.counting import Complexity
from lit_effnet.network.complexity import complexity
from lit_effnet.network.detection import DETECTORS
from lit_effnet.network.golden import published_only
from lit_effnet.network.registry import BASELINES, OURS, build
from lit_effnet.scaling import BASE_IMAGE_SIZE, VARIANTS
from lit_effnet.subjects import Changes, subject

# EfficientNet-Lite's own sizes; tensorflow/tpu, efficientnet/lite.
LITE_IMAGE_SIZES = {"lite0": 224, "lite1": 240, "lite2": 260, "lite3": 280, "lite4": 300}


@dataclass(frozen=True)
class Candidate:
    """A network to measure.

    Args:
        name: As it was given.
        network: Images `float32 [N, 3, H, W]` to logits, in evaluation mode, on the CPU.
        image_size: H and W in pixels.
        complexity: What it costs, counted on it; null for a file that another program runs.
        trained: Whether its weights are those of a training.
    """

    name: str
    network: nn.Module
    image_size: int
    complexity: Complexity | None
    trained: bool


def candidate(
    name: str, image_size: int | None = None, num_classes: int = 1000, threads: int = 1
) -> Candidate:
    """The network of a name.

    Args:
        name: b0 to b8, l2, lite0 to lite4, a baseline, flags of `--scaling` in one word
            (`axis=width,budget=2`), a run folder, weights as `--weights.name` takes them, or a file
            that `export` has written.
        image_size: Side of its input in pixels; null for its own.
        num_classes: Of networks without trained weights.
        threads: Of the program that runs a file.

    Raises:
        ValueError: there is none such, or it cannot take the image size.
    """
    if Path(name).suffix in (".onnx", ".xml", ".pte", ".tflite"):
        return _exported(Path(name), image_size, threads)
    if name in DETECTORS or name in published_only():
        raise ValueError(
            f"names {name!r}: is not measured here; `python -m lit_effnet.scale --network {name}` "
            "shows what is known of it"
        )
    made = _untrained(name, num_classes)
    if made is None:
        found = subject(name, Changes({}, image_size))
        network, own, trained = found.network, found.own.image_size, True
    else:
        (network, own), trained = made, False
    size = own if image_size is None else image_size
    if size < 1:
        raise ValueError(f"image_size {size}: must be at least 1 pixel")
    return Candidate(name, network.eval(), size, complexity(network, size), trained)


def _exported(file: Path, image_size: int | None, threads: int) -> Candidate:
    from lit_effnet.evaluation.exporting.formats import beside, load

    network = load(file, threads)
    told = beside(file)
    if not told.exists():
        raise ValueError(f"{file}: {told.name} is missing, which tells its image size")
    own = int(json.loads(told.read_text(encoding="utf-8"))["preprocessing"]["image_size"])
    if image_size not in (None, own):
        raise ValueError(f"image_size {image_size}: {file} takes {own} pixels and no others")
    return Candidate(str(file), network, own, None, True)


def _untrained(name: str, num_classes: int) -> tuple[nn.Module, int] | None:
    """A network with random weights and its own image size; null for another kind of name."""
    if name in VARIANTS:
        variant = VARIANTS[name]
        return build("efficientnet", variant.scaling, num_classes), variant.image_size
    if name in LITE_IMAGE_SIZES:
        scaling = VARIANTS[name.replace("lite", "b")].scaling
        return build("efficientnet_lite", scaling, num_classes), LITE_IMAGE_SIZES[name]
    if name in BASELINES:
        return build(name, num_classes=num_classes), BASELINES[name].image_size
    if name in OURS:
        return build(name, num_classes=num_classes), BASE_IMAGE_SIZE
    if Path(name).exists() or "/" in name or not ("=" in name or name == "baseline"):
        return None
    flags: Mapping[str, Any] = {} if name == "baseline" else {"arm": name}
    scaling = settled(arms.choose(**flags), BASE_IMAGE_SIZE, num_classes)
    return build("efficientnet", scaling, num_classes), scaling.image_size()
