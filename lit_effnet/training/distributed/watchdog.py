"""The processes of one training watch one another: where one is lost, all end, and one says why.

Without this, a rank that dies or fails leaves the others in a collective that never ends, or ends
with a message about sockets.
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

from lit_effnet.runs.folder import FAILED, INTERRUPTED, RunFolder
from lit_effnet.runs.paths import locate
from lit_effnet.training.distributed.heartbeats import (
    LOST_AFTER_S,
    TESTED,
    TESTING,
    TRAINING,
    VALIDATED,
    VALIDATING,
    RankBoard,
    Verdict,
)
from lit_effnet.training.distributed.strategy import LOOPBACK, Launcher, open_store
from lit_effnet.training.recorder import RunRecord
from lit_effnet.training.wandb_logging import finish

EVERY_S = 1.0
TIME_TO_SPEAK_S = 5.0  # that the others give the one that speaks
TIME_FOR_WANDB_S = 30.0  # to take note of the end, from a process that cannot go on




class RankWatch(Callback):
    """Ends all processes of a training where one of them dies, fails, stops or stands still.

    A dead process is missed within seconds on its own machine and within 20 s from others, an
    error or a signal reaches all within seconds, and a standstill is one after `stall_s`.

    Args:
        recorder: The run's record; the first process records in it how the run ended.
        stall_s: Seconds without a batch, from any rank, after which the training stands still.
    """

    def __init__(self, recorder: RunRecord, stall_s: float) -> None:
        self.recorder, self.stall_s = recorder, stall_s
        self.trainer: Trainer | None = None
        self.board: RankBoard | None = None  # while there are several ranks that train
        self.judge = threading.Thread()
        self.over = threading.Event()

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """Agree on the run folder, and begin to watch."""
        if trainer.world_size == 1:
            return
        self.trainer = trainer
        path = trainer.strategy.broadcast(str(self.recorder.folder.path))
        self.recorder.folder = RunFolder(locate(path))
        store = watch_store(trainer)
        self.board = RankBoard(store, trainer.global_rank, trainer.world_size, self.stall_s)
        self.board.tell()
        trainer.strategy.barrier("all ranks have told of themselves")
        self.board.listen()
        launcher_of(trainer).begun.set()
        if threading.current_thread() is threading.main_thread():
            # Before Lightning keeps the handlers to which it returns after an error.
            signal.signal(signal.SIGTERM, self._stop)
        self.over.clear()
        # In threads of their own: one that asks a frozen process for its store waits for it.
        threading.Thread(target=self._beat, name="rank-heartbeat", daemon=True).start()
        self.judge = threading.Thread(target=self._judge, name="rank-watch", daemon=True)
        self.judge.start()

    def teardown(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        """End the watch, when all have come to the end."""
        if self.board is None:
            return
        trainer.strategy.barrier("all ranks have ended")
        self._end_watch()
        trainer.strategy.barrier("no rank asks the first one's store any more")
        self.board = None

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Answer SIGTERM ourselves; Lightning's answer is a collective in the midst of others."""
        if self.board is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, self._stop)

    on_test_start = on_train_start

    def _stop(self, *_: Any) -> None:
        """Stop at once, unless this was sent because a rank of this machine has died."""
        board = self.board
        if board is None or not any(board.is_dead(told) for told, _ in board.others.values()):
            raise SIGTERMException

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """Take the others along where a person or the system stops this process."""
        if self.board is not None and isinstance(exception, KeyboardInterrupt | SystemExit):
            self.board.tell(stopped=True)
            self._end_watch()
            self._end_children()

    def on_train_batch_start(
        self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int
    ) -> None:
        """A batch has come from the loader."""
        self._move(trainer.current_epoch, TRAINING, batch_idx, 0)

    def on_before_backward(self, trainer: Trainer, pl_module: LightningModule, loss: Any) -> None:
        """The gradients come next, which all ranks share."""
        if self.board is not None:
            self._move(*self.board.mine.place[:3], 1)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """A batch is done."""
        self._move(trainer.current_epoch, TRAINING, batch_idx, 2)

    def on_validation_batch_start(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """A batch has come from the loader."""
        part = TESTING if trainer.testing else VALIDATING
        self._move(trainer.current_epoch, part, batch_idx, 0)

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """The scores of all are joined next."""
        self._move(trainer.current_epoch, TESTED if trainer.testing else VALIDATED, 0, 0)

    on_test_batch_start = on_validation_batch_start
    on_test_epoch_end = on_validation_epoch_end

    def _move(self, *place: int) -> None:
        if self.board is not None:
            self.board.move(*place)

    def await_cause(self, error: Exception) -> None:
        """Come back only if this process's error is its own.

        A collective that fails is the end of another rank; the watch knows in a moment of which,
        and ends this process.
        """
        if self.board is not None and from_collective(error):
            self.judge.join(LOST_AFTER_S + TIME_TO_SPEAK_S)

    def share(self, trainer: Trainer, line: str) -> str | None:
        """Tell all ranks of this one's error: what this one is to say, None if the first does."""
        self.trainer = trainer
        if self.board is None:  # one process, or an error before they had met
            self._end_children()
            return line
        self.board.tell(error=line)
        self._end_watch()
        if self.board.rank != 0 and self.board.is_heard(0):
            time.sleep(TIME_TO_SPEAK_S)  # a child of the first is ended by it
            return None
        time.sleep(2 * EVERY_S)  # the others ask this process for what was told
        self._end_children()
        return f"rank {self.board.rank}: {line}"

    def _beat(self) -> None:
        assert self.board is not None
        board = self.board
        while not self.over.wait(EVERY_S):
            board.tell()
            board.listen()

    def _judge(self) -> None:
        assert self.board is not None
        while not self.over.wait(EVERY_S):
            verdict = self.board.verdict()
            if verdict is not None and not self.over.is_set():
                try:
                    self._end(verdict, self.board)
                finally:  # whatever the disk or W&B say: the main thread may wait for ever
                    os._exit(STOPPED if verdict.stopped else FAILURE)

    def _end(self, verdict: Verdict, board: RankBoard) -> None:
        """What is left to do before this process ends.

        One rank speaks and the others give it time to: the first, which also records, or another
        where it is the first that is lost.
        """
        speaker = 0
        if verdict.lost and verdict.rank == 0:
            time.sleep(3 * EVERY_S)  # with the first, others on its machine may grow silent
            speaker = board.speaker(verdict.rank)
        if board.rank != speaker:
            time.sleep(TIME_TO_SPEAK_S)
            return
        again = f"go on with: python -m lit_effnet.fit --resume {self.recorder.folder.path}"
        if verdict.stopped:
            line = f"stopped (rank {verdict.rank}); {again}"
        else:
            line = f"failed: rank {verdict.rank}: {verdict.why}; {again}"
            self.recorder.record["error"] = f"rank {verdict.rank}: {verdict.why}"
        sys.stdout.flush()
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()
        self._end_children()
        if self.trainer is not None and not self.trainer.testing:  # else it has been trained
            self.recorder.write(INTERRUPTED if verdict.stopped else FAILED)
        if board.rank == 0:
            status = STOPPED if verdict.stopped else FAILURE
            finish(status, TIME_FOR_WANDB_S)

    def _end_watch(self) -> None:
        self.over.set()
        self.judge.join(LOST_AFTER_S)

    def _end_children(self) -> None:
        """End the processes that Lightning started from this one; the others end themselves."""
        if self.trainer is not None and self.trainer.world_size > 1:
            launcher_of(self.trainer).kill(signal.SIGKILL)


def launcher_of(trainer: Trainer) -> Launcher:
    """What started the other processes of this node, or found them started."""
    launcher = trainer.strategy.launcher
    assert isinstance(launcher, Launcher)  # of `Ddp`, under which alone there are several
    return launcher


def watch_store(trainer: Trainer) -> TCPStore:
    """A store of the watch's own, in the first rank's process, on a port that is free there."""
    environment = getattr(trainer.strategy, "cluster_environment", None)
    assert environment is not None  # there is one where there are several processes
    host = LOOPBACK if trainer.num_nodes == 1 else environment.main_address
    patience, store = timedelta(seconds=LOST_AFTER_S / 2), None
    if trainer.global_rank == 0:
        store = open_store(host, 0, serves=True, timeout=patience)
    port = trainer.strategy.broadcast(store.port if store else 0)
    return store or open_store(host, port, serves=False, timeout=patience)


def from_collective(error: BaseException) -> bool:
    """Whether an error is that of a collective which another rank left."""
    words = ("gloo", "NCCL", "Connection closed by peer", "Connection reset by peer")
    return isinstance(error, DistError) or (
        isinstance(error, RuntimeError) and any(word in str(error) for word in words)
    )
