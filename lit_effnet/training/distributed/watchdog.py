"""The ranks of a training watch one another: if one is lost, all end, and one prints the cause.

Without this, a rank that dies or fails leaves the others in a collective that never ends, or that
ends with a message about sockets.
"""

import os
import signal
import sys
import threading
import time
from datetime import timedelta
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.utilities.exceptions import SIGTERMException
from torch.distributed import DistError, TCPStore

from lit_effnet.runs import exit_status
from lit_effnet.runs.folder import FAILED, INTERRUPTED, RunFolder
from lit_effnet.runs.paths import locate
from lit_effnet.training.distributed.heartbeats import (
    LOST_AFTER_S,
    TESTED,
    TESTING,
    TRAINING,
    VALIDATED,
    VALIDATING,
    HeartbeatBoard,
    Verdict,
)
from lit_effnet.training.distributed.strategy import LOOPBACK, Launcher, open_store
from lit_effnet.training.recorder import RunRecorder
from lit_effnet.training.wandb_logging import finish

EVERY_S = 1.0
REPORT_S = 5.0  # for which the others wait while one rank reports
TIME_FOR_WANDB_S = 30.0  # to close the W&B run, in a process that cannot continue


class RankWatchdog(Callback):
    """Ends all processes of a training if one of them dies, fails, is stopped or stalls.

    Others see a dead process within seconds on its machine and within 20 s elsewhere. An error or a
    signal reaches all within seconds. A training without progress is stalled after `stall_s`.

    Args:
        recorder: Recorder of the run; rank 0 records how the run ended.
        stall_s: Seconds without a batch in any rank, after which the training is stalled.
    """

    def __init__(self, recorder: RunRecorder, stall_s: float) -> None:
        self.recorder, self.stall_s = recorder, stall_s
        self.trainer: Trainer | None = None
        self.board: HeartbeatBoard | None = None  # while several ranks train
        self.judge = threading.Thread()
        self.over = threading.Event()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Agree on the run folder, and start watching."""
        if trainer.world_size == 1:
            return
        self.trainer = trainer
        path = trainer.strategy.broadcast(str(self.recorder.folder.path))
        self.recorder.folder = RunFolder(locate(path))
        store = watch_store(trainer)
        self.board = HeartbeatBoard(store, trainer.global_rank, trainer.world_size, self.stall_s)
        self.board.publish()
        trainer.strategy.barrier("all ranks have published a heartbeat")
        self.board.collect()
        launcher_of(trainer).begun.set()
        if threading.current_thread() is threading.main_thread():
            # Before Lightning saves the handlers that it restores after an error.
            signal.signal(signal.SIGTERM, self._stop)
        self.over.clear()
        # In two threads, since collecting blocks while the process of the store is frozen.
        threading.Thread(target=self._beat, name="rank-heartbeat", daemon=True).start()
        self.judge = threading.Thread(target=self._judge, name="rank-watch", daemon=True)
        self.judge.start()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Stop watching when all ranks have ended."""
        if self.board is None:
            return
        trainer.strategy.barrier("all ranks have ended")
        self._end_watch()
        trainer.strategy.barrier("no rank reads the store any more")
        self.board = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Handle SIGTERM here; Lightning's handler starts a collective amid others."""
        if self.board is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._stop)

    on_test_start = on_train_start

    def _stop(self, *_: Any) -> None:
        """Stop at once, unless the signal was sent because a rank of this machine died."""
        board = self.board
        if board is None or not any(
            board.is_dead(heartbeat) for heartbeat, _ in board.others.values()
        ):
            raise SIGTERMException

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Stop the other ranks too if a user or the system stops this one."""
        if self.board is not None and isinstance(exception, KeyboardInterrupt | SystemExit):
            self.board.publish(stopped=True)
            self._end_watch()
            self._end_children()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """Note that a batch was loaded."""
        self._move(trainer.current_epoch, TRAINING, batch_idx, 0)

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Any) -> None:
        """Note that the all-reduce of the gradients comes next."""
        if self.board is not None:
            self._move(*self.board.mine.position[:3], 1)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Note that a batch is done."""
        self._move(trainer.current_epoch, TRAINING, batch_idx, 2)

    def on_validation_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """Note that a batch was loaded."""
        part = TESTING if trainer.testing else VALIDATING
        self._move(trainer.current_epoch, part, batch_idx, 0)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Note that the reduction of the metrics comes next."""
        self._move(trainer.current_epoch, TESTED if trainer.testing else VALIDATED, 0, 0)

    on_test_batch_start = on_validation_batch_start
    on_test_epoch_end = on_validation_epoch_end

    def _move(self, *position: int) -> None:
        if self.board is not None:
            self.board.move(*position)

    def await_cause(self, error: Exception) -> None:
        """Return only if the error began in this process.

        A failing collective means that another rank ended. The watch soon finds which one, and ends
        this process.
        """
        if self.board is not None and from_collective(error):
            self.judge.join(LOST_AFTER_S + REPORT_S)

    def share(self, trainer: Trainer, line: str) -> str | None:
        """Share an error with all ranks; return the line to print here, or None."""
        self.trainer = trainer
        if self.board is None:  # one process, or an error before the ranks were connected
            self._end_children()
            return line
        self.board.publish(error=line)
        self._end_watch()
        if self.board.rank != 0 and self.board.is_beating(0):
            time.sleep(REPORT_S)  # rank 0 kills its children
            return None
        time.sleep(2 * EVERY_S)  # until the others have read the error from this process
        self._end_children()
        return f"rank {self.board.rank}: {line}"

    def _beat(self) -> None:
        assert self.board is not None
        board = self.board
        while not self.over.wait(EVERY_S):
            board.publish()
            board.collect()

    def _judge(self) -> None:
        assert self.board is not None
        while not self.over.wait(EVERY_S):
            verdict = self.board.verdict()
            if verdict is not None and not self.over.is_set():
                try:
                    self._end(verdict, self.board)
                finally:  # also on errors of the disk or W&B, since the main thread may be blocked
                    os._exit(status_of(verdict))

    def _end(self, verdict: Verdict, board: HeartbeatBoard) -> None:
        """Report and record the end of the training, in one rank; the others wait for it.

        That rank is 0, or another if rank 0 is lost.
        """
        reporter = 0
        if verdict.lost and verdict.rank == 0:
            time.sleep(3 * EVERY_S)  # with rank 0, others on its machine may be lost
            reporter = board.reporter(verdict.rank)
        if board.rank != reporter:
            time.sleep(REPORT_S)
            return
        again = f"resume with: python -m lit_effnet.fit --resume {self.recorder.folder.path}"
        if verdict.stopped:
            line = f"stopped (rank {verdict.rank}); {again}"
        else:
            line = f"failed: rank {verdict.rank}: {verdict.why}; {again}"
            self.recorder.record["error"] = f"rank {verdict.rank}: {verdict.why}"
        sys.stdout.flush()
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
        self._end_children()
        if self.trainer is not None and not self.trainer.testing:  # else the training has finished
            self.recorder.write(INTERRUPTED if verdict.stopped else FAILED)
        if board.rank == 0:
            finish(status_of(verdict), TIME_FOR_WANDB_S)

    def _end_watch(self) -> None:
        self.over.set()
        self.judge.join(LOST_AFTER_S)

    def _end_children(self) -> None:
        """Kill the processes that Lightning started from this one; the others end themselves."""
        if self.trainer is not None and self.trainer.world_size > 1:
            launcher_of(self.trainer).kill(signal.SIGKILL)


def status_of(verdict: Verdict) -> int:
    """Return the exit status of all ranks."""
    return exit_status.INTERRUPTED if verdict.stopped else exit_status.FAILURE


def launcher_of(trainer: Trainer) -> Launcher:
    """Return the launcher of this node's processes."""
    launcher = trainer.strategy.launcher
    assert isinstance(launcher, Launcher)  # as `Ddp` has, the only strategy of several processes
    return launcher


def watch_store(trainer: Trainer) -> TCPStore:
    """Return a store for the heartbeats, in the process of rank 0, on a free port."""
    environment = getattr(trainer.strategy, "cluster_environment", None)
    assert environment is not None  # several processes have one
    host = LOOPBACK if trainer.num_nodes == 1 else environment.main_address
    timeout, store = timedelta(seconds=LOST_AFTER_S / 2), None
    if trainer.global_rank == 0:
        store = open_store(host, 0, serves=True, timeout=timeout)
    port = trainer.strategy.broadcast(store.port if store else 0)
    return store or open_store(host, port, serves=False, timeout=timeout)


def from_collective(error: BaseException) -> bool:
    """Return whether an error is that of a collective that another rank left."""
    words = ("gloo", "NCCL", "Connection closed by peer", "Connection reset by peer")
    return isinstance(error, DistError) or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in words)
    )
