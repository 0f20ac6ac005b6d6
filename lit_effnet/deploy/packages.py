"""Packages that only an export needs: in this environment, or in one of their own."""

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

# litert-torch pins older packages than wandb and Jupyter take, so it has an environment of its own.
MOBILE = Path(__file__).parents[3] / ".venv-mobile" / "bin" / "python"
MOBILE_VARIABLE = "LIT_EFFNET_MOBILE"


class ConversionError(ValueError):
    """A network that a format's own converter or runtime gave up on."""


def imported(module: str) -> Any:
    """A module of a package that only an export needs.

    Raises:
        ConversionError: it is not installed.
    """
    # Without this package OpenVINO does not tell its maker of every import and conversion, unasked.
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        name = (error.name or module).split(".")[0]
        raise ConversionError(f"package {name}: is not installed") from error


def missing(packages: Iterable[str]) -> list[str]:
    """Those of the packages that are not in this environment."""
    return [name for name in packages if find_spec(name.replace("-", "_")) is None]


def interpreter(packages: Iterable[str], *, mobile: bool) -> str | None:
    """The Python that has the packages: this one, else that of `make mobile`, else null.

    Args:
        packages: All that it must have.
        mobile: Whether they are among those of `make mobile`.
    """
    if not missing(packages):
        return sys.executable
    other = Path(os.environ.get(MOBILE_VARIABLE, MOBILE))
    return str(other) if mobile and other.exists() else None


def run_module(python: str, module: str, *arguments: str) -> str:
    """What a module of ours prints when another Python runs it.

    Raises:
        ConversionError: it failed; says its last line.
    """
    command = [python, "-m", f"lit_effnet.deploy.{module}", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise ConversionError(f"{python}: cannot be run ({error.strerror or error})") from error
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        status = f", status {done.returncode}" if done.returncode < 0 else ""
        raise ConversionError(f"{module} failed{status}: {lines[-1]}")
    return done.stdout


def versions(packages: Sequence[str], python: str) -> dict[str, str]:
    """Version of each package in a Python's environment."""
    if python == sys.executable:
        return {name: version(name) for name in packages}
    found: dict[str, str] = json.loads(run_module(python, "packages", *packages))
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps({name: version(name) for name in sys.argv[1:]}))
