"""A command in a forked process, with a limit, a user or a working directory of its own."""

import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import NamedTuple

PATIENCE_S = 300
TRACEBACK = 99


class Outcome(NamedTuple):
    """Exit status, and the lines on standard output and error together."""

    status: int
    lines: list[str]


def run(command: str, arguments: Sequence[str], prepare: Callable[[], object]) -> Outcome:
    """Run a command of the suite in a fork, after `prepare` there."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        _child(command, arguments, prepare, writer)
    os.close(writer)
    content = b""
    while True:
        ready, _, _ = select.select([reader], [], [], PATIENCE_S)
        part = os.read(reader, 65536) if ready else b""
        if not part:
            break
        content += part
    os.close(reader)
    if not ready:
        os.kill(pid, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return Outcome(status, content.decode(errors="replace").splitlines())


def _child(
    command: str, arguments: Sequence[str], prepare: Callable[[], object], writer: int
) -> None:
    status: object = TRACEBACK
    try:
        os.dup2(writer, 1)
        os.dup2(writer, 2)
        sys.stdout = open(1, "w", buffering=1, closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", buffering=1, closefd=False)  # noqa: SIM115
        import torch

        torch.set_num_threads(1)  # the pool of threads is not there in a fork
        prepare()
        import_module(f"lit_effnet.{command}").main(list(arguments))
        status = 0
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status if isinstance(status, int) else TRACEBACK)
