"""What `quantize` puts together: a network, the images it is calibrated on, and its variants."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor

from lit_effnet.deploy.backends import Backend, Built, find_backend
from lit_effnet.deploy.calibration import calibration_images, check_unseen
from lit_effnet.deploy.calibration_data import calibration_data, calibration_flags
from lit_effnet.deploy.layers import blocks, choices, gates, kept_modules, layers
from lit_effnet.deploy.sensitivity import Sensitivity, worst
from lit_effnet.deploy.sensitivity_figure import sensitivity_figure
from lit_effnet.deploy.study import EAGER, Study, Variant, variants
from lit_effnet.deploy.timing import Eager
from lit_effnet.evaluation.evaluator import Evaluator
from lit_effnet.evaluation.target import EvaluationTarget, load_target, overrides_of
from lit_effnet.results.figures.files import rendered
from lit_effnet.runs.files import write_whole
from lit_effnet.runs.provenance import cpu_name

SENSITIVITY_IMAGES = 64


@dataclass
class Work:
    """A network whose variants are built one after the other.

    Args:
        subject: The network with its images.
        study: Gives rows.
        variants: All that are asked for.
        batches: Training images `float32 [B, 3, H, W]` for calibration.
        image_size: Side of the network's input in pixels.
        sensitive: Names of the most sensitive layers; null where nobody asked.
    """

    subject: EvaluationTarget
    study: Study
    variants: list[Variant]
    batches: list[Tensor]
    image_size: int
    sensitive: list[str] | None = None

    def __post_init__(self) -> None:
        self.backends: dict[type[Backend], Backend] = {}

    def kept_layers(self, variant: Variant) -> list[str]:
        """Names of the modules that stay in float."""
        if variant.kept is None:
            return []
        return kept_modules(variant.kept, self.subject.network, self.sensitive or ())

    def build(self, variant: Variant) -> Built:
        """The variant, which may take some seconds."""
        if variant.backend == EAGER:
            return Eager(self.subject.network).built
        kind = find_backend(variant.backend)
        if kind not in self.backends:
            self.backends[kind] = kind(self.subject.network, self.image_size)
        backend = self.backends[kind]
        if variant.method is None:
            return backend.in_float(variant.floats)
        return backend.quantized(self.batches, variant.method, self.kept_layers(variant))

    def parts(self, by: str) -> dict[str, list[str]]:
        """Layers by layer or by block."""
        network = self.subject.network
        return blocks(network) if by == "block" else {name: [name] for name in layers(network)}

    def few_batches(self) -> list[Tensor]:
        """The first of the calibration images, on which sensitivity is found."""
        found: list[Tensor] = []
        for batch in self.batches:
            left = SENSITIVITY_IMAGES - sum(map(len, found))
            found += [batch[:left]] if left > 0 else []
        return found

    def keep(self, sensitivity: Sequence[Sensitivity]) -> None:
        """Take note of which layers are the most sensitive, without the gates."""
        network = self.subject.network
        self.sensitive = worst(sensitivity, self.study.worst, gates(network))

    def add_figure(self, title: str, found: Sequence[Sensitivity], by: str) -> str:
        """Write the sensitivity of layers or blocks as PNG, SVG and numbers, and tell where."""
        folder = self.subject.folder.path / "quantization"
        figure = sensitivity_figure(title, found, list(self.parts(by)), gates(self.subject.network))
        files: dict[str, str | bytes] = dict(rendered(figure))
        files["json"] = json.dumps([asdict(part) for part in found], indent=2) + "\n"
        folder.mkdir(exist_ok=True)
        for ending, content in files.items():
            write_whole(folder / f"sensitivity_by_{by}.{ending}", content)
        return f"{folder}/sensitivity_by_{by}.png, .svg and .json"


def prepare(name: str, config: Any, *, freed_memory_kept: bool) -> Work:
    """A network, its calibration images and its variants, nothing of which is built yet.

    Raises:
        ValueError: one of them is not there, or cannot be.
    """
    if config.device not in ("auto", "cpu"):
        raise ValueError(f"device {config.device}: INT8 is run and timed on cpu only")
    calibrated_on = calibration_flags(config)
    changes = overrides_of(config, whole=bool(calibrated_on))
    words = _words("kept", config.kept)
    methods = None if config.methods is None else _words("methods", config.methods)
    backends = _words("backends", config.backends)
    if config.worst < 1:
        raise ValueError(f"worst {config.worst}: must be at least 1 layer")
    if config.runs_timed < 1:
        raise ValueError(f"runs_timed {config.runs_timed}: must be at least 1")
    wanted = list(variants(backends, methods, []))  # names are judged before data are loaded
    found = load_target(name, changes, config.root)
    kept = choices(words, found.network)
    wanted = list(variants(backends, methods, kept))
    split = found.data.split_for(config.split)
    if split not in found.data.splits:
        there = ", ".join(found.data.splits)
        raise ValueError(f"split {split}: {found.data.name} has only {there}")
    images = calibration_data(found, changes, calibrated_on)
    check_unseen(split, found.data, images)
    drawn = (config.calibration, config.calibration_seed, config.calibration_outliers)
    batches, calibration = calibration_images(found.network, images, *drawn)
    evaluator = Evaluator(
        found.network,
        found.data,
        split,
        found.weights.fingerprint,
        found.own,
        found.reference,
    )
    study = Study(evaluator, calibration, config.worst, freed_memory_kept, cpu_name())
    return Work(found, study, wanted, batches, found.data.image_size)


def _words(name: str, text: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise ValueError(f"{name} {text!r}: must name one at least")
    return list(dict.fromkeys(words))
