"""The formats: what writes each, what runs it, and what it can hold."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from lit_effnet.deploy.backends import find_backend
from lit_effnet.deploy.layers import NOTHING, words_of
from lit_effnet.deploy.packages import interpreter, missing
from lit_effnet.deploy.runtime import Runtime
from lit_effnet.runs.documents import read_json

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
        quantizer: The package that quantises it.
        quantizers: Packages that it needs besides for int8.
        backend: The backend of `quantize` that quantises it; null where its program has a
            quantiser of its own.
        keeps: What it can leave in float in int8.
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
    quantizer: str = ""
    quantizers: tuple[str, ...] = ()
    backend: str | None = None
    keeps: tuple[str, ...] = ("se", "silu")
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

    def check_int8(self, precision: str, kept: str, method: str | None) -> None:
        """Look at what is asked of int8 alone.

        Raises:
            ValueError: the precision is another, or the format has no such choice.
        """
        for name, value in (("kept", kept), ("method", method)):
            if precision != "int8" and value not in (NOTHING, None):
                raise ValueError(f"{name} {value}: is for int8, not for {precision}")
        if unknown := [word for word in words_of(kept) if word not in self.keeps]:
            raise ValueError(
                f"kept {kept}: {self.program} quantises nothing that {' and '.join(unknown)} would "
                f"keep; {self.name} takes {NOTHING} or {'+'.join(self.keeps)}"
            )
        if method is not None and method not in self.methods:
            if not self.methods:
                raise ValueError(f"method {method}: {self.name} has one of its own, and no other")
            raise ValueError(f"method {method}: must be {', '.join(self.methods)} for {self.name}")

    @property
    def methods(self) -> tuple[str, ...]:
        """How ranges of activations can be found, the usual one first; empty for one of its own."""
        return find_backend(self.backend).methods if self.backend else ()

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
        return import_module(f"lit_effnet.deploy.{self.name}")


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
            quantizer="onnxruntime",
            backend="onnxruntime",
        ),
        Format(
            "openvino",
            ".xml",
            "OpenVINO",
            ("openvino",),
            "openvino",
            any_batch=True,
            precisions=("float32", "int8"),
            quantizer="nncf",
            quantizers=("nncf", "onnx", "onnxscript"),
            backend="openvino_mixed",
        ),
        Format(
            "executorch",
            ".pte",
            "ExecuTorch XNNPACK",
            ("executorch", "torchao"),
            "executorch",
            any_batch=False,
            precisions=("float32", "int8"),
            quantizer="torchao",
            keeps=("se",),  # XNNPACK's quantiser never touches SiLU
        ),
        Format(
            "litert",
            ".tflite",
            "LiteRT",
            ("litert-torch", "ai-edge-quantizer"),
            "ai-edge-litert",
            any_batch=False,
            precisions=("float32", "float16", "int8"),
            quantizer="ai-edge-quantizer",
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
        ValueError: another ending, no such file, its package is not installed, or it is damaged.
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
    try:
        told = read_json(beside(file)) if beside(file).exists() else {}
        check_digests(file, told.get("sha256", {}))
        name = f"{found.program} {told.get('precision', '')}".strip()
        loaded: Runtime = found.module.Loaded(file, threads, name)
    except Exception as error:  # each program has errors of its own
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ValueError(f"file {file}: cannot be run ({reason})") from error
    return loaded


def digests(file: Path, parts: Iterable[Path]) -> dict[str, str]:
    """SHA-256 of the parts of an exported file, by their endings: people rename files."""
    return {
        part.name.removeprefix(file.stem): hashlib.sha256(part.read_bytes()).hexdigest()
        for part in parts
        if part != beside(file)
    }


def check_digests(file: Path, expected: Mapping[str, str]) -> None:
    """Raise ValueError where an exported file is not as it was written."""
    for ending, digest in expected.items():
        part = file.with_name(file.stem + ending)
        if digests(file, [part]) != {ending: digest}:
            raise ValueError(
                f"{part.name} is damaged: its digest is not that in {beside(file).name}"
            )


def beside(file: Path) -> Path:
    """The JSON that describes an exported file."""
    return file.with_name(f"{file.name}.json")


def preparation(file: Path) -> Path:
    """Return the Python file that prepares images for an exported file."""
    return file.with_name(f"{file.name}.py")
