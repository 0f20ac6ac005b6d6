"""Identity of a run: its configuration, code, packages and device."""

import hashlib
import json
import platform
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

PACKAGES = (
    "lightning",
    "torch",
    "torchvision",
    "timm",
    "albumentations",
    "opencv-python-headless",
    "datasets",
    "numpy",
)


def config_hash(config: dict[str, Any]) -> str:
    """Return twelve hexadecimal digits, equal for equal configurations."""
    canonical = json.dumps(config, sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


@cache  # trials inherit it from the process that forks them, whose code they run
def git_commit() -> str | None:
    """Return the commit of the code, with `+changes` if files differ; None outside git."""
    code = Path(__file__).parent

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=code, capture_output=True, text=True, check=True, timeout=10
        )
        return done.stdout.strip()

    try:
        commit = git("rev-parse", "HEAD")
        changed = git("status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+changes" if changed else "")


def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that affect results."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def device_name(accelerator: str) -> str:
    """Return the name of the device behind Lightning's accelerator."""
    import torch

    if accelerator in ("cuda", "gpu", "auto") and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    if accelerator in ("mps", "gpu", "auto") and torch.backends.mps.is_available():
        return f"{cpu_name()} (mps)"
    return cpu_name()


@cache
def cpu_name() -> str:
    """Return the processor's name."""
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
