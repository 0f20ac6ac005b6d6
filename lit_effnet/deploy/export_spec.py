"""Options of one exported file."""

from dataclasses import dataclass, field, replace
from math import inf
from pathlib import Path
from typing import Any

from lit_effnet.deploy.base import Precision
from lit_effnet.deploy.calibration_flags import CalibrationSpec, calibration_spec
from lit_effnet.deploy.layers import NOTHING, split_parts
from lit_effnet.deploy.packages import missing
from lit_effnet.deploy.parity import TOLERANCES, Tolerance
from lit_effnet.deploy.registry import EXTRA, Runtime, by_format

INT8_EXTRA = EXTRA.replace("export", "int8")


@dataclass(frozen=True, kw_only=True)
class ExportSpec:
    """One file to write.

    Args:
        file: The file.
        format: A format of the registry.
        precision: Precision of weights, and for int8 of activations too.
        images: Number of images of the parity check.
        split: Split of these images.
        calibration: Calibration images of int8.
        method: Calibration method; None for the runtime's default.
        keep_float: Parts that int8 leaves in float: `nothing`, or `se` and `silu` joined by `+`.
        agreement: Minimum top-1 agreement; None for the precision's default.
        relative_error: Maximum relative error; None for the precision's default.
        threads: Number of threads of the parity check.
    """

    file: Path
    format: str
    precision: Precision = "float32"
    images: int = 64
    split: str = "validation"
    calibration: CalibrationSpec = field(default_factory=CalibrationSpec)
    method: str | None = None
    keep_float: str = NOTHING
    agreement: float | None = None
    relative_error: float | None = None
    threads: int = 1

    @classmethod
    def of_flags(cls, config: Any, file: Path) -> "ExportSpec":
        """Return the spec that a command's flags ask for.

        Raises:
            ValueError: The calibration images are not possible.
        """
        names = ("format", "precision", "images", "split", "method", "keep_float")
        flags = {name: getattr(config, name) for name in (*names, "agreement", "relative_error")}
        return cls(file=file, calibration=calibration_spec(config), **flags)

    @property
    def runtime(self) -> Runtime:
        """The runtime of the format."""
        return by_format()[self.format]

    @property
    def tolerance(self) -> Tolerance:
        """The limits of the parity check."""
        limits = {"agreement": self.agreement, "relative_error": self.relative_error}
        given: dict[str, Any] = {name: v for name, v in limits.items() if v is not None}
        return replace(TOLERANCES[self.precision], **given)

    def check(self) -> None:
        """Check everything that is known before the network is built.

        Raises:
            ValueError: A value, or a combination of them, is not possible; or a package is missing.
        """
        runtime = self.runtime
        if self.file.suffix != runtime.suffix:
            raise ValueError(f"output {self.file}: must end in {runtime.suffix}")
        if self.precision not in runtime.precisions:
            known = " or ".join(runtime.precisions)
            raise ValueError(f"precision {self.precision}: {self.format} is written in {known}")
        for packages in (runtime.writers, (runtime.runner,)):
            runtime.python(packages)
        self._check_int8(runtime)
        if self.images < 1:
            raise ValueError(f"images {self.images}: must be at least 1")
        # Neither comparison lets NaN pass.
        if self.agreement is not None and not 0 <= self.agreement <= 1:
            raise ValueError(f"agreement {self.agreement:g}: must be from 0 to 1")
        if self.relative_error is not None and not 0 < self.relative_error < inf:
            raise ValueError(f"relative_error {self.relative_error:g}: must be above 0, and finite")

    def _check_int8(self, runtime: Runtime) -> None:
        if self.precision == "int8" and (absent := missing(runtime.int8_packages)):
            names = ", ".join(absent)
            raise ValueError(f"precision int8: {self.format} needs {names}; {INT8_EXTRA}")
        for name, value in (("keep_float", self.keep_float), ("method", self.method)):
            if self.precision != "int8" and value not in (NOTHING, None):
                raise ValueError(f"{name} {value}: is for int8, not for {self.precision}")
        parts = split_parts(self.keep_float)
        if unknown := [word for word in parts if word not in runtime.keep_float]:
            raise ValueError(
                f"keep_float {self.keep_float}: {runtime.title} never quantizes "
                f"{' and '.join(unknown)}; {self.format} takes {NOTHING} or "
                f"{'+'.join(runtime.keep_float)}"
            )
        if self.method is not None and self.method not in runtime.methods:
            if not runtime.methods:
                raise ValueError(f"method {self.method}: {self.format} offers no choice")
            known = ", ".join(runtime.methods)
            raise ValueError(f"method {self.method}: must be {known} for {self.format}")
