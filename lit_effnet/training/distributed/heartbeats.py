"""Heartbeats that the ranks of a training exchange, and the verdict that follows from them."""

import json
import os
import socket
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import psutil
from torch.distributed import DistError, Store

LOST_AFTER_S = 20.0  # without a heartbeat; a dead process on the same machine is seen at once

TRAINING, VALIDATING, VALIDATED, TESTING, TESTED = range(5)


@dataclass(frozen=True)
class Position:
    """Progress of a rank. In a collective, the rank that is behind keeps the others waiting."""

    epoch: int = -1
    part: int = TRAINING
    batch: int = 0
    step: int = 0  # of a batch: 0 loaded, 1 before the gradients, 2 done

    def __str__(self) -> str:
        if self.epoch < 0:
            return "before its first batch"
        batch = f"batch {self.batch + 1}"
        if self.part in (TESTING, TESTED):
            return f"in {batch} of the test" if self.part == TESTING else "at the end of the test"
        parts = (batch, f"{batch} of the validation", "at the end of the validation")
        return f"in epoch {self.epoch + 1}, {parts[self.part]}"


@dataclass(frozen=True)
class Heartbeat:
    """State of a rank, which it publishes once a second."""

    host: str
    machine: str  # equal for processes that can see one another by pid
    pid: int
    position: tuple[int, ...] = (-1, TRAINING, 0, 0)  # fields of `Position`
    beat: int = 0
    error: str | None = None
    stopped: bool = False


@dataclass(frozen=True)
class Verdict:
    """The rank that ends the training, and why; a lost rank cannot report it itself."""

    rank: int
    why: str
    stopped: bool = False
    lost: bool = False


class HeartbeatBoard:
    """Exchanges heartbeats with the other ranks of a training.

    Args:
        store: Key-value store of all ranks, in the process of rank 0.
        rank: Rank of this process.
        world_size: Number of ranks.
        stall_s: Seconds without progress of any rank, after which the training is stalled.
    """

    def __init__(self, store: Store, rank: int, world_size: int, stall_s: float) -> None:
        self.store, self.rank, self.stall_s = store, rank, stall_s
        self.ranks = [other for other in range(world_size) if other != rank]
        self.mine = Heartbeat(socket.gethostname(), machine(), os.getpid())
        self.others: dict[int, tuple[Heartbeat, float]] = {}
        self.moved = time.monotonic()
        self._writing = threading.Lock()  # the training moves, the heartbeat thread publishes

    def move(self, *position: int) -> None:
        """Set the position of this rank: epoch, part, batch and step."""
        with self._writing:
            self.moved = time.monotonic()
            self.mine = replace(self.mine, position=position)

    def publish(self, **changes: Any) -> None:
        """Publish this rank's heartbeat, with changed fields."""
        with self._writing:
            self.mine = replace(self.mine, beat=self.mine.beat + 1, **changes)
            text = json.dumps(asdict(self.mine))
        with suppress(DistError):  # `collect` then finds rank 0 lost
            self.store.set(str(self.rank), text)

    def collect(self) -> None:
        """Collect the others' heartbeats and their times; blocks while rank 0 is frozen."""
        try:
            answers = self.store.multi_get([str(rank) for rank in self.ranks])
        except DistError:  # rank 0 does not answer; its heartbeat becomes old
            return
        now = time.monotonic()
        for rank, answer in zip(self.ranks, answers, strict=True):
            new = Heartbeat(**json.loads(answer))
            new = replace(new, position=tuple(new.position))
            old = self.others.get(rank)
            if old is None or old[0].position != new.position:
                self.moved = now
            if old is None or old[0] != new:
                self.others[rank] = (new, now)

    def reporter(self, lost: int) -> int:
        """Return the rank that reports a lost one: the lowest that is known to be alive."""
        others = (r for r in self.ranks if r != lost and (self.is_beating(r) or self.runs_here(r)))
        return min([self.rank, *others])

    def is_beating(self, rank: int) -> bool:
        """Return whether another rank's last heartbeat is recent."""
        heartbeat, received = self.others[rank]
        return not self.is_dead(heartbeat) and time.monotonic() - received < LOST_AFTER_S

    def runs_here(self, rank: int) -> bool:
        """Return whether another rank is a running process of this machine."""
        heartbeat, _ = self.others[rank]
        return heartbeat.machine == self.mine.machine and is_alive(heartbeat.pid)

    def is_dead(self, heartbeat: Heartbeat) -> bool:
        """Return whether the process of a rank on this machine has ended."""
        return heartbeat.machine == self.mine.machine and not is_alive(heartbeat.pid)

    def verdict(self) -> Verdict | None:
        """Return which rank ends the training and why; None while all ranks are well."""
        now = time.monotonic()
        for rank, (heartbeat, received) in sorted(self.others.items()):
            where = Position(*heartbeat.position)
            if heartbeat.stopped:
                return Verdict(rank, "", stopped=True)
            if heartbeat.error is not None:
                return Verdict(rank, heartbeat.error)
            if self.is_dead(heartbeat):
                died = f"its process {heartbeat.pid} died, last seen {where}"
                return Verdict(rank, died, lost=True)
            if now - received > LOST_AFTER_S:
                silence = f"no heartbeat for {LOST_AFTER_S:.0f} s, last seen {where}"
                return Verdict(rank, f"{silence} (on {heartbeat.host})", lost=True)
        if now - self.moved > self.stall_s:
            positions = {rank: heartbeat.position for rank, (heartbeat, _) in self.others.items()}
            positions[self.rank] = self.mine.position
            last = min(positions, key=lambda rank: positions[rank])
            where = Position(*positions[last])
            return Verdict(last, f"stalled for {self.stall_s:g} s {where}")
        return None


def machine() -> str:
    """Return a name that processes share if they can see one another by pid.

    The host name does not suffice: containers share it, but have pids of their own.
    """
    namespace = Path("/proc/self/ns/pid")
    with suppress(OSError):
        return f"{socket.gethostname()} {psutil.boot_time()} {namespace.readlink()}"
    return f"{socket.gethostname()} {psutil.boot_time()}"


def is_alive(pid: int) -> bool:
    """Return whether a process is running on this machine; zombies count as not running."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
