"""Optional packages of the runtimes, in this environment or in that of `make mobile`."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

# litert-torch pins older packages than wandb and Jupyter accept, so it has its own environment.
MOBILE = Path(__file__).parents[2] / ".venv-mobile" / "bin" / "python"
MOBILE_VARIABLE = "LIT_EFFNET_MOBILE"


class ConversionError(ValueError):
    """A format's converter or runtime failed on a network."""


def import_optional(module: str) -> Any:
    """Import a module of an optional package.

    Raises:
        ConversionError: It is not installed.
    """
    # Without this package OpenVINO does not report each import and conversion to its makers.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        name = (error.name or module).split(".")[0]
        raise ConversionError(f"package {name}: is not installed") from error


def missing(packages: Iterable[str]) -> list[str]:
    """Return the packages that this environment lacks."""
    return [name for name in packages if find_spec(name.replace("-", "_")) is None]


def find_python(packages: Iterable[str], *, mobile: bool) -> str | None:
    """Return the Python that has the packages, or None: this one, or that of `make mobile`.

    Args:
        packages: All of them must be there.
        mobile: Whether `make mobile` installs them.
    """
    if not missing(packages):
        return sys.executable
    other = Path(os.environ.get(MOBILE_VARIABLE, MOBILE))
    return str(other) if mobile and other.exists() else None


def run_module(python: str, module: str, *arguments: str) -> str:
    """Run a module by another Python and return its output.

    Raises:
        ConversionError: It failed; the message ends with its last line.
    """
    name = module.rpartition(".")[2]
    command = [python, "-m", module, *arguments]
    try:
        process = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ConversionError(f"{python}: cannot be run ({error.strerror or error})") from error
    if process.returncode:
        lines = process.stderr.strip().splitlines() or ["no message"]
        status = f", status {process.returncode}" if process.returncode < 0 else ""
        raise ConversionError(f"{name} failed{status}: {lines[-1]}")
    return process.stdout


def versions(packages: Sequence[str], python: str) -> dict[str, str]:
    """Return the version of each package in a Python's environment."""
    if python == sys.executable:
        return {name: version(name) for name in packages}
    found: dict[str, str] = json.loads(run_module(python, "lit_effnet.deploy.packages", *packages))
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps({name: version(name) for name in sys.argv[1:]}))
