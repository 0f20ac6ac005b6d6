"""Networks to measure, by name: scaled EfficientNets, baselines, runs, weights, exported files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from torch import nn

from lit_effnet.evaluation.target import RELEASED, Changes, Subject, subject
from lit_effnet.network.arm_cost import settled
from lit_effnet.network.complexity import complexity
from lit_effnet.network.detection import DETECTORS
from lit_effnet.network.golden import published_only
from lit_effnet.network.registry import BASELINES, OURS, build
from lit_effnet.network.trained import network_of_run
from lit_effnet.profiling.execution import Configuration
from lit_effnet.profiling.memory import Work, reason
from lit_effnet.runs.documents import DocumentError, read_json
from lit_effnet.runs.folder import RunFolder
from lit_effnet.runs.paths import Location, locate
from lit_effnet.scaling import arms
from lit_effnet.scaling.compound import BASE_IMAGE_SIZE, VARIANTS
from lit_effnet.scaling.cost import Complexity

# EfficientNet-Lite's image sizes; tensorflow/tpu, efficientnet/lite.
LITE_IMAGE_SIZES = {"lite0": 224, "lite1": 240, "lite2": 260, "lite3": 280, "lite4": 300}


@dataclass(frozen=True)
class BenchmarkModel:
    """A network to measure.

    Args:
        name: Name as it was given.
        network: Images `float32 [N, 3, H, W]` to logits, in evaluation mode, on the CPU.
        image_size: H and W in pixels.
        complexity: Counts of the network; None for an exported file.
        trained: Whether the weights are trained.
        file_precision: Precision inside an exported file; None for a PyTorch network.
    """

    name: str
    network: nn.Module
    image_size: int
    complexity: Complexity | None
    trained: bool
    file_precision: str | None = None

    def configuration(self, requested: Configuration) -> Configuration:
        """Return the requested configuration; for an exported file that of its runtime."""
        if self.complexity is not None:
            return requested
        return Configuration(threads=requested.threads)


@dataclass(frozen=True)
class ConfiguredModel:
    """A network and how it is run."""

    model: BenchmarkModel
    configuration: Configuration

    def call(self, images: int, work: Work) -> Callable[[], Any]:
        """Return a call that computes one batch of inference, or of training without an optimiser.

        Args:
            images: Number of images in the batch.
            work: Inference or training.
        """
        batch = self.configuration.images(images, self.model.image_size)
        network = self.configuration.prepare(self.model.network)
        if work == "inference":
            return self.configuration.inference(network, batch)
        return self.configuration.training(network, batch)


def load_model(
    name: str, image_size: int | None = None, *, num_classes: int = 1000, threads: int = 1
) -> BenchmarkModel:
    """Return the network of a name.

    Args:
        name: b0 to b8, l2, lite0 to lite4, a baseline, flags of `--scaling` in one word
            (`axis=width,budget=2`), a run folder, weights as `--weights.name` takes them, or a file
            that `export` has written.
        image_size: Side of the input in pixels; None for the network's own.
        num_classes: Classes of networks without trained weights.
        threads: Threads of the runtime of an exported file.

    Raises:
        ValueError: The name is unknown, or the network cannot take the image size.
    """
    if Path(name).suffix in (".onnx", ".xml", ".pte", ".tflite"):
        return _exported(Path(name), image_size, threads)
    if name in DETECTORS or name in published_only():
        raise ValueError(
            f"names {name!r}: cannot be measured; `python -m lit_effnet.scale --network {name}` "
            "shows what is known of it"
        )
    if num_classes < 1:
        raise ValueError(f"num_classes {num_classes}: must be at least 1")
    untrained = _untrained(name, num_classes)
    known = untrained or _of_run(locate(name))
    if known is None:
        released = _released(name, image_size)
        known = released.network, released.own.image_size
    network, own_size = known
    size = own_size if image_size is None else image_size
    if size < 1:
        raise ValueError(f"image_size {size}: must be at least 1 pixel")
    return BenchmarkModel(
        name, network.eval(), size, complexity(network, size), trained=untrained is None
    )


def _exported(file: Path, image_size: int | None, threads: int) -> BenchmarkModel:
    from lit_effnet.deploy.formats import beside, load

    if not file.is_file():
        raise ValueError(f"names {file}: no such file")
    sidecar = beside(file)
    if not sidecar.exists():
        raise ValueError(f"{file}: {sidecar.name} is missing, which has its image size")
    try:
        description = read_json(sidecar)
        precision = str(description["precision"])
        own_size = int(description["preprocessing"]["image_size"])
    except DocumentError:
        raise
    except (OSError, ValueError, KeyError, TypeError, OverflowError) as error:
        raise ValueError(f"{sidecar}: does not describe {file.name} ({reason(error)})") from error
    if image_size not in (None, own_size):
        raise ValueError(f"image_size {image_size}: {file} takes {own_size} pixels only")
    network = load(file, threads)
    return BenchmarkModel(str(file), network, own_size, None, True, precision)


def _of_run(path: Location) -> tuple[nn.Module, int] | None:
    """Return a run's network and image size; None for another kind of name."""
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
        raise ValueError(
            f"{folder.path / 'run.json'}: lacks {error}, so it is not a run's"
        ) from error
    except ValueError as error:
        raise ValueError(f"{path}: {str(error).removeprefix(f'{path}: ')}") from error


def _released(name: str, image_size: int | None) -> Subject:
    try:
        return subject(name, Changes({}, image_size))
    except ValueError as error:
        near = get_close_matches(name, [*VARIANTS, *LITE_IMAGE_SIZES, *BASELINES], cutoff=0.5)
        if not near or "nearest" in str(error):
            raise
        raise ValueError(f"{error}; nearest: {', '.join(near)}") from None


def _untrained(name: str, num_classes: int) -> tuple[nn.Module, int] | None:
    """Return a network with random weights and its image size; None for another kind of name."""
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
