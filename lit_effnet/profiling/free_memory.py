"""Free memory of a GPU, or of the machine within the limits of its containers."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import torch

MEMINFO, OWN_CGROUPS = Path("/proc/meminfo"), Path("/proc/self/cgroup")
CGROUPS = Path("/sys/fs/cgroup")
SMALL_MACHINE = 4 * 2**30  # assumed where the system does not say

# cgroup v2 and v1: folder of the hierarchy, limit, use, and the part that can be reclaimed.
VERSIONS = (
    ("", "memory.max", "memory.current", "inactive_file"),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def available_memory(device: torch.device | str) -> int:
    """Return the free bytes of a GPU, or of the machine within the limits of its containers."""
    if torch.device(device).type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return min((_of_machine(), *_left_in_cgroups()))


def _of_machine() -> int:
    with suppress(OSError):
        for line in MEMINFO.read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                return 1024 * int(line.split()[1])
    return SMALL_MACHINE


def _left_in_cgroups() -> Iterator[int]:
    """Yield the bytes below the limit of each cgroup of the process."""
    paths = {"": "/", "memory": "/"}
    with suppress(OSError):
        for line in OWN_CGROUPS.read_text(encoding="utf-8").splitlines():
            _, kinds, path = line.split(":", 2)
            if kinds in paths:
                paths[kinds] = path
    for kind, limit, use, inactive in VERSIONS:
        root = CGROUPS / kind
        own = root / paths[kind].lstrip("/")
        for folder in (own, *own.parents):
            # The root has no such files, a group without a limit has "max", and inside a container
            # the path may not exist.
            with suppress(OSError, ValueError):
                most = int((folder / limit).read_text())
                taken = int((folder / use).read_text()) - _inactive(folder, inactive)
                yield max(0, most - taken)
            if folder == root:
                break


def _inactive(folder: Path, name: str) -> int:
    """Return the bytes of cached files, which the system reclaims before a limit is reached."""
    for line in (folder / "memory.stat").read_text().splitlines():
        if line.startswith(f"{name} "):
            return int(line.split()[1])
    return 0
