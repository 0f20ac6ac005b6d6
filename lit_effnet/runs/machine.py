"""The machine that a process runs on: its cores, and the settings of its C library."""

import ctypes
import os
import platform
from collections.abc import Sequence

# mallopt's parameters, from glibc's malloc.h.
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4
NEVER = -1


def keep_freed_memory() -> bool:
    """Let glibc keep what is freed instead of giving it back; True where that was done.

    By default glibc maps every large tensor afresh and unmaps it when freed, so that a step on
    the CPU spends much of its time in page faults (`benchmarks/network_speed.py`, with and
    without `--keep-freed-memory`). This equals starting the process with `MALLOC_MMAP_MAX_=0`
    and a `MALLOC_TRIM_THRESHOLD_` without bound. Call it before training; other C libraries are
    left as they are. Memory from CUDA is not concerned.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return all([mallopt(M_MMAP_MAX, 0), mallopt(M_TRIM_THRESHOLD, NEVER)])


def available_cores() -> Sequence[int]:
    """The cores that this process may use, which can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return range(os.cpu_count() or 1)
