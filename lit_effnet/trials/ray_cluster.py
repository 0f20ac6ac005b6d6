"""Run trials as tasks of a Ray cluster, each in a process as on one machine.

A task uses the same lock, command, run folder and `trial.log`. Ray restarts a task on another node
if it lost the node or the worker that ran it, and for no other reason.
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

from lit_effnet.runs.exit_status import INTERRUPTED
from lit_effnet.trials import process
from lit_effnet.trials.plan import Trial
from lit_effnet.trials.process import GRACE_S, Share

MOST_RESTARTS = 20  # of a trial that loses its node
LOCAL, AUTO = "local", "auto"
CONNECT_S, ANSWER_S = 5.0, 60.0
POLL_S = 0.5

# Prefixes of the environment variables that are passed on to the nodes.
PREFIXES = ("LIT_EFFNET_", "WANDB_", "HF_")


@dataclass(frozen=True)
class Node:
    """A machine of the cluster with its CPUs and GPUs."""

    id: str
    address: str
    cpus: float
    gpus: float

    def room(self, cpus: float, gpus: float) -> int:
        """Return how many trials with so many CPUs and GPUs it can run at a time."""
        parts = [have // want for have, want in ((self.cpus, cpus), (self.gpus, gpus)) if want]
        return int(min(parts, default=0))


def check_address(address: str) -> None:
    """Check that Ray is installed and the address answers; Ray itself would try for a minute.

    Args:
        address: local, auto, or HOST:PORT of the cluster's head.

    Raises:
        ValueError: Ray is not installed, the address is invalid, or nothing answers.
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
    """Join a Ray cluster, or start one on this machine alone, and return its machines.

    Raises:
        ValueError: There is no such cluster.
    """
    import ray

    options = {"include_dashboard": False} if address == LOCAL else {}
    try:
        # Ray's own notes on a lost node fill a screen; the table shows what ran there.
        ray.init(address, log_to_driver=False, logging_level=logging.CRITICAL, **options)
    except (ConnectionError, RuntimeError, ValueError, TimeoutError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        if address == AUTO:
            reason = "no cluster runs on this machine; `ray start --head` starts one"
        raise ValueError(f"--ray {address}: {reason}") from None
    return nodes()


def nodes() -> list[Node]:
    """Return the cluster's machines that are alive."""
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


def check_resources(machines: Sequence[Node], cpus: float, gpus: float) -> None:
    """Check that a machine of the cluster can run a trial; Ray would wait for one forever.

    Raises:
        ValueError: No machine has so many CPUs or GPUs.
    """
    for name, value, most in (  # GPUs first; by default the CPUs follow from them
        ("gpus", gpus, max((node.gpus for node in machines), default=0)),
        ("cpus", cpus, max((node.cpus for node in machines), default=0)),
    ):
        if value > most:
            raise ValueError(
                f"--{name}_per_trial {value:g}: no node of the cluster has more than {most:g}"
            )
    if not any(node.room(cpus, gpus) for node in machines):
        raise ValueError(
            f"--cpus_per_trial {cpus:g} --gpus_per_trial {gpus:g}: no node of the cluster has both"
        )


def check_folders(machines: Sequence[Node], root: Path) -> None:
    """Check that every machine sees the run folders and the working directory.

    Raises:
        ValueError: One does not.
    """
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    with tempfile.NamedTemporaryFile(dir=root, prefix=".seen-by-all-nodes-") as probe:
        paths = (str(Path(probe.name).resolve()), str(Path.cwd()))
        probe_node = ray.remote(max_retries=0, num_cpus=0)(_missing)
        answers = {
            node.address: probe_node.options(
                scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)
            ).remote(paths)
            for node in machines
        }
        for address, answer in answers.items():
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
    """Return the paths that this machine does not see."""
    return [path for path in paths if not Path(path).exists()]


class RayCluster:
    """Run trials on the nodes of the cluster that this process has joined.

    Args:
        cpus: CPUs per trial; may be a fraction.
        gpus: GPUs per trial; may be a fraction.
        modules: Imported by the process that forks trials on each node.
    """

    def __init__(self, cpus: float, gpus: float, modules: Sequence[str]) -> None:
        import ray

        self.modules = tuple(modules)
        self.folder = str(Path.cwd())
        self.variables = {k: v for k, v in os.environ.items() if k.startswith(PREFIXES)}
        self.task = ray.remote(
            num_cpus=cpus, num_gpus=gpus, max_retries=MOST_RESTARTS, retry_exceptions=False
        )(run_trial)

    def start(self, trial: Trial, module: str, share: Share, retry: bool) -> Any:
        """Submit a trial to Ray, which runs it on a node with free resources."""
        share = Share(share.threads, {**self.variables, **share.variables})
        task = self.task.options(name=f"trial {trial.id}")
        return task.remote(trial, module, share, retry, folder=self.folder, modules=self.modules)

    def wait(self, running: Mapping[str, Any], seconds: float) -> dict[str, int]:
        """Wait until a trial ends, or some seconds; return the exit statuses of those that did."""
        import ray

        if not running:
            return {}
        done, _ = ray.wait([*running.values()], num_returns=1, timeout=seconds)
        if done:  # and those that ended meanwhile
            done, _ = ray.wait([*running.values()], num_returns=len(running), timeout=0)
        return {name: _exit_status(task) for name, task in running.items() if task in done}

    def end(self, running: Any, with_signal: int) -> None:
        """Cancel a trial's task after its step, or kill its worker, whose trial then ends."""
        import ray

        ray.cancel(running, force=with_signal == signal.SIGKILL)


def _exit_status(task: Any) -> int:
    """Return a trial's exit status; a task that Ray gave up counts as ended from outside."""
    import ray

    try:
        status: int = ray.get(task)
    except (ray.exceptions.TaskCancelledError, ray.exceptions.WorkerCrashedError):
        return INTERRUPTED
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
    """Run a trial in a process of its own, which ends with the task.

    Args:
        trial: The trial.
        module: The module whose `main(arguments)` runs it.
        share: Threads and environment variables.
        retry: Run it again if it failed.
        folder: The launcher's working directory.
        modules: Imported by the forking process, which stays for the worker's next trials.
    """
    os.chdir(folder)
    os.environ.update(share.variables)
    # Ray cancels by SIGINT, which a cluster started in the background of a shell ignores.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process.prepare(modules)
    # The forking process has the devices of its first trial.
    devices = {k: v for k, v in os.environ.items() if k.endswith("_VISIBLE_DEVICES")}
    share = Share(share.threads, {**share.variables, **devices})
    running = process.start(trial, module, share, retry)
    try:
        while running.exitcode is None:
            running.join(POLL_S)  # Ray interrupts between calls only
    except KeyboardInterrupt:  # Ray cancelled the task
        process.end(running, signal.SIGTERM)
        running.join(GRACE_S)
        process.end(running, signal.SIGKILL)
        running.join()
    return running.exitcode or 0
