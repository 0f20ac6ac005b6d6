"""The formats: what writes each, what runs it, and what it can hold."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from lit_effnet.evaluation.exporting.packages import interpreter, missing
from lit_effnet.evaluation.runtime import Runtime

Precision = Literal["float32", "float16", "int8"]

EXTRA = 'pip install ".[export]" in the project\'s folder brings it'
QUANTIZER_EXTRA = EXTRA.replace("export", "int8")


@dataclass(frozen=True)
class Format:
    """One format.

    Args:
        name: On the command line, and of the module that writes and runs it.
        suffix: Ending of its files.
        program: What runs them.
        makers: Packages that write it.
        runner: Package that runs it.
        any_batch: Whether a file takes any number of images at once, or one.
        precisions: What it can be written in.
        install: How its packages are brought.
        quantizers: Packages that it needs besides for int8.
        mobile: Whether the Python of `make mobile` has them.
    """

    name: str
    suffix: str
    program: str
    makers: tuple[str, ...]
    runner: str
    any_batch: bool
    precisions: tuple[Precision, ...] = ("float32",)
    install: str = EXTRA
    quantizers: tuple[str, ...] = ()
    mobile: bool = False

    def check(self, file: Path, precision: str) -> None:
        """Look at all that can be known before the network is built.

        Raises:
            ValueError: the ending, the precision or the packages do not fit.
        """
        if file.suffix != self.suffix:
            raise ValueError(f"output {file}: must end in {self.suffix}")
        if precision not in self.precisions:
            known = " or ".join(self.precisions)
            raise ValueError(f"precision {precision}: {self.name} is written in {known}")
        for packages in (self.makers, (self.runner,)):
            self.python(packages)
        if precision == "int8" and (absent := missing(self.quantizers)):
            raise ValueError(
                f"precision int8: {self.name} needs {', '.join(absent)}; {QUANTIZER_EXTRA}"
            )

    def python(self, packages: Iterable[str]) -> str:
        """The Python that has some of the format's packages.

        Raises:
            ValueError: none has; says what brings them.
        """
        found = interpreter(packages, mobile=self.mobile)
        if found is None:
            names = ", ".join(missing(packages))
            raise ValueError(f"format {self.name}: needs {names}; {self.install}")
        return found

    @property
    def module(self) -> Any:
        """The module with its `write` and `Loaded`."""
        return import_module(f"lit_effnet.evaluation.exporting.{self.name}")


FORMATS: Mapping[str, Format] = {
    row.name: row
    for row in (
        Format(
            "onnx",
            ".onnx",
            "ONNX Runtime",
            ("onnx", "onnxscript"),
            "onnxruntime",
            any_batch=True,
            precisions=("float32", "int8"),
        ),
        Format(
            "openvino",
            ".xml",
            "OpenVINO",
            ("openvino",),
            "openvino",
            any_batch=True,
            precisions=("float32", "int8"),
            quantizers=("nncf", "onnx", "onnxscript"),
        ),
        Format(
            "executorch",
            ".pte",
            "ExecuTorch XNNPACK",
            ("executorch", "torchao"),
            "executorch",
            any_batch=False,
            precisions=("float32", "int8"),
        ),
        Format(
            "litert",
            ".tflite",
            "LiteRT",
            ("litert-torch", "ai-edge-quantizer"),
            "ai-edge-litert",
            any_batch=False,
            precisions=("float32", "float16", "int8"),
            install="make mobile builds the environment that has it",
            mobile=True,
        ),
    )
}


def load(file: Path, threads: int = 1) -> Runtime:
    """What runs a file, by its ending.

    Args:
        file: `.onnx`, `.xml` with its `.bin`, `.pte` or `.tflite`.
        threads: Threads that it uses.

    Raises:
        ValueError: another ending, no such file, or its package is not installed.
    """
    file = Path(file)
    found = {row.suffix: row for row in FORMATS.values()}.get(file.suffix)
    if found is None:
        known = ", ".join(row.suffix for row in FORMATS.values())
        raise ValueError(f"file {file}: must end in one of {known}")
    if not file.is_file():
        raise ValueError(f"file {file}: no such file")
    if missing([found.runner]):
        raise ValueError(f"file {file}: needs {found.runner}; {found.install}")
    described = beside(file)
    precision = json.loads(described.read_text())["precision"] if described.exists() else ""
    loaded: Runtime = found.module.Loaded(file, threads, f"{found.program} {precision}".strip())
    return loaded


def beside(file: Path) -> Path:
    """The JSON that describes an exported file."""
    return file.with_name(f"{file.name}.json")
