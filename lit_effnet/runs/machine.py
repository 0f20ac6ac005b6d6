"""The cores that a process may use, and the memory allocator of its C library."""

import ctypes
import os
import platform
from collections.abc import Sequence

# mallopt's parameters, from glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
NEVER = -1


def keep_freed_memory() -> bool:
    """Let glibc keep freed memory instead of returning it; return whether that succeeded.

    By default glibc maps every large tensor anew and unmaps it when freed, so that a step on
    the CPU spends much of its time in page faults (`benchmarks/network_speed.py`, with and
    without `--keep-freed-memory`). This equals starting the process with `MALLOC_MMAP_MAX_=0`
    and an unlimited `MALLOC_TRIM_THRESHOLD_`. Call it before training. It changes neither other
    C libraries nor CUDA memory.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all([mallopt(M_MMAP_MAX, 0), mallopt(M_TRIM_THRESHOLD, NEVER)])


def available_cores() -> Sequence[int]:
    """Return the cores that this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return range(os.cpu_count() or 1)
