"""A process for each trial, forked from one that has imported what all trials need.

A new interpreter would spend several seconds on imports. The process that forks has computed
nothing, so that its children may start the threads that do.
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

from lit_effnet.runs.files import write_whole
from lit_effnet.trials.ledger import Entry, Status
from lit_effnet.trials.plan import Trial

TAKEN = 75  # os.EX_TEMPFAIL: another launcher has the trial
STOPPED = 130
NO_FORKS = 255  # what multiprocessing says where the process that forks has ended

GRACE_S = 30.0  # from asking a trial to end to ending it

_context = multiprocessing.get_context("forkserver")


@dataclass(frozen=True)
class Share:
    """What of the machine a trial gets: threads, and variables such as CUDA_VISIBLE_DEVICES."""

    threads: int
    variables: Mapping[str, str]


def prepare(modules: Sequence[str]) -> None:
    """Start the process that forks, which imports `modules` meanwhile.

    It and its children ignore Ctrl-C, which is the launcher's to pass on.
    """
    _context.set_forkserver_preload(list(modules))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        forkserver.ensure_running()
    finally:
        signal.signal(signal.SIGINT, before)


def pool(workers: int) -> ProcessPoolExecutor:
    """Processes for short work, forked like those of trials."""
    return ProcessPoolExecutor(workers, mp_context=_context)


def start(trial: Trial, module: str, share: Share, retry: bool) -> ForkServerProcess:
    """Begin a trial, or go on with it, in a process of its own."""
    process = _context.Process(
        target=_run, args=(trial, module, share, retry), name=f"trial {trial.id}"
    )
    process.start()
    return process


def wait(running: Mapping[str, ForkServerProcess], seconds: float) -> dict[str, int]:
    """Exit statuses of those trials that have ended; waits for one, `seconds` at most."""
    sentinels = {process.sentinel: name for name, process in running.items()}
    ended = {}
    for sentinel in connection.wait(list(sentinels), seconds) if sentinels else ():
        name = sentinels[sentinel]  # type: ignore[index] # its own keys come back
        running[name].join()
        ended[name] = running[name].exitcode or 0
    return ended


def end(running: ForkServerProcess, with_signal: int) -> None:
    """Send a signal to a trial and to all processes that it started."""
    if running.pid is None or running.exitcode is not None:
        return
    try:
        if with_signal == signal.SIGKILL:
            os.killpg(running.pid, with_signal)
        else:  # its loader's workers end with it, and would make a noise
            os.kill(running.pid, with_signal)
    except ProcessLookupError:
        pass


def _run(trial: Trial, module: str, share: Share, retry: bool) -> None:
    """What the trial's process does: claim the trial, run its program, leave by its status."""
    os.setpgid(0, 0)  # the terminal's Ctrl-C is the launcher's to pass on
    entry = Entry(trial.folder)
    with entry.claim() as claimed:
        if not claimed:
            raise SystemExit(TAKEN)
        status = entry.status()
        if status is Status.FAILED and retry:
            entry.forgive()
        elif status not in (Status.MISSING, Status.BEGUN):
            return
        _print_into(entry)
        # Else each loader process would come from a second process that forks, and import torch.
        multiprocessing.set_start_method("fork", force=True)
        threading.Thread(target=_end_with_the_launcher, daemon=True).start()
        os.environ.update(share.variables)
        os.environ["OMP_NUM_THREADS"] = str(share.threads)
        torch = sys.modules.get("torch")
        if torch is not None:  # which has read the variable already
            torch.set_num_threads(share.threads)
        arguments = list(trial.arguments)
        if status is not Status.MISSING and entry.record():
            arguments = ["--resume", str(trial.folder.path)]
        else:
            write_whole(trial.parameters_file, json.dumps(trial.parameters, indent=2) + "\n")
        exit_status = _call(module, arguments)
        if exit_status not in (0, STOPPED):
            entry.fail(exit_status)  # before another launcher can claim it
        sys.exit(exit_status)


def _call(module: str, arguments: list[str]) -> int:
    """The exit status of a module's `main`, for which this process is made to look its own."""
    program = importlib.import_module(module)
    # By these Lightning starts the other processes of a training.
    sys.argv = [module, *arguments]
    sys.modules["__main__"].__spec__ = program.__spec__
    try:
        program.main(arguments)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        status = 1
    else:
        status = 0
    sys.stdout.flush()
    sys.stderr.flush()
    return status


def _print_into(entry: Entry) -> None:
    """Send all output of this process and its children to the trial's log."""
    log = os.open(entry.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
        os.dup2(log, stream.fileno())
    os.close(log)


def _end_with_the_launcher() -> None:
    """Ask this process to end when the launcher is gone, and end it if it does not."""
    launcher = multiprocessing.parent_process()
    assert launcher is not None
    connection.wait([launcher.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_S)
    os.killpg(0, signal.SIGKILL)
