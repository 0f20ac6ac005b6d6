"""What the processes of one training tell one another, and what follows from it for all."""

import json
import os
import socket
import time
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from typing import Any

import psutil
from torch.distributed import DistError, Store

LOST_AFTER_S = 20.0  # of silence; a process on the same machine is missed at once

TRAINING, VALIDATING, VALIDATED = range(3)


@dataclass(frozen=True)
class Place:
    """How far a rank is; of two in one exchange, the one behind keeps the other waiting."""

    epoch: int = -1
    part: int = TRAINING
    batch: int = 0
    step: int = 0  # within a batch: begun, before its gradients, ended

    def __str__(self) -> str:
        if self.epoch < 0:
            return "before its first batch"
        batch = f"batch {self.batch + 1}"
        parts = (batch, f"{batch} of the validation", "at the end of the validation")
        return f"in epoch {self.epoch + 1}, {parts[self.part]}"


@dataclass(frozen=True)
class Told:
    """What a rank tells the others."""

    host: str
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
        self.mine = Told(socket.gethostname(), os.getpid())
        self.others: dict[int, tuple[Told, float]] = {}
        self.moved = time.monotonic()

    def move(self, *place: int) -> None:
        """Note how far this rank is: epoch, part, batch and step."""
        self.moved = time.monotonic()
        self.mine = replace(self.mine, place=place)

    def tell(self, **news: Any) -> None:
        """Tell the others how far this rank is, and that it lives."""
        self.mine = replace(self.mine, beat=self.mine.beat + 1, **news)
        with suppress(DistError):  # who listens finds the first rank lost
            self.store.set(str(self.rank), json.dumps(asdict(self.mine)))

    def listen(self) -> None:
        """Note what the others told, and when it changed."""
        try:
            answers = self.store.multi_get([str(rank) for rank in self.ranks])
        except DistError:  # the first rank does not answer, and so grows silent
            return
        now = time.monotonic()
        for rank, answer in zip(self.ranks, answers, strict=True):
            told = Told(**json.loads(answer))
            told = replace(told, place=tuple(told.place))
            old = self.others.get(rank)
            if old is None or old[0].place != told.place:
                self.moved = now
            if old is None or old[0].beat != told.beat:
                self.others[rank] = (told, now)

    def answers(self, rank: int) -> bool:
        """Whether another rank lives, as far as it was heard of."""
        told, heard = self.others[rank]
        return not self.is_dead(told) and time.monotonic() - heard < LOST_AFTER_S

    def is_dead(self, told: Told) -> bool:
        """Whether a rank on this machine has no process any more."""
        return told.host == self.mine.host and not is_alive(told.process)

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


def is_alive(process: int) -> bool:
    """Whether a process of this machine runs; one that only waits to be buried does not."""
    try:
        return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
