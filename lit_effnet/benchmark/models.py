"""Networks by name to measure: ours at any scaling, baselines, runs and released weights."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from torch import nn

from lit_effnet.evaluation.target import RELEASED, EvaluationTarget, Overrides, load_target
from lit_effnet.network.arm_cost import settled
from lit_effnet.network.complexity import complexity
from lit_effnet.network.detection import DETECTORS
from lit_effnet.network.golden import published_only
from lit_effnet.network.registry import BASELINES, OURS, build
from lit_effnet.network.trained import network_of_run
from lit_effnet.profiling.execution import Configuration
from lit_effnet.profiling.memory import reason
from lit_effnet.runs.documents import DocumentError, read_json
from lit_effnet.runs.folder import RunFolder
from lit_effnet.runs.paths import Location, locate
from lit_effnet.scaling import arms
from lit_effnet.scaling.compound import BASE_IMAGE_SIZE, VARIANTS
from lit_effnet.scaling.cost import Complexity

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
        file_precision: What a file has inside that another program runs; null for torch's.
    """

    name: str
    network: nn.Module
    image_size: int
    complexity: Complexity | None
    trained: bool
    file_precision: str | None = None

    def configuration(self, asked: Configuration) -> Configuration:
        """How it is run: as asked; a file by its program on the CPU, whose own its precision is."""
        if self.complexity is not None:
            return asked
        return Configuration(threads=asked.threads)


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
    trained = made is None
    if made is None:
        made = _of_run(locate(name))
    if made is None:
        found = _released(name, image_size)
        made = found.network, found.own.image_size
    network, own = made
    size = own if image_size is None else image_size
    if size < 1:
        raise ValueError(f"image_size {size}: must be at least 1 pixel")
    return Candidate(name, network.eval(), size, complexity(network, size), trained)


def _exported(file: Path, image_size: int | None, threads: int) -> Candidate:
    from lit_effnet.deploy.export_files import metadata_file
    from lit_effnet.deploy.registry import load

    if not file.is_file():
        raise ValueError(f"names {file}: no such file")
    told = metadata_file(file)
    if not told.exists():
        raise ValueError(f"{file}: {told.name} is missing, which tells its image size")
    try:
        description = read_json(told)
        precision = str(description["precision"])
        own = int(description["preprocessing"]["image_size"])
    except DocumentError:
        raise
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"{told}: does not describe {file.name} ({reason(error)})") from error
    if image_size not in (None, own):
        raise ValueError(f"image_size {image_size}: {file} takes {own} pixels and no others")
    network = load(file, threads)
    return Candidate(str(file), network, own, None, True, precision)


def _of_run(path: Location) -> tuple[nn.Module, int] | None:
    """A run's network and image size, without its images; null for another kind of name."""
    folder = RunFolder(path.parents[1] if path.parent.name == "checkpoints" else path)
    if not (folder.path / "run.json").exists():
        return None
    record = folder.read()
    if record.get("status") == RELEASED:
        return None
    try:
        network, _ = network_of_run(path)
        return network, int(record["data"]["image_size"])
    except (KeyError, TypeError) as error:
        raise ValueError(f"{folder.path / 'run.json'}: lacks {error}, so it is no run's") from error
    except ValueError as error:
        raise ValueError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error


def _released(name: str, image_size: int | None) -> EvaluationTarget:
    try:
        return load_target(name, Overrides({}, image_size))
    except ValueError as error:
        near = get_close_matches(name, [*VARIANTS, *LITE_IMAGE_SIZES, *BASELINES], cutoff=0.5)
        if not near or "nearest" in str(error):
            raise
        raise ValueError(f"{error}; nearest: {', '.join(near)}") from None


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
