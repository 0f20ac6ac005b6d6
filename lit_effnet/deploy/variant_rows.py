"""The evaluation row of each variant, its identity, and its latency."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from lit_effnet.deploy.agreement import LogitRecorder, agreement, median_snr
from lit_effnet.deploy.base import BuiltNetwork
from lit_effnet.deploy.calibration_images import CalibrationSource
from lit_effnet.deploy.variant_timing import BATCHES, Timing
from lit_effnet.deploy.variants import Variant
from lit_effnet.evaluation.conditions import Condition
from lit_effnet.evaluation.evaluator import Evaluator
from lit_effnet.evaluation.row import Row, Scores, evaluation_row, row_id

# Increment this when a variant changes in a way that its identity does not record: another graph is
# quantized, or a quantizer has other settings. Older rows are then not reused.
METHOD_NUMBER = 1


@dataclass(frozen=True)
class VariantEvaluator:
    """Evaluates variants of one network.

    Args:
        evaluator: Evaluator of the float32 network.
        calibration: Source of the calibration images.
        worst: How many layers `worst` keeps in float, gates excluded.
        freed_memory_kept: Whether the C library keeps freed memory, which speeds PyTorch up.
        processor: Name of the processor that times the variants.
    """

    evaluator: Evaluator
    calibration: CalibrationSource
    worst: int
    freed_memory_kept: bool
    processor: str

    def identity(self, variant: Variant) -> Row:
        """Return everything that a variant's row depends on, in the schema of all evaluations."""
        parameters: Row = {"backend": variant.row_backend, "precision": variant.precision}
        if variant.method:
            parameters |= {
                "method": variant.method,
                "kept": variant.keep_float,
                "worst": self.worst if variant.keeps_worst else None,
                "images": self.calibration.images,
                "seed": self.calibration.seed,
                "outliers": self.calibration.outliers,
                "calibrated_on": self.calibration.data,
                "calibrated_on_fingerprint": self.calibration.fingerprint,
            }
        return {
            **self.evaluator.identity(Condition()),
            "condition": variant.condition,
            "parameters": parameters,
            "method_number": METHOD_NUMBER,
            "versions": variant.versions,
        }

    def id(self, variant: Variant) -> str:
        """Return the id of a variant's row."""
        return row_id(self.identity(variant))

    def clean(self, seen: Callable[[int], object] = lambda images: None) -> tuple[Row, Tensor]:
        """Return the row of the float32 network on clean images, and its logits `[N, K]`."""
        recorder = LogitRecorder(self.evaluator.network)
        row = replace(self.evaluator, network=recorder).row(Condition(), seen)
        return row, recorder.logits

    def row(
        self,
        variant: Variant,
        built: BuiltNetwork,
        reference: Tensor,
        *,
        kept_layers: Sequence[str] = (),
        seen: Callable[[int], object] = lambda images: None,
    ) -> Row:
        """Evaluate a variant; its latency is added by `with_latency`.

        Args:
            variant: The variant.
            built: The variant as it was built.
            reference: Logits `[N, K]` in float32.
            kept_layers: Names of the modules that stay in float.
            seen: Called with the number of images of each batch.
        """
        recorder = LogitRecorder(built.network)
        row = replace(self.evaluator, network=recorder).row(Condition(), seen)
        return evaluation_row(
            self.identity(variant),
            {name: row[name] for name in Scores.__annotations__},
            row["id"],
            kept_layers=list(kept_layers),
            agreement=agreement(recorder.logits, reference),
            snr_db=median_snr(recorder.logits, reference),
            file_bytes=built.file_bytes,
            latency=None,
        )

    def with_latency(
        self, row: Row, timings: Sequence[Timing], eager: Sequence[Timing], timed_at: str
    ) -> Row:
        """Return the row with its latency at each batch size.

        Args:
            row: Row of a variant.
            timings: Timing at each batch size.
            eager: Timings of PyTorch's eager mode in the same rounds.
            timed_at: Timestamp of the measurement.
        """
        latency = {
            f"{timing.batch}": {
                **timing.as_row(reference),
                "freed_memory_kept": self.freed_memory_kept,
                "processor": self.processor,
                "timed": timed_at,
            }
            for timing, reference in zip(timings, eager, strict=True)
        }
        return {**row, "latency": latency}

    def is_timed(self, row: Mapping[str, Any], runs: int) -> bool:
        """Return whether a row has enough timed runs on this processor, with this allocator."""
        latency = row["latency"] or {}
        here = (self.freed_memory_kept, self.processor)
        return {f"{batch}" for batch in BATCHES} == set(latency) and all(
            timing["runs"] >= runs and (timing["freed_memory_kept"], timing["processor"]) == here
            for timing in latency.values()
        )
