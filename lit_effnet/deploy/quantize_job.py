"""Quantize a network: calibrate, build, evaluate and time its variants."""

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from torch import Tensor
from tqdm import tqdm

from lit_effnet.deploy.base import BuiltNetwork, Quantizer
from lit_effnet.deploy.calibration_flags import calibration_spec
from lit_effnet.deploy.calibration_images import CalibrationImages, load_calibration
from lit_effnet.deploy.layers import (
    blocks,
    distinct_choices,
    float_modules,
    layers,
    parts_of,
    se_gates,
)
from lit_effnet.deploy.registry import by_backend
from lit_effnet.deploy.sensitivity import Sensitivity, sensitivities, worst_layers
from lit_effnet.deploy.sensitivity_figure import sensitivity_figure
from lit_effnet.deploy.tables import progress_line
from lit_effnet.deploy.variant_rows import Row, VariantEvaluator
from lit_effnet.deploy.variant_timing import BATCHES, WARM_UP, EagerNetwork, time_interleaved
from lit_effnet.deploy.variants import EAGER, Variant, variants
from lit_effnet.evaluation.evaluator import Evaluator
from lit_effnet.evaluation.target import EvaluationTarget, load_target, overrides_of
from lit_effnet.results.figures.files import rendered
from lit_effnet.runs.files import write_whole
from lit_effnet.runs.provenance import cpu_name

SENSITIVITY_IMAGES = 64

T = TypeVar("T")
BuiltVariants = dict[Variant, BuiltNetwork]


@dataclass
class QuantizeJob:
    """A network and its variants.

    Args:
        target: The network with its images.
        evaluator: Evaluates variants.
        variants: All variants that were asked for.
        calibration: Calibration images.
        overwrite: Whether variants that have a row are evaluated again.
        runs: Number of timed runs of each variant.
    """

    target: EvaluationTarget
    evaluator: VariantEvaluator
    variants: list[Variant]
    calibration: CalibrationImages
    overwrite: bool
    runs: int
    worst: list[str] = field(default_factory=list, init=False)
    quantizers: dict[str, Quantizer] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        rows = self._rows_by_id()
        ids = {variant: self.evaluator.id(variant) for variant in self.variants}
        self.to_evaluate = [v for v in self.variants if self.overwrite or ids[v] not in rows]
        self.to_time = [
            v
            for v in self.variants
            if v not in self.to_evaluate and not self.evaluator.is_timed(rows[ids[v]], self.runs)
        ]

    def rows(self) -> list[Row]:
        """Return the variants' rows as far as there are any."""
        rows = self._rows_by_id()
        ids = map(self.evaluator.id, self.variants)
        return [rows[variant_id] for variant_id in ids if variant_id in rows]

    def sensitivity(self, by: str) -> list[Sensitivity]:
        """Quantize one layer or block at a time.

        Args:
            by: `layer`, which also finds the layers that `worst` keeps in float; or `block`.
        """
        parts = self._parts(by)
        with tqdm(total=len(parts), unit=f" {by}s", leave=False, disable=None) as bar:
            bar.set_description("sensitivity")
            result = sensitivities(self.target.network, self._few_batches(), parts, bar.update)
        if by == "layer":
            gates = se_gates(self.target.network)
            self.worst = worst_layers(result, self.evaluator.worst, excluded=gates)
        return result

    @property
    def needs_worst(self) -> bool:
        """Whether a variant to build keeps the most sensitive layers in float."""
        return any(variant.keeps_worst for variant in (*self.to_evaluate, *self.to_time))

    def write_sensitivity(self, title: str, parts: Sequence[Sensitivity], by: str) -> str:
        """Write the sensitivity as PNG, SVG and JSON; return the paths for a message.

        Raises:
            OSError: They cannot be written.
        """
        folder = self.target.folder.path / "quantization"
        gates = se_gates(self.target.network)
        figure = sensitivity_figure(title, parts, list(self._parts(by)), gates)
        files: dict[str, str | bytes] = dict(rendered(figure))
        files["json"] = json.dumps([asdict(part) for part in parts], indent=2) + "\n"
        folder.mkdir(exist_ok=True)
        for ending, content in files.items():
            write_whole(folder / f"sensitivity_by_{by}.{ending}", content)
        return f"{folder}/sensitivity_by_{by}.png, .svg and .json"

    def run(self, say: Callable[[str], object]) -> bool:
        """Build, evaluate and time the variants, and write their rows; whether none failed.

        Args:
            say: Prints a line for each evaluated variant where there is no progress bar.

        Raises:
            OSError: A row cannot be written.
        """
        built: BuiltVariants = {}
        for variant in self.to_time:
            if network := _attempt(variant, partial(self._build, variant)):
                built[variant] = network
        if self.to_evaluate:
            built |= self._evaluate(say)
        if built:
            self._time(built)
        return len(built) == len(self.to_evaluate) + len(self.to_time)

    def _evaluate(self, say: Callable[[str], object]) -> BuiltVariants:
        """Build and evaluate variants; a failure is reported and its variant left out."""
        built: BuiltVariants = {}
        total = (len(self.to_evaluate) + 1) * self.evaluator.evaluator.images
        with tqdm(total=total, unit=" images", leave=False, disable=None) as bar:
            bar.set_description("float32")
            clean, reference = self.evaluator.clean(bar.update)
            self.target.folder.add_evaluation(clean)
            for variant in self.to_evaluate:
                bar.set_description(variant.label)
                evaluate = partial(self._build_and_evaluate, variant, reference, bar.update)
                if (result := _attempt(variant, evaluate)) is None:
                    continue
                built[variant], row = result
                self.target.folder.add_evaluation(row)
                if bar.disable:
                    say(progress_line(variant.label, row))
        return built

    def _build_and_evaluate(
        self, variant: Variant, reference: Tensor, seen: Callable[[int], object]
    ) -> tuple[BuiltNetwork, Row]:
        built, kept = self._build(variant), self._kept_layers(variant)
        return built, self.evaluator.row(variant, built, reference, kept_layers=kept, seen=seen)

    def _time(self, built: BuiltVariants) -> None:
        """Time the variants interleaved with PyTorch's eager mode, and complete their rows."""
        eager = Variant(EAGER)
        networks = {eager: self._build(eager).network}
        networks |= {variant: made.network for variant, made in built.items()}
        size = self.target.data.image_size
        total = len(BATCHES) * (WARM_UP + self.runs) * len(networks)
        with tqdm(total=total, unit=" runs", leave=False, disable=None) as bar:
            bar.set_description("timing")
            timings = [
                time_interleaved(networks, size, batch, runs=self.runs, done=bar.update)
                for batch in BATCHES
            ]
        rows = self._rows_by_id()
        timed_at = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        eager_timings = [timing[eager] for timing in timings]
        for variant in built:
            own_timings = [timing[variant] for timing in timings]
            row = rows[self.evaluator.id(variant)]
            row = self.evaluator.with_latency(row, own_timings, eager_timings, timed_at)
            self.target.folder.add_evaluation(row)

    def _build(self, variant: Variant) -> BuiltNetwork:
        """Build a variant, which may take some seconds."""
        backend = variant.backend
        if backend == EAGER:
            return EagerNetwork(self.target.network).built
        if backend not in self.quantizers:
            quantizer = by_backend(backend).quantizers[backend]
            size = self.target.data.image_size
            self.quantizers[backend] = quantizer(self.target.network, size)
        if variant.method is None:
            return self.quantizers[backend].build_float(variant.float_precision)
        return self.quantizers[backend].build_int8(
            self.calibration.batches, variant.method, self._kept_layers(variant)
        )

    def _kept_layers(self, variant: Variant) -> list[str]:
        if variant.keep_float is None:
            return []
        return float_modules(variant.keep_float, self.target.network, self.worst)

    def _parts(self, by: str) -> dict[str, list[str]]:
        network = self.target.network
        return blocks(network) if by == "block" else {name: [name] for name in layers(network)}

    def _few_batches(self) -> list[Tensor]:
        """Return the first calibration images, on which sensitivity is measured."""
        batches: list[Tensor] = []
        for batch in self.calibration.batches:
            left = SENSITIVITY_IMAGES - sum(map(len, batches))
            batches += [batch[:left]] if left > 0 else []
        return batches

    def _rows_by_id(self) -> dict[str, Row]:
        return {row["id"]: row for row in self.target.folder.read_evaluations()}


def prepare_job(name: str, config: Any, *, freed_memory_kept: bool) -> QuantizeJob:
    """Load a network and its calibration images; nothing is built yet.

    Args:
        name: A run folder or released weights.
        config: The command's flags.
        freed_memory_kept: Whether the C library keeps freed memory.

    Raises:
        ValueError: Bad input.
    """
    if config.device not in ("auto", "cpu"):
        raise ValueError(f"device {config.device}: INT8 runs and is timed on cpu only")
    calibration = calibration_spec(config)
    overrides = overrides_of(config, whole=bool(calibration.data))
    keep_float = _split("keep_float", config.keep_float)
    methods = None if config.methods is None else _split("methods", config.methods)
    backends = _split("backends", config.backends)
    if config.worst < 1:
        raise ValueError(f"worst {config.worst}: must be at least 1 layer")
    if config.runs_timed < 1:
        raise ValueError(f"runs_timed {config.runs_timed}: must be at least 1")
    list(variants(backends, methods, []))  # check the names before data are loaded
    target = load_target(name, overrides, config.root)
    data = target.data
    choices = distinct_choices(keep_float, parts_of(target.network))
    split = data.split_for(config.split)
    if split not in data.splits:
        raise ValueError(f"split {split}: {data.name} has only {', '.join(data.splits)}")
    images = load_calibration(target, overrides, calibration, evaluated=data, split=split)
    evaluator = Evaluator(
        target.network,
        data,
        split,
        target.weights.fingerprint,
        target.own,
        target.reference,
    )
    return QuantizeJob(
        target=target,
        evaluator=VariantEvaluator(
            evaluator,
            images.source,
            worst=config.worst,
            freed_memory_kept=freed_memory_kept,
            processor=cpu_name(),
        ),
        variants=list(variants(backends, methods, choices)),
        calibration=images,
        overwrite=config.overwrite,
        runs=config.runs_timed,
    )


def _split(name: str, text: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words:
        raise ValueError(f"{name} {text!r}: must name at least one")
    return list(dict.fromkeys(words))


def _attempt(variant: Variant, build: Callable[[], T]) -> T | None:
    """Return what `build` returns; where it fails, print one line and return None."""
    try:
        return build()
    except Exception as error:  # each runtime has its own exceptions
        reason = " ".join(str(error).split()) or type(error).__name__
        sys.stderr.write(f"failed: {variant.label}: {reason}; the others go on\n")
        return None
