"""Where a run came from: identity of its configuration, code, packages and device."""

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
    """Twelve hexadecimal digits that are equal for equal configurations."""
    canonical = json.dumps(config, sort_keys=True, default=str)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


@cache  # trials take it from the process that they are forked from, whose code they run
def git_commit() -> str | None:
    """Commit of the code that runs, with `+changes` where files differ; null outside git."""
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
    """Versions of Python and of the packages that decide about numbers."""
    return {"python": platform.python_version(), **{name: version(name) for name in PACKAGES}}


def device_name(accelerator: str) -> str:
    """What a person calls the device that Lightning's accelerator of that name takes."""
    import torch

    if accelerator in ("cuda", "gpu", "auto") and torch.cuda.is_available():
        return torch.cuda.get_device_name()
    if accelerator in ("mps", "gpu", "auto") and torch.backends.mps.is_available():
        return f"{cpu_name()} (mps)"
    return cpu_name()


@cache
def cpu_name() -> str:
    """The processor's name, as the system tells it."""
    if sys.platform == "linux":
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
