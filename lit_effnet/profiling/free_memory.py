"""How many bytes a process may still take, before it or its container meets a limit."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import torch

MEMINFO, OWN_CGROUPS = Path("/proc/meminfo"), Path("/proc/self/cgroup")
CGROUPS = Path("/sys/fs/cgroup")
SMALL_MACHINE = 4 * 2**30  # where the system does not tell

# Of version 2 and 1: folder of the hierarchy, limit, use, and what of that is given back at need.
VERSIONS = (
    ("", "memory.max", "memory.current", "inactive_file"),
    ("memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def available_memory(device: torch.device | str) -> int:
    """Bytes that are free on a GPU, or that the machine and its container leave a process."""
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
    """Bytes below the limit of each control group that the process is in."""
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
            # A group has no such files at the root, "max" where it has no limit, and another path
            # where a container shows only its own.
            with suppress(OSError, ValueError):
                most = int((folder / limit).read_text())
                taken = int((folder / use).read_text()) - _inactive(folder, inactive)
                yield max(0, most - taken)
            if folder == root:
                break


def _inactive(folder: Path, name: str) -> int:
    """Bytes of files in the cache, which the system gives back before a limit is met."""
    for line in (folder / "memory.stat").read_text().splitlines():
        if line.startswith(f"{name} "):
            return int(line.split()[1])
    return 0
