"""Heartbeats of ranks, and the verdict that follows from them."""

import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta

import psutil
import pytest
from torch.distributed import HashStore

from lit_effnet.training.distributed import heartbeats as ranks
from lit_effnet.training.distributed.heartbeats import (
    TESTED,
    TESTING,
    TRAINING,
    VALIDATED,
    VALIDATING,
    HeartbeatBoard,
    Verdict,
)
from lit_effnet.training.distributed.strategy import LOOPBACK, open_store
from lit_effnet.training.distributed.watchdog import from_collective


@pytest.fixture
def boards() -> list[HeartbeatBoard]:
    """Three ranks of one training with one another's heartbeats."""
    store = HashStore()
    found = [HeartbeatBoard(store, rank, 3, stall_s=100) for rank in range(3)]
    for board in found:
        board.publish()
    for board in found:
        board.collect()
    return found


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    now = time.monotonic()
    monkeypatch.setattr(ranks.time, "monotonic", lambda: now + seconds)


def test_while_all_is_well_there_is_no_verdict(boards: list[HeartbeatBoard]) -> None:
    assert [board.verdict() for board in boards] == [None] * 3


def test_an_error_is_the_fault_of_the_rank_that_tells_it(boards: list[HeartbeatBoard]) -> None:
    boards[1].publish(error="out of memory")
    boards[0].collect()
    assert boards[0].verdict() == Verdict(1, "out of memory")
    assert boards[0].is_beating(1)


def test_a_stop_is_no_failure(boards: list[HeartbeatBoard]) -> None:
    boards[2].publish(stopped=True)
    boards[0].collect()
    assert boards[0].verdict() == Verdict(2, "", stopped=True)


def test_a_rank_that_is_silent_is_lost_and_the_others_are_not(
    boards: list[HeartbeatBoard], monkeypatch: pytest.MonkeyPatch
) -> None:
    boards[1].move(3, VALIDATING, 6, 0)
    boards[1].publish()
    boards[0].collect()
    later(monkeypatch, 21)
    boards[2].publish()
    boards[0].collect()
    found = boards[0].verdict()
    assert found is not None
    assert (found.rank, found.lost) == (1, True)
    assert found.why.startswith("no heartbeat for 20 s, last seen in epoch 4, batch 7 of the val")


def test_a_process_that_died_here_is_missed_at_once(boards: list[HeartbeatBoard]) -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    boards[1].mine = replace(boards[1].mine, pid=process.pid)
    boards[1].publish()
    boards[0].collect()
    found = boards[0].verdict()
    assert found is not None
    assert (found.rank, found.lost) == (1, True)
    assert found.why == f"its process {process.pid} died, last seen before its first batch"


@pytest.mark.parametrize(
    ("places", "last", "where"),
    [
        (((2, TRAINING, 5, 1), (2, TRAINING, 5, 1), (2, TRAINING, 4, 2)), 2, "in epoch 3, batch 5"),
        (((2, TRAINING, 5, 0), (2, TRAINING, 5, 1), (2, TRAINING, 5, 1)), 0, "in epoch 3, batch 6"),
        (((2, TESTED, 0, 0), (2, TESTED, 0, 0), (2, TESTING, 0, 0)), 2, "in batch 1 of the test"),
        # A rank that has no image left to evaluate waits for those that have.
        (((2, VALIDATED, 0, 0), (2, VALIDATING, 9, 0), (2, VALIDATED, 0, 0)), 1, "in epoch 3, batch 10 of the validation"),
    ],
)  # fmt: skip
def test_of_a_standstill_the_rank_that_is_behind_is_the_cause(
    places: tuple[tuple[int, ...], ...],
    last: int,
    where: str,
    boards: list[HeartbeatBoard],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for board, place in zip(boards, places, strict=True):
        board.move(*place)
        board.publish()
    for board in boards:
        board.collect()
    later(monkeypatch, 101)
    for board in boards:  # the ranks live, and do not move
        board.publish()
    for board in boards:
        board.collect()
    expected = Verdict(last, f"stalled for 100 s {where}")
    assert [board.verdict() for board in boards] == [expected] * 3


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (RuntimeError("[gloo/transport/tcp/pair.cc:525] Connection closed by peer"), True),
        (RuntimeError("NCCL communicator was aborted on rank 1."), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("gloo"), False),
    ],
)
def test_an_error_of_a_collective_is_known_by_its_words(error: Exception, expected: bool) -> None:
    assert from_collective(error) is expected


def test_the_lowest_rank_that_lives_speaks_for_a_lost_one(
    boards: list[HeartbeatBoard], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert boards[2].reporter(lost=0) == 1
    assert boards[1].reporter(lost=0) == 1
    other = replace(boards[1].mine, machine="another")
    boards[1].mine = other
    boards[1].publish()
    boards[2].collect()
    later(monkeypatch, 21)
    assert boards[2].reporter(lost=0) == 2


def test_processes_of_other_machines_are_not_looked_for_here(boards: list[HeartbeatBoard]) -> None:
    boards[1].mine = replace(boards[1].mine, machine="another", pid=2**22 + 1)
    boards[1].publish()
    boards[0].collect()
    assert boards[0].verdict() is None


def test_a_store_of_one_machine_listens_on_its_loopback_only() -> None:
    here = psutil.Process()
    before = listening(here)
    store = open_store(LOOPBACK, 0, serves=True, timeout=timedelta(seconds=30))
    assert listening(here) - before == {(LOOPBACK, store.port)}
    other = open_store(LOOPBACK, store.port, serves=False, timeout=timedelta(seconds=30))
    store.set("word", "heard")
    assert other.get("word") == b"heard"


def listening(process: psutil.Process) -> set[tuple[str, int]]:
    """Addresses and ports on which a process listens."""
    places = process.net_connections("inet")
    return {tuple(p.laddr) for p in places if p.status == psutil.CONN_LISTEN}
