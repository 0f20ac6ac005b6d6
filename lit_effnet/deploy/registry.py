"""The runtimes: one row for each says what writes, runs and quantizes its networks."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from torch import nn

from lit_effnet.deploy import executorch, litert, onnxruntime, openvino, torchao
from lit_effnet.deploy.base import Conversion, Precision, Quantizer, RuntimeModule
from lit_effnet.deploy.export_files import check_digests, metadata_file
from lit_effnet.deploy.packages import find_python, missing
from lit_effnet.runs.documents import read_json

EXTRA = 'pip install ".[export]" in the project\'s folder brings it'


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """One runtime.

    Args:
        name: Its name in rows, and the name of its module.
        title: Its name in tables.
        runner: Package that runs its networks.
        format: Its format in `export --format`; empty for a runtime without files.
        suffix: Ending of its files.
        writers: Packages that write its files.
        write: Writes a network: network, image size, file, conversion.
        load: Loads a file: file, threads, name.
        any_batch: Whether a file takes batches of any size, or single images.
        precisions: Precisions of its files.
        quantizer: Package that quantizes.
        int8_packages: Packages that INT8 needs besides `writers`.
        quantizers: Quantizers by their name in `quantize --backends`; `export` uses the first.
        methods: Calibration methods, the default first; empty where there is no choice.
        keep_float: Parts that can stay in float in INT8.
        float_precisions: Returns the float precisions in which `quantize` runs a network.
        mobile: Whether `make mobile` installs its packages.
    """

    name: str
    title: str
    runner: str
    format: str = ""
    suffix: str = ""
    writers: tuple[str, ...] = ()
    write: Callable[[nn.Module, int, Path, Conversion], None] | None = None
    load: Callable[[Path, int, str], RuntimeModule] | None = None
    any_batch: bool = False
    precisions: tuple[Precision, ...] = ("float32", "int8")
    quantizer: str = ""
    int8_packages: tuple[str, ...] = ()
    quantizers: Mapping[str, type[Quantizer]] = field(default_factory=dict)
    methods: tuple[str, ...] = ()
    keep_float: tuple[str, ...] = ("se", "silu")
    float_precisions: Callable[[], tuple[str, ...]] = lambda: ("float32",)
    mobile: bool = False

    @property
    def packages(self) -> tuple[str, ...]:
        """Packages that `quantize` needs."""
        return tuple(dict.fromkeys((self.runner, *self.int8_packages, *self.writers)))

    def python(self, packages: Iterable[str]) -> str:
        """Return the Python that has some of the runtime's packages.

        Raises:
            ValueError: None has them; the message says how to install them.
        """
        python = find_python(packages, mobile=self.mobile)
        if python is None:
            names = ", ".join(missing(packages))
            raise ValueError(f"format {self.format}: needs {names}; {self.install}")
        return python

    @property
    def install(self) -> str:
        """How to install its packages."""
        return "make mobile builds the environment that has it" if self.mobile else EXTRA


RUNTIMES = {
    row.name: row
    for row in (
        Runtime(
            name="onnxruntime",
            title="ONNX Runtime",
            runner="onnxruntime",
            format="onnx",
            suffix=".onnx",
            writers=("onnx", "onnxscript"),
            write=onnxruntime.write,
            load=onnxruntime.OnnxNetwork,
            any_batch=True,
            quantizer="onnxruntime",
            quantizers={"onnxruntime": onnxruntime.OnnxRuntimeQuantizer},
            methods=tuple(onnxruntime.METHODS),
        ),
        Runtime(
            name="openvino",
            title="OpenVINO",
            runner="openvino",
            format="openvino",
            suffix=".xml",
            writers=("openvino",),
            write=openvino.write,
            load=openvino.OpenVinoNetwork,
            any_batch=True,
            quantizer="nncf",
            int8_packages=("nncf", "onnx", "onnxscript"),
            quantizers={
                "openvino_mixed": openvino.MixedQuantizer,
                "openvino_performance": openvino.PerformanceQuantizer,
            },
            methods=tuple(openvino.METHODS),
            float_precisions=openvino.float_precisions,
        ),
        Runtime(
            name="executorch",
            title="ExecuTorch XNNPACK",
            runner="executorch",
            format="executorch",
            suffix=".pte",
            writers=("executorch", "torchao"),
            write=executorch.write,
            load=executorch.ExecuTorchNetwork,
            quantizer="torchao",
            keep_float=("se",),  # XNNPACK's quantizer leaves SiLU in float anyway
        ),
        Runtime(
            name="litert",
            title="LiteRT",
            runner="ai-edge-litert",
            format="litert",
            suffix=".tflite",
            writers=litert.WRITERS,
            write=litert.write,
            load=litert.LiteRtNetwork,
            precisions=("float32", "float16", "int8"),
            quantizer="ai-edge-quantizer",
            mobile=True,
        ),
        Runtime(
            name="torchao",
            title="torch inductor",
            runner="torch",
            quantizer="torchao",
            int8_packages=("torchao",),
            quantizers={"torchao": torchao.TorchAoQuantizer},
            methods=torchao.METHODS,
            keep_float=("se",),  # its quantizer leaves SiLU in float anyway
        ),
    )
}
"""All runtimes by name."""


def by_format() -> dict[str, Runtime]:
    """Return the runtimes that have files, by format."""
    return {row.format: row for row in RUNTIMES.values() if row.format}


def by_suffix(file: Path) -> Runtime:
    """Return the runtime of a file.

    Raises:
        ValueError: No runtime uses this file suffix.
    """
    runtimes = {row.suffix: row for row in RUNTIMES.values() if row.suffix}
    if file.suffix not in runtimes:
        raise ValueError(f"file {file}: must end in one of {', '.join(runtimes)}")
    return runtimes[file.suffix]


def by_backend(name: str) -> Runtime:
    """Return the runtime of a quantizer, such as `openvino_mixed`.

    Raises:
        ValueError: An unknown name, or a package is not installed.
    """
    runtimes = {backend: row for row in RUNTIMES.values() for backend in row.quantizers}
    if name not in runtimes:
        raise ValueError(f"backends {name!r}: must be among {', '.join(runtimes)}")
    if absent := missing(runtimes[name].packages):
        raise ValueError(
            f"backends {name!r}: needs {' and '.join(absent)}; pip install 'lit_effnet[int8]'"
        )
    return runtimes[name]


def load(file: Path, threads: int = 1) -> RuntimeModule:
    """Load an exported file.

    Args:
        file: `.onnx`, `.xml` with its `.bin`, `.pte` or `.tflite`.
        threads: Number of threads.

    Raises:
        ValueError: Another ending, no such file, its package is not installed, or it is damaged.
    """
    file = Path(file)
    runtime = by_suffix(file)
    if not file.is_file():
        raise ValueError(f"file {file}: no such file")
    if missing([runtime.runner]):
        raise ValueError(f"file {file}: needs {runtime.runner}; {runtime.install}")
    assert runtime.load is not None
    try:
        metadata = read_json(metadata_file(file)) if metadata_file(file).exists() else {}
        check_digests(file, metadata.get("sha256", {}))
        name = f"{runtime.title} {metadata.get('precision', '')}".strip()
        return runtime.load(file, threads, name)
    except Exception as error:  # each runtime has its own exceptions
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise ValueError(f"file {file}: cannot be run ({reason})") from error
