"""An export that has its name only when its logits are those of the network."""

import inspect
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lit_effnet.data import prepare
from lit_effnet.deploy.calibration import Calibration
from lit_effnet.deploy.formats import FORMATS, Precision, beside, digests, preparation
from lit_effnet.deploy.layers import NOTHING, choices, kept_modules
from lit_effnet.deploy.packages import ConversionError, versions
from lit_effnet.deploy.parity import TOLERANCES, ParityError, Tolerance, compare, eager_logits
from lit_effnet.deploy.program import INPUT, OUTPUT
from lit_effnet.deploy.running import run_apart
from lit_effnet.runs.files import scratch_folder


@dataclass(frozen=True)
class Export:
    """What is written, and how.

    Args:
        file: Where it goes in the end.
        format: A name of `FORMATS`.
        precision: Of weights, and in int8 of activations too.
        calibration: Images `float32 [N, 3, H, W]` for int8, none of them among those compared.
        calibrated_on: What those images are; null where nobody needs to know.
        method: How int8 finds ranges of activations; null for the format's usual way.
        kept: What stays in float in int8: `nothing`, or words joined by `+`.
        tolerance: What still passes; null for the precision's own.
        threads: Threads that the file is run with.
    """

    file: Path
    format: str
    precision: Precision = "float32"
    calibration: Tensor | None = None
    calibrated_on: Calibration | None = None
    method: str | None = None
    kept: str = NOTHING
    tolerance: Tolerance | None = None
    threads: int = 1

    def __post_init__(self) -> None:
        FORMATS[self.format].check(self.file, self.precision)
        FORMATS[self.format].check_int8(self.precision, self.kept, self.method)
        if self.precision == "int8" and self.calibration is None:
            raise ValueError("calibration null: int8 needs images to be calibrated with")

    def write(
        self,
        network: nn.Module,
        images: Tensor,
        labels: Tensor | None,
        description: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Write the network, compare it, give it its name; what its JSON tells.

        Args:
            network: In evaluation mode, on the CPU.
            images: `float32 [N, 3, H, W]`, prepared for the network.
            labels: `int64 [N]`; null where none are known.
            description: What the file is to tell besides: preprocessing, classes, source.

        Raises:
            ParityError: its logits are not near enough; no file is left.
            ConversionError: the converter or the runtime failed; no file is left.
            OSError: the folder cannot be written.
        """
        self.file.parent.mkdir(parents=True, exist_ok=True)
        eager = eager_logits(network, images)
        told = {**self._told(images, eager), **description}
        with scratch_folder(self.file) as folder:
            part = folder / self.file.name
            self._convert(network, images.shape[-1], part)
            if self.format == "onnx":
                FORMATS[self.format].module.describe(part, told)
            # What its process reads of the file's precision.
            beside(part).write_text(json.dumps(told))
            exported, cost = run_apart(part, FORMATS[self.format], images, self.threads)
            parity = compare(eager, exported, labels)
            tolerance = self.tolerance or TOLERANCES[self.precision]
            if failures := parity.failures(tolerance):
                raise ParityError(
                    f"output {self.file}: not written: on {len(images)} images its logits are not "
                    f"the network's: {', '.join(failures)}{self._advice(network)}"
                )
            parts = sorted(folder.iterdir())
            size = sum(piece.stat().st_size for piece in parts if piece != beside(part))
            told |= {
                "sha256": digests(part, parts),
                "parity": {**asdict(parity), "tolerance": asdict(tolerance)},
                "cost": {"file_bytes": size, **asdict(cost)},
            }
            text = json.dumps(told, indent=2, allow_nan=False) + "\n"
            beside(part).write_text(text, encoding="utf-8")
            # Images as the network has seen them, for those who have nothing of this project.
            preparation(part).write_text(inspect.getsource(prepare), encoding="utf-8")
            parts = sorted(folder.iterdir())
            for piece in parts:
                piece.chmod(0o644)
            # The file that is looked for comes last: where it is, the others are.
            for piece in (*(other for other in parts if other != part), part):
                piece.replace(self.file.with_name(piece.name))
        return told

    def _advice(self, network: nn.Module) -> str:
        if self.precision != "int8":
            return ""
        all_words = "+".join(FORMATS[self.format].keeps)
        now, more = (choices([kept], network)[0] for kept in (self.kept, all_words))
        return f"; keep more in float: --kept {more}" if more != now else ""

    def _told(self, images: Tensor, logits: Tensor) -> dict[str, Any]:
        format_ = FORMATS[self.format]
        batch = "any" if format_.any_batch else 1
        return {
            "format": self.format,
            "precision": self.precision,
            "calibration": self._calibration() if self.precision == "int8" else None,
            "input": {
                "name": INPUT,
                "layout": "NCHW",
                "channels": "RGB",
                "dtype": "float32",
                "shape": [batch, *images.shape[1:]],
            },
            "output": {
                "name": OUTPUT,
                "layout": "NK",
                "dtype": "float32",
                "shape": [batch, logits.shape[1]],
            },
            "versions": {
                "torch": version("torch"),
                **versions(format_.makers, format_.python(format_.makers)),
                **versions((format_.runner,), format_.python((format_.runner,))),
                **self._quantizer_versions(),
            },
        }

    def _calibration(self) -> dict[str, Any]:
        format_ = FORMATS[self.format]
        assert self.calibration is not None
        unknown = dict.fromkeys(("data", "fingerprint", "seed", "outliers"))
        unknown["images"] = len(self.calibration)
        return {
            "quantizer": format_.quantizer,
            **(asdict(self.calibrated_on) if self.calibrated_on else unknown),
            "method": self.method or next(iter(format_.methods), f"{format_.quantizer}'s own"),
            "kept": self.kept,
        }

    def _quantizer_versions(self) -> dict[str, str]:
        format_ = FORMATS[self.format]
        if self.precision != "int8":
            return {}
        # In the Python of its makers, or in this one with what it needs besides.
        python = format_.python(format_.makers)
        return versions((format_.quantizer, *format_.quantizers), python)

    def _convert(self, network: nn.Module, image_size: int, part: Path) -> None:
        write = FORMATS[self.format].module.write
        # A program's own quantiser has no choice of methods.
        method = {} if self.method is None else {"method": self.method}
        try:
            write(
                network,
                image_size,
                part,
                precision=self.precision,
                calibration=self.calibration,
                **method,
                kept=kept_modules(self.kept, network),
            )
        except (ConversionError, OSError):
            raise
        except Exception as error:  # each converter has errors of its own
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise ConversionError(f"format {self.format}: cannot hold it ({reason})") from error
