"""Run each trial in a process forked from one that has imported what all trials need.

A new interpreter would spend several seconds on imports. The forking process computes nothing, so
that its children can start the threads that do.
"""

import importlib
import json
import multiprocessing
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import connection, forkserver
from multiprocessing.context import ForkServerProcess

from lit_effnet.runs.exit_status import FAILURE, INTERRUPTED, TRY_AGAIN
from lit_effnet.runs.files import write_whole
from lit_effnet.trials.ledger import Entry, Status
from lit_effnet.trials.plan import Trial

NO_FORKS = 255  # multiprocessing's exit status where the forking process has ended

GRACE_S = 30.0  # between SIGTERM and SIGKILL

_context = multiprocessing.get_context("forkserver")


@dataclass(frozen=True)
class Share:
    """A trial's share of the machine: threads, and variables such as CUDA_VISIBLE_DEVICES."""

    threads: int
    variables: Mapping[str, str]


def prepare(modules: Sequence[str]) -> None:
    """Start the forking process, which imports `modules` in the background.

    It and its children ignore Ctrl-C; the launcher passes it on.
    """
    _context.set_forkserver_preload(list(modules))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, before)


def pool(workers: int) -> ProcessPoolExecutor:
    """Return a pool of processes for short work, forked like those of trials."""
    return ProcessPoolExecutor(workers, mp_context=_context)


def start(trial: Trial, module: str, share: Share, retry: bool) -> ForkServerProcess:
    """Start or resume a trial in its own process; `retry` runs one again that failed."""
    process = _context.Process(
        target=_run, args=(trial, module, share, retry), name=f"trial {trial.id}"
    )
    process.start()
    return process


def wait(running: Mapping[str, ForkServerProcess], seconds: float) -> dict[str, int]:
    """Wait until a trial ends, at most `seconds`; return the exit statuses of those that did."""
    sentinels = {process.sentinel: name for name, process in running.items()}
    ended = {}
    for sentinel in connection.wait(list(sentinels), seconds) if sentinels else ():
        name = sentinels[sentinel]  # type: ignore[index] # the keys above
        running[name].join()
        ended[name] = running[name].exitcode or 0
    return ended


def end(running: ForkServerProcess, with_signal: int) -> None:
    """Send SIGTERM to a trial, or SIGKILL to it and all processes that it started."""
    if running.pid is None or running.exitcode is not None:
        return
    try:
        if with_signal == signal.SIGKILL:
            os.killpg(running.pid, with_signal)
        else:  # its data workers end with it; a signal would make them print errors
            os.kill(running.pid, with_signal)
    except ProcessLookupError:
        pass


def _run(trial: Trial, module: str, share: Share, retry: bool) -> None:
    """Claim the trial, run its program, and exit with its status."""
    os.setpgid(0, 0)  # the launcher passes on the terminal's Ctrl-C
    entry = Entry(trial.folder)
    with entry.claim() as claimed:
        if not claimed:
            raise SystemExit(TRY_AGAIN)
        status = entry.status()
        if status is Status.FAILED and retry:
            entry.forgive()
        elif status not in (Status.MISSING, Status.BEGUN):
            return
        _print_into(entry)
        # Otherwise data workers would come from a second forking process, and import torch anew.
        multiprocessing.set_start_method("fork", force=True)
        threading.Thread(target=_end_with_the_launcher, daemon=True).start()
        os.environ.update(share.variables)
        os.environ["OMP_NUM_THREADS"] = str(share.threads)
        torch = sys.modules.get("torch")
        if torch is not None:  # it has read the variable already
            torch.set_num_threads(share.threads)
        arguments = list(trial.arguments)
        if status is not Status.MISSING and entry.record():
            arguments = ["--resume", str(trial.folder.path)]
        else:
            write_whole(trial.parameters_file, json.dumps(trial.parameters, indent=2) + "\n")
        exit_status = _call(module, arguments)
        if exit_status not in (0, INTERRUPTED):
            entry.fail(exit_status)  # before another launcher can claim it
        sys.exit(exit_status)


def _call(module: str, arguments: list[str]) -> int:
    """Run a module's `main` as if it were this process's own, and return its exit status."""
    program = importlib.import_module(module)
    # Lightning starts the other processes of a training by these.
    sys.argv = [module, *arguments]
    sys.modules["__main__"].__spec__ = program.__spec__
    try:
        program.main(arguments)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        status = FAILURE
    else:
        status = 0
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def _print_into(entry: Entry) -> None:
    """Redirect the output of this process and its children to the trial's log."""
    log = os.open(entry.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(log, stream.fileno())
    os.close(log)


def _end_with_the_launcher() -> None:
    """Send this process SIGTERM when the launcher is gone, and SIGKILL if it does not end."""
    launcher = multiprocessing.parent_process()
    assert launcher is not None
    connection.wait([launcher.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os.killpg(0, signal.SIGKILL)
