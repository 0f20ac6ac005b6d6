"""Variants of one network, in INT8 and in float32, each with the row that is kept of it."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from torch import Tensor

from lit_effnet.deploy.agreement import LogitRecorder, agreement, median_snr
from lit_effnet.deploy.backends import Built, find_backend
from lit_effnet.deploy.calibration import Calibration
from lit_effnet.deploy.layers import NOTHING, merged, words_of
from lit_effnet.deploy.timing import BATCHES, Timing
from lit_effnet.evaluation.conditions import Condition
from lit_effnet.evaluation.evaluator import Evaluator

# Counts the changes of what a variant means that nothing else in its identity tells: which graph is
# quantised, which settings of a quantiser are not told by a name. Whoever makes one adds one here,
# and rows of before are no longer taken for those of now.
METHOD = 1

INT8, EAGER = "int8", "eager"
EAGER_PROGRAM = "PyTorch eager"

Row = dict[str, Any]


@dataclass(frozen=True)
class Variant:
    """A network as one program runs it.

    Args:
        backend: Name of the backend, or `eager`.
        method: How ranges are found; null for a network that is not in INT8.
        kept: What stays in float; null for a network that is not in INT8.
        floats: Precision of what is not in INT8.
    """

    backend: str
    method: str | None = None
    kept: str | None = None
    floats: str = "float32"

    @property
    def program(self) -> str:
        """What runs it."""
        return EAGER_PROGRAM if self.backend == EAGER else find_backend(self.backend).program

    @property
    def keeps_worst(self) -> bool:
        """Whether the most sensitive layers stay in float."""
        return "worst" in words_of(self.kept or NOTHING)

    @property
    def versions(self) -> dict[str, str]:
        """Of the packages that it is built and run by."""
        needed = () if self.backend == EAGER else find_backend(self.backend).needs
        return {package: version(package) for package in ("torch", *needed)}

    @property
    def precision(self) -> str:
        """`int8`, or that of all there is in it."""
        return INT8 if self.method else self.floats

    @property
    def built_by(self) -> str:
        """The backend as a row names it: in float a program's presets are one and the same."""
        if self.backend == EAGER or self.method:
            return self.backend
        return find_backend(self.backend).in_float_named or self.backend

    @property
    def condition(self) -> str:
        """As a row names it."""
        return INT8 if self.method else f"{self.floats} by {self.program}"

    @property
    def label(self) -> str:
        """As a line names it."""
        return " ".join(filter(None, (self.backend, self.method, self.kept))) + (
            "" if self.method else f" {self.floats}"
        )


@dataclass(frozen=True)
class Study:
    """Gives variants their identity and their rows.

    Args:
        evaluator: Of the float32 network.
        calibration: On what INT8 is calibrated.
        worst: How many layers `worst` keeps in float, gates not among them.
        freed_memory_kept: Whether the C library keeps freed memory, which makes PyTorch faster.
        processor: Name of the one on which variants are timed.
    """

    evaluator: Evaluator
    calibration: Calibration
    worst: int
    freed_memory_kept: bool
    processor: str

    def identity(self, variant: Variant) -> Row:
        """All that a row of the variant depends on, in the schema of every evaluation."""
        int8: Row = {}
        if variant.method:
            int8 = {
                "method": variant.method,
                "kept": variant.kept,
                "worst": self.worst if variant.keeps_worst else None,
                "images": self.calibration.images,
                "seed": self.calibration.seed,
                "outliers": self.calibration.outliers,
                "calibrated_on": self.calibration.data,
                "calibrated_on_fingerprint": self.calibration.fingerprint,
            }
        told = {"backend": variant.built_by, "precision": variant.precision, **int8}
        return {
            **self.evaluator.identity(Condition()),
            "condition": variant.condition,
            "parameters": told,
            "method_number": METHOD,
            "versions": variant.versions,
        }

    def id(self, variant: Variant) -> str:
        """Twelve hexadecimal digits that follow from the identity."""
        text = json.dumps(self.identity(variant), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def clean(self, seen: Callable[[int], object] = lambda images: None) -> tuple[Row, Tensor]:
        """The row of the float32 network on clean images, and its logits `[N, K]`."""
        heard = LogitRecorder(self.evaluator.network)
        row = replace(self.evaluator, network=heard).row(Condition(), seen)
        return row, heard.logits

    def row(
        self,
        variant: Variant,
        built: Built,
        reference: Tensor,
        kept_layers: Sequence[str] = (),
        seen: Callable[[int], object] = lambda images: None,
    ) -> Row:
        """What the variant gives on the split; what it takes is added by `timed`.

        Args:
            variant: Which.
            built: What it was built to.
            reference: Logits `[N, K]` in float32.
            kept_layers: Names of the modules that stay in float.
            seen: Is told the number of images of each batch.
        """
        heard = LogitRecorder(built.runtime)
        row = replace(self.evaluator, network=heard).row(Condition(), seen)
        return {
            **row,
            "id": self.id(variant),
            **self.identity(variant),
            "clean": row["id"],
            "kept_layers": list(kept_layers),
            "agreement": agreement(heard.logits, reference),
            "snr_db": median_snr(heard.logits, reference),
            "file_bytes": built.file_bytes,
            "latency": None,
        }

    def timed(
        self, row: Row, timings: Sequence[Timing], eager: Sequence[Timing], when: str = ""
    ) -> Row:
        """The row with its time, and that of PyTorch's eager mode over it, at each batch size.

        Args:
            row: Of a variant.
            timings: At each size of a batch.
            eager: Of the rounds in which the variant took turns.
            when: Tells the rows that took turns from those of other rounds.
        """
        latency = {
            f"{timing.batch}": {
                **timing.as_row(reference),
                "freed_memory_kept": self.freed_memory_kept,
                "processor": self.processor,
                "timed": when,
            }
            for timing, reference in zip(timings, eager, strict=True)
        }
        return {**row, "latency": latency}

    def is_timed(self, row: Mapping[str, Any], runs: int) -> bool:
        """Whether a row has its time as it is asked for: here, so, and over rounds enough."""
        latency = row["latency"] or {}
        asked = (self.freed_memory_kept, self.processor)
        return {f"{batch}" for batch in BATCHES} == set(latency) and all(
            timing["runs"] >= runs and (timing["freed_memory_kept"], timing["processor"]) == asked
            for timing in latency.values()
        )


def variants(
    backends: Sequence[str], methods: Sequence[str] | None, kept: Sequence[str]
) -> Iterator[Variant]:
    """Eager mode; then what each backend runs unquantised, and every INT8 that it can do.

    Args:
        backends: Names of backends.
        methods: How ranges are found; those that a backend lacks are left out of it, and null
            is the usual one of each.
        kept: What stays in float.

    Raises:
        ValueError: a method that none of the backends has.
    """
    found = [find_backend(name) for name in backends]
    known = list(dict.fromkeys(method for backend in found for method in backend.methods))
    for method in methods or ():
        if method not in known:
            raise ValueError(f"methods {method!r}: must be among {', '.join(known)}")
    yield Variant(EAGER)
    programs: set[str] = set()
    for backend in found:
        if backend.program not in programs:
            yield from (Variant(backend.name, floats=floats) for floats in backend.floats_here())
        programs.add(backend.program)
        wanted = backend.methods[:1] if methods is None else methods
        for method in wanted:
            if method in backend.methods:
                words = merged(kept, backend.keeps)
                yield from (Variant(backend.name, method, word) for word in words)
