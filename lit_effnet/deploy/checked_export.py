"""Write a file under a temporary name, compare its logits with the network's, then rename it."""

import inspect
import json
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lit_effnet.data import prepare
from lit_effnet.deploy.base import Conversion
from lit_effnet.deploy.calibration_images import CalibrationImages
from lit_effnet.deploy.export_files import digests, metadata_file, preparation_file
from lit_effnet.deploy.export_spec import ExportSpec
from lit_effnet.deploy.exported_program import INPUT, OUTPUT
from lit_effnet.deploy.isolated_run import run_isolated
from lit_effnet.deploy.layers import distinct_choices, float_modules, parts_of
from lit_effnet.deploy.onnxruntime import add_metadata
from lit_effnet.deploy.packages import ConversionError, versions
from lit_effnet.deploy.parity import ParityError, compare, eager_logits
from lit_effnet.runs.files import scratch_folder


def write_checked(
    spec: ExportSpec,
    network: nn.Module,
    images: Tensor,
    *,
    labels: Tensor | None,
    calibration: CalibrationImages | None,
    description: Mapping[str, Any],
) -> dict[str, Any]:
    """Write a network, compare it, and give the file its name.

    Args:
        spec: The file.
        network: In evaluation mode, on the CPU.
        images: Images of the comparison, `float32 [N, 3, H, W]`, prepared for the network.
        labels: `int64 [N]`; None where none are known.
        calibration: Calibration images; needed for int8 only.
        description: Further entries of the metadata: preprocessing, classes, source.

    Returns:
        The file's metadata.

    Raises:
        ParityError: Its logits differ too much; no file is left.
        ConversionError: The converter or the runtime failed; no file is left.
        OSError: The folder cannot be written.
    """
    spec.file.parent.mkdir(parents=True, exist_ok=True)
    reference = eager_logits(network, images)
    metadata = {**_metadata(spec, images, reference, calibration), **description}
    with scratch_folder(spec.file) as folder:
        part = folder / spec.file.name
        _convert(spec, network, images.shape[-1], part, calibration)
        if spec.format == "onnx":
            add_metadata(part, metadata)
        # The process that runs the file reads its precision from here.
        metadata_file(part).write_text(json.dumps(metadata))
        logits, cost = run_isolated(part, spec.runtime, images, spec.threads)
        parity = compare(reference, logits, labels)
        if failures := parity.failures(spec.tolerance):
            raise ParityError(
                f"output {spec.file}: not written: on {len(images)} images its logits differ from "
                f"the network's: {', '.join(failures)}{_advice(spec, network)}"
            )
        parts = sorted(folder.iterdir())
        size = sum(piece.stat().st_size for piece in parts if piece != metadata_file(part))
        metadata |= {
            "sha256": digests(part, parts),
            "parity": {**asdict(parity), "tolerance": asdict(spec.tolerance)},
            "cost": {"file_bytes": size, **asdict(cost)},
        }
        text = json.dumps(metadata, indent=2, allow_nan=False) + "\n"
        metadata_file(part).write_text(text, encoding="utf-8")
        # Prepares images exactly as the project does, for users who do not have the project.
        preparation_file(part).write_text(inspect.getsource(prepare), encoding="utf-8")
        parts = sorted(folder.iterdir())
        for piece in parts:
            piece.chmod(0o644)
        # The network comes last: where it exists, the other files do.
        for piece in (*(other for other in parts if other != part), part):
            piece.replace(spec.file.with_name(piece.name))
    return metadata


def _convert(
    spec: ExportSpec,
    network: nn.Module,
    image_size: int,
    part: Path,
    calibration: CalibrationImages | None,
) -> None:
    conversion = Conversion(
        precision=spec.precision,
        calibration=None if calibration is None else torch.cat(calibration.batches),
        method=spec.method,
        keep_float=float_modules(spec.keep_float, network),
    )
    write = spec.runtime.write
    assert write is not None
    try:
        write(network, image_size, part, conversion)
    except (ConversionError, OSError):
        raise
    except Exception as error:  # each converter has its own exceptions
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ConversionError(f"format {spec.format}: cannot hold it ({reason})") from error


def _advice(spec: ExportSpec, network: nn.Module) -> str:
    """Return the advice to keep more parts in float; empty where there are none."""
    if spec.precision != "int8":
        return ""
    all_parts = "+".join(spec.runtime.keep_float)
    now, more = (
        distinct_choices([choice], parts_of(network))[0] for choice in (spec.keep_float, all_parts)
    )
    return f"; keep more in float: --keep_float {more}" if more != now else ""


def _metadata(
    spec: ExportSpec, images: Tensor, logits: Tensor, calibration: CalibrationImages | None
) -> dict[str, Any]:
    runtime = spec.runtime
    batch = "any" if runtime.any_batch else 1
    python = runtime.python(runtime.writers)
    quantizer = (runtime.quantizer, *runtime.int8_packages) if calibration else ()
    return {
        "format": spec.format,
        "precision": spec.precision,
        "calibration": _calibration(spec, calibration) if calibration else None,
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
            **versions(runtime.writers, python),
            **versions((runtime.runner,), runtime.python((runtime.runner,))),
            **versions(quantizer, python),
        },
    }


def _calibration(spec: ExportSpec, calibration: CalibrationImages) -> dict[str, Any]:
    runtime = spec.runtime
    return {
        "quantizer": runtime.quantizer,
        **asdict(calibration.source),
        "method": spec.method or next(iter(runtime.methods), f"{runtime.quantizer}'s own"),
        "kept": spec.keep_float,
    }
