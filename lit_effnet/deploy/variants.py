"""Variants of a network that `quantize` compares: one runtime, one precision, one method."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from lit_effnet.deploy.layers import NOTHING, distinct_choices, split_parts
from lit_effnet.deploy.registry import by_backend

INT8, EAGER = "int8", "eager"
EAGER_TITLE = "PyTorch eager"


@dataclass(frozen=True)
class Variant:
    """A network as one runtime runs it.

    Args:
        backend: A quantizer of the registry, or `eager`.
        method: Calibration method; None for a network that is not in INT8.
        keep_float: Parts that stay in float; None for a network that is not in INT8.
        float_precision: Precision of everything that is not in INT8.
    """

    backend: str
    method: str | None = None
    keep_float: str | None = None
    float_precision: str = "float32"

    @property
    def title(self) -> str:
        """Name of the runtime."""
        return EAGER_TITLE if self.backend == EAGER else by_backend(self.backend).title

    @property
    def keeps_worst(self) -> bool:
        """Whether the most sensitive layers stay in float."""
        return "worst" in split_parts(self.keep_float or NOTHING)

    @property
    def versions(self) -> dict[str, str]:
        """Versions of the packages that build and run it."""
        packages = () if self.backend == EAGER else by_backend(self.backend).packages
        return {package: version(package) for package in ("torch", *packages)}

    @property
    def precision(self) -> str:
        """`int8`, or the float precision."""
        return INT8 if self.method else self.float_precision

    @property
    def row_backend(self) -> str:
        """Backend as a row names it: without its preset for a network in float."""
        if self.backend == EAGER or self.method:
            return self.backend
        return by_backend(self.backend).name

    @property
    def condition(self) -> str:
        """Condition as a row names it."""
        return INT8 if self.method else f"{self.float_precision} by {self.title}"

    @property
    def label(self) -> str:
        """Label in progress lines."""
        words = filter(None, (self.backend, self.method, self.keep_float))
        return " ".join(words) + ("" if self.method else f" {self.float_precision}")


def variants(
    backends: Sequence[str], methods: Sequence[str] | None, keep_float: Sequence[str]
) -> Iterator[Variant]:
    """Yield eager mode, each runtime's float networks, and each backend's INT8 networks.

    Args:
        backends: Quantizers of the registry.
        methods: Calibration methods; each backend skips those that it lacks. None for each
            backend's default.
        keep_float: Choices of what stays in float.

    Raises:
        ValueError: An unknown backend, or a method that no backend has.
    """
    runtimes = {backend: by_backend(backend) for backend in backends}
    known = list(dict.fromkeys(m for runtime in runtimes.values() for m in runtime.methods))
    for method in methods or ():
        if method not in known:
            raise ValueError(f"methods {method!r}: must be among {', '.join(known)}")
    yield Variant(EAGER)
    seen: set[str] = set()
    for backend, runtime in runtimes.items():
        if runtime.name not in seen:
            for precision in runtime.float_precisions():
                yield Variant(backend, float_precision=precision)
        seen.add(runtime.name)
        for method in runtime.methods[:1] if methods is None else methods:
            if method in runtime.methods:
                for choice in distinct_choices(keep_float, (*runtime.keep_float, "worst")):
                    yield Variant(backend, method, choice)
