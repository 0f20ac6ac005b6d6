"""Lightning's DDP, with evaluation free of collectives and our own end of lost ranks."""

import atexit
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psutil
import torch
from lightning.fabric.plugins.environments import (
    ClusterEnvironment,
    SLURMEnvironment,
    TorchElasticEnvironment,
)
from lightning.fabric.utilities.distributed import (
    _destroy_dist_connection,
    _set_num_threads_if_needed,
)
from lightning.pytorch import Trainer
from lightning.pytorch.strategies import DDPStrategy
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher
from torch.distributed import TCPStore
from typing_extensions import override

STRATEGIES = ("auto", "ddp", "ddp_find_unused_parameters_true", "ddp_find_unused_parameters_false")

COLLECTIVE_TIMEOUT_S = 7200.0  # `RankWatchdog` ends a stalled training earlier
RENDEZVOUS_TIMEOUT_S = 1800.0  # as in torch
EVERY_S = 1.0
LOOPBACK = "127.0.0.1"


class Ddp(DDPStrategy):
    """DDP whose only collective is the all-reduce of the gradients.

    By default, DDP broadcasts batch norm's statistics at each forward pass, also in an evaluation,
    where one process may have a batch more than another and would wait forever.

    Args:
        find_unused_parameters: Whether parameters may be without a gradient.
    """

    def __init__(self, find_unused_parameters: bool = False) -> None:
        super().__init__(
            forward_sync_buffers=False,
            find_unused_parameters=find_unused_parameters,
            timeout=timedelta(seconds=COLLECTIVE_TIMEOUT_S),
        )

    @override
    def setup_distributed(self) -> None:
        """Connect the processes; on one machine through its loopback interface only.

        By default, torch's store listens on all interfaces, and gloo on the interface of the host
        name, which it looks up.
        """
        if self.num_nodes == 1:
            stay_on_loopback()
            # torchrun has its own store; an evaluation after the training has the group already.
            by_torchrun = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
            if not by_torchrun and not torch.distributed.is_initialized():
                self._connect_on_loopback()
        super().setup_distributed()

    def _connect_on_loopback(self) -> None:
        assert self.cluster_environment is not None
        self.set_world_ranks()
        backend, port = self._get_process_group_backend(), self.cluster_environment.main_port
        store = open_store(
            LOOPBACK,
            port,
            serves=self.global_rank == 0,
            timeout=timedelta(seconds=RENDEZVOUS_TIMEOUT_S),
        )
        torch.distributed.init_process_group(
            backend,
            store=store,
            rank=self.global_rank,
            world_size=self.world_size,
            timeout=self._timeout,
            device_id=None if self.root_device.type == "cpu" else self.root_device,
        )
        if backend == "nccl":
            atexit.register(_destroy_dist_connection)

    @override
    def _configure_launcher(self) -> None:
        assert self.cluster_environment is not None
        self._launcher = Launcher(self.cluster_environment, self.num_processes, self.num_nodes)


class Launcher(_SubprocessScriptLauncher):
    """Starts the processes of a node, and watches them until `RankWatchdog` takes over.

    Lightning's observer would kill rank 0 before it could record and print the cause.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.begun = threading.Event()  # set when `RankWatchdog` takes over

    @override
    def launch(
        self,
        function: Callable[..., Any],
        *args: Any,
        trainer: Trainer | None = None,
        **kwargs: Any,
    ) -> Any:
        environment = self.cluster_environment
        environment.validate_settings(num_devices=self.num_processes, num_nodes=self.num_nodes)
        if not environment.creates_processes_externally:
            # Of an end that `RankWatchdog` tells in a line, torch would tell a page of addresses.
            os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")
            self._call_children_scripts()
            threading.Thread(target=self._watch_children, daemon=True).start()
        else:
            parent = os.getppid()
            threading.Thread(target=self._watch_parent, args=(parent,), daemon=True).start()
        _set_num_threads_if_needed(num_processes=self.num_processes)
        return function(*args, **kwargs)

    def _watch_parent(self, parent: int) -> None:
        """End this process if its parent ends before all processes are connected."""
        while not self.begun.wait(EVERY_S):
            if os.getppid() != parent:
                os._exit(1)

    def _watch_children(self) -> None:
        """End this process if a child ends before all processes are connected."""
        while not self.begun.wait(EVERY_S):
            for rank, child in enumerate(self.procs, start=1):
                if (status := child.poll()) is not None:
                    self.kill(signal.SIGKILL)
                    how = f"its process ended with status {status} before the training began"
                    sys.stderr.write(f"failed: local rank {rank}: {how}\n")
                    sys.stderr.flush()
                    os._exit(1)


def stay_on_loopback() -> None:
    """Let collectives on one machine use its loopback interface, unless the user chose another."""
    for name, addresses in psutil.net_if_addrs().items():
        if os.name == "posix" and any(address.address == LOOPBACK for address in addresses):
            os.environ.setdefault("GLOO_SOCKET_IFNAME", name)
            os.environ.setdefault("NCCL_SOCKET_IFNAME", name)


def open_store(host: str, port: int, *, serves: bool, timeout: timedelta) -> TCPStore:
    """Return a key-value store of torch, as its server or as a client.

    Args:
        host: Host of the server; on `LOOPBACK` it listens there only, else on all interfaces.
        port: Port of the server; 0 for a free one.
        serves: Whether this process is the server.
        timeout: Longest wait for the server and for a value.
    """
    listener = None
    if serves and host == LOOPBACK:
        server = socket.create_server((host, port), backlog=socket.SOMAXCONN)
        port, listener = server.getsockname()[1], server.detach()
    return TCPStore(
        host,
        port,
        None,
        serves,
        timeout,
        wait_for_workers=False,
        master_listen_fd=listener,
    )


def strategy_for(name: Any, processes: int) -> Any:
    """Return the strategy of a training: Lightning's name for one process, `Ddp` for several.

    Raises:
        ValueError: several processes with a strategy that is none of `STRATEGIES`.
    """
    if processes == 1:
        return name
    if name not in STRATEGIES:
        accepted = ", ".join(STRATEGIES)
        raise ValueError(f"strategy {name!r}: must be one of {accepted} with {processes} processes")
    return Ddp(find_unused_parameters=finds_unused(name))


def cluster_plugins() -> list[ClusterEnvironment]:
    """Return SLURM's environment without Lightning's requeue, if SLURM starts the processes.

    Lightning would save a checkpoint within an epoch, and resume there with the epoch's first
    images.
    """
    if SLURMEnvironment.detect() and not TorchElasticEnvironment.detect():
        return [SLURMEnvironment(auto_requeue=False)]
    return []


def stop_on_warning() -> None:
    """Stop on SIGUSR1 as on SIGTERM under SLURM, whose jobs send it before their time limit."""
    if "SLURM_JOB_ID" in os.environ and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGUSR1, lambda *_: signal.raise_signal(signal.SIGTERM))


def finds_unused(name: Any) -> bool:
    """Return whether a strategy allows parameters without a gradient, as in a frozen part."""
    return str(name).endswith("find_unused_parameters_true")
