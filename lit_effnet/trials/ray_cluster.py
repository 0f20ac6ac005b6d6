"""Trials as tasks of a Ray cluster; each has the process that it has on one machine.

A task claims its trial by the same lock, runs it by the same command into the same run folder, and
prints into the same `trial.log`. Ray begins a task again, on another node, where it has lost the
node or the worker that ran it, and for no other reason.
"""

import logging
import os
import signal
import socket
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lit_effnet.trials import process
from lit_effnet.trials.plan import Trial
from lit_effnet.trials.process import GRACE_S, STOPPED, Share

AGAIN = 20  # times that one trial may lose its node
LOCAL, AUTO = "local", "auto"
CONNECT_S, ANSWER_S = 5.0, 60.0
LOOK_EVERY_S = 0.5

# What of the launcher's environment a trial is to find on its node.
PREFIXES = ("LIT_EFFNET_", "WANDB_", "HF_")


@dataclass(frozen=True)
class Node:
    """A machine of the cluster, and what of it there is to share out."""

    id: str
    address: str
    cpus: float
    gpus: float

    def room(self, cpus: float, gpus: float) -> int:
        """How many trials it can run at a time."""
        parts = [have // want for have, want in ((self.cpus, cpus), (self.gpus, gpus)) if want]
        return int(min(parts, default=0))


def check_address(address: str) -> None:
    """Look whether there is Ray and something answers; Ray itself would try for a minute.

    Args:
        address: local, auto, or HOST:PORT of the cluster's head.

    Raises:
        ValueError: Ray is not installed, it is no address, or nothing answers.
    """
    try:
        import ray  # noqa: F401
    except ImportError:
        raise ValueError("--ray: needs ray; pip install 'lit_effnet[ray]'") from None
    if address in (LOCAL, AUTO):
        return
    host, _, port = address.rpartition(":")
    if not (host and port.isdigit()) or "/" in address:
        raise ValueError(f"--ray {address}: must be local, auto or HOST:PORT of the cluster's head")
    try:
        with socket.create_connection((host, int(port)), CONNECT_S):
            pass
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ValueError(f"--ray {address}: {reason.lower()}; is that its head?") from None


def connect(address: str) -> list[Node]:
    """Join a Ray cluster, or begin one on this machine alone, and look what machines it has.

    Raises:
        ValueError: there is no such cluster.
    """
    import ray

    options = {"include_dashboard": False} if address == LOCAL else {}
    try:
        # Ray's own notes on a lost node fill a screen; what ran there is told by the table.
        ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL, **options)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if address == AUTO:
            reason = "no cluster runs on this machine; `ray start --head` begins one"
        raise ValueError(f"--ray {address}: {reason}") from None
    return nodes()


def nodes() -> list[Node]:
    """The cluster's machines that are alive."""
    import ray

    return [
        Node(
            node["NodeID"],
            node["NodeManagerAddress"],
            node["Resources"].get("CPU", 0.0),
            node["Resources"].get("GPU", 0.0),
        )
        for node in ray.nodes()
        if node["Alive"]
    ]


def check_resources(found: Sequence[Node], cpus: float, gpus: float) -> None:
    """Refuse what no machine of the cluster has; Ray would wait for one for ever.

    Raises:
        ValueError: no machine has it.
    """
    for name, value, most in (  # GPUs first, which CPUs follow where none are asked for
        ("gpus", gpus, max((node.gpus for node in found), default=0)),
        ("cpus", cpus, max((node.cpus for node in found), default=0)),
    ):
        if value > most:
            raise ValueError(
                f"--{name}_per_trial {value:g}: no node of the cluster has more than {most:g}"
            )
    if not any(node.room(cpus, gpus) for node in found):
        raise ValueError(
            f"--cpus_per_trial {cpus:g} --gpus_per_trial {gpus:g}: no node of the cluster has both"
        )


def check_folders(found: Sequence[Node], root: Path) -> None:
    """See that every machine sees the run folders and the folder that the command runs in.

    Raises:
        ValueError: one does not.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    with tempfile.NamedTemporaryFile(dir=root, prefix=".seen-by-all-nodes-") as probe:
        paths = (str(Path(probe.name).resolve()), str(Path.cwd()))
        look = ray.remote(max_retries=0, num_cpus=0)(_missing)
        asked = {
            node.address: look.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)
            ).remote(paths)
            for node in found
        }
        for address, answer in asked.items():
            try:
                missing = ray.get(answer, timeout=ANSWER_S)
            except ray.exceptions.RayError as error:
                reason = str(error).strip().splitlines()[-1]
                raise ValueError(
                    f"--ray: node {address} cannot run a trial ({reason}); lit_effnet must be "
                    "installed on every node"
                ) from None
            if missing:
                what = f"--root {root}" if paths[0] in missing else f"folder {paths[1]}"
                raise ValueError(
                    f"{what}: node {address} does not see it; must be on a file system that all "
                    "nodes share, under one path"
                )


def _missing(paths: Sequence[str]) -> list[str]:
    """Which of the paths this machine does not see."""
    return [path for path in paths if not Path(path).exists()]


class RayCluster:
    """Where trials run: the nodes of the cluster that this process has joined.

    Args:
        cpus: CPUs of a trial; may be a fraction.
        gpus: GPUs of a trial; may be a fraction.
        modules: What the process that forks trials on each node imports.
    """

    def __init__(self, cpus: float, gpus: float, modules: Sequence[str]) -> None:
        import ray

        self.modules = tuple(modules)
        self.folder = str(Path.cwd())
        self.variables = {k: v for k, v in os.environ.items() if k.startswith(PREFIXES)}
        self.task = ray.remote(
            num_cpus=cpus, num_gpus=gpus, max_retries=AGAIN, retry_exceptions=False
        )(run_trial)

    def start(self, trial: Trial, module: str, share: Share, retry: bool) -> Any:
        """Hand a trial to Ray, which runs it where there is room."""
        share = Share(share.threads, {**self.variables, **share.variables})
        named = self.task.options(name=f"trial {trial.id}")
        return named.remote(trial, module, share, retry, folder=self.folder, modules=self.modules)

    def wait(self, running: Mapping[str, Any], seconds: float) -> dict[str, int]:
        """Exit statuses of the trials that have ended."""
        import ray

        if not running:
            return {}
        done, _ = ray.wait([*running.values()], num_returns=1, timeout=seconds)
        if done:  # and what else has ended by now
            done, _ = ray.wait([*running.values()], num_returns=len(running), timeout=0)
        return {name: _exit_status(task) for name, task in running.items() if task in done}

    def end(self, running: Any, with_signal: int) -> None:
        """Ask a trial to end with its step, or end its worker, at whose end it ends by itself."""
        import ray

        ray.cancel(running, force=with_signal == signal.SIGKILL)


def _exit_status(task: Any) -> int:
    """A trial's exit status; one that Ray has given up was ended from outside."""
    import ray

    try:
        status: int = ray.get(task)
    except (ray.exceptions.TaskCancelledError, ray.exceptions.WorkerCrashedError):
        return STOPPED
    except ray.exceptions.NodeDiedError:
        return process.NO_FORKS
    return status


def run_trial(
    trial: Trial,
    module: str,
    share: Share,
    retry: bool,
    *,
    folder: str,
    modules: Sequence[str],
) -> int:
    """What a task does: the trial in a process of its own, and what ends it ends the process.

    Args:
        trial: The trial.
        module: Whose `main(arguments)` it runs.
        share: Threads, and variables of its environment.
        retry: Run it again if it has failed.
        folder: Where the launcher runs, to which paths are relative.
        modules: What the process that forks imports; it stays for the worker's next trials.
    """
    os.chdir(folder)
    os.environ.update(share.variables)
    # A cluster that was begun in the background of a shell ignores it, and cancelling comes by it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process.prepare(modules)
    # The process that forks knows the devices of an earlier trial only.
    given = {k: v for k, v in os.environ.items() if k.endswith("_VISIBLE_DEVICES")}
    share = Share(share.threads, {**share.variables, **given})
    running = process.start(trial, module, share, retry)
    try:
        while running.exitcode is None:
            running.join(LOOK_EVERY_S)  # Ray's interrupt waits for the end of a call
    except KeyboardInterrupt:  # which Ray makes of a cancelled task
        process.end(running, signal.SIGTERM)
        running.join(GRACE_S)
        process.end(running, signal.SIGKILL)
        running.join()
    return running.exitcode or 0
