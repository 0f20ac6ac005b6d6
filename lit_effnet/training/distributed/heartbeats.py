"""What the processes of one training tell one another, and what follows from it for all."""

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

LOST_AFTER_S = 20.0  # of silence; a process on the same machine is missed at once

TRAINING, VALIDATING, VALIDATED, TESTING, TESTED = range(5)


@dataclass(frozen=True)
class Place:
    """How far a rank is; of two in one collective, the one behind keeps the other waiting."""

    epoch: int = -1
    part: int = TRAINING
    batch: int = 0
    step: int = 0  # within a batch: begun, before its gradients, ended

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
    """What a rank tells the others, again and again."""

    host: str
    machine: str  # where its process can be looked for
    process: int
    place: tuple[int, ...] = (-1, TRAINING, 0, 0)  # as of `Place`
    beat: int = 0
    error: str | None = None
    stopped: bool = False


@dataclass(frozen=True)
class Verdict:
    """Which rank ends the training, and why; a lost one can say nothing itself."""

    rank: int
    why: str
    stopped: bool = False
    lost: bool = False


class RankBoard:
    """Where the ranks of a training tell how far they are.

    Args:
        store: Common to all ranks; the first rank's process holds it.
        rank: Of this process.
        world: Number of ranks.
        stall_s: Seconds without a batch, from any rank, after which the training stands still.
    """

    def __init__(self, store: Store, rank: int, world: int, stall_s: float) -> None:
        self.store, self.rank, self.stall_s = store, rank, stall_s
        self.ranks = [other for other in range(world) if other != rank]
        self.mine = Heartbeat(socket.gethostname(), machine(), os.getpid())
        self.others: dict[int, tuple[Heartbeat, float]] = {}
        self.moved = time.monotonic()
        self._writing = threading.Lock()  # the training moves, the watch beats

    def move(self, *place: int) -> None:
        """Note how far this rank is: epoch, part, batch and step."""
        with self._writing:
            self.moved = time.monotonic()
            self.mine = replace(self.mine, place=place)

    def tell(self, **news: Any) -> None:
        """Tell the others how far this rank is, and that it lives."""
        with self._writing:
            self.mine = replace(self.mine, beat=self.mine.beat + 1, **news)
            told = json.dumps(asdict(self.mine))
        with suppress(DistError):  # who listens finds the first rank lost
            self.store.set(str(self.rank), told)

    def listen(self) -> None:
        """Note what the others told, and when; waits as long as the first rank is frozen."""
        try:
            answers = self.store.multi_get([str(rank) for rank in self.ranks])
        except DistError:  # the first rank does not answer, and so grows silent
            return
        now = time.monotonic()
        for rank, answer in zip(self.ranks, answers, strict=True):
            told = Heartbeat(**json.loads(answer))
            told = replace(told, place=tuple(told.place))
            old = self.others.get(rank)
            if old is None or old[0].place != told.place:
                self.moved = now
            if old is None or old[0] != told:
                self.others[rank] = (told, now)

    def speaker(self, lost: int) -> int:
        """The rank that says so where one is lost: the lowest that lives, as far as is known."""
        others = (r for r in self.ranks if r != lost and (self.is_heard(r) or self.is_seen(r)))
        return min([self.rank, *others])

    def is_heard(self, rank: int) -> bool:
        """Whether another rank's heart beats."""
        told, heard = self.others[rank]
        return not self.is_dead(told) and time.monotonic() - heard < LOST_AFTER_S

    def is_seen(self, rank: int) -> bool:
        """Whether another rank is a process that runs on this machine."""
        told, _ = self.others[rank]
        return told.machine == self.mine.machine and is_alive(told.process)

    def is_dead(self, told: Heartbeat) -> bool:
        """Whether a rank on this machine has no process any more."""
        return told.machine == self.mine.machine and not is_alive(told.process)

    def verdict(self) -> Verdict | None:
        """Which rank ends the training and why; None while all is well."""
        now = time.monotonic()
        for rank, (told, heard) in sorted(self.others.items()):
            where = Place(*told.place)
            if told.stopped:
                return Verdict(rank, "", stopped=True)
            if told.error is not None:
                return Verdict(rank, told.error)
            if self.is_dead(told):
                died = f"its process {told.process} died, last heard of {where}"
                return Verdict(rank, died, lost=True)
            if now - heard > LOST_AFTER_S:
                silence = f"not heard of for {LOST_AFTER_S:.0f} s, before that {where}"
                return Verdict(rank, f"{silence} (on {told.host})", lost=True)
        if now - self.moved > self.stall_s:
            places = {rank: told.place for rank, (told, _) in self.others.items()}
            places[self.rank] = self.mine.place
            last = min(places, key=lambda rank: places[rank])
            return Verdict(last, f"has stood still for {self.stall_s:g} s {Place(*places[last])}")
        return None


def machine() -> str:
    """A name that only processes share which can look at one another by their numbers.

    A host's name does not do: containers share it, and have processes of their own.
    """
    spaces = Path("/proc/self/ns/pid")
    with suppress(OSError):
        return f"{socket.gethostname()} {psutil.boot_time()} {spaces.readlink()}"
    return f"{socket.gethostname()} {psutil.boot_time()}"


def is_alive(process: int) -> bool:
    """Whether a process of this machine runs; one that only waits to be buried does not."""
    try:
        return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
