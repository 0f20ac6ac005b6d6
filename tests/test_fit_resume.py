"""A run that resumes is the run that was never stopped: same weights, metrics and record."""

import multiprocessing
import os
import signal
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Callback
from torch.utils.data import DataLoader

from lit_effnet import fit
from lit_effnet.data import images
from lit_effnet.experiment import trainer
from lit_effnet.orchestration.options import FORKSERVER_PRELOAD
from lit_effnet.runs.folder import RunFolder
from lit_effnet.training.checkpoints import WholeCheckpointIO
from lit_effnet.trials.process import prepare
from tests.conftest import TINY, start
from tests.test_fit import assert_same_training, checkpoint, only_run, record
from tests.test_fit_processes import spoilt

EPOCHS = 4
FLAGS = [*TINY, f"--trainer.max_epochs={EPOCHS}"]
LAST = EPOCHS - 1

POINTS = ("between epochs", "within an epoch", "before the last checkpoint", "after the last epoch")


class Stop(Callback):
    """Sends this process a signal at a named point of an epoch."""

    def __init__(self, point: str, sent: signal.Signals, epoch: int) -> None:
        self.point, self.sent, self.epoch = point, sent, epoch

    def at(self, point: str, epoch: int) -> None:
        if (point, epoch) == (self.point, self.epoch):
            os.kill(os.getpid(), self.sent)

    def on_train_epoch_start(self, trainer, pl_module) -> None:
        self.at("between epochs", trainer.current_epoch)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx) -> None:
        if batch_idx == 1:
            self.at("within an epoch", trainer.current_epoch)

    def on_train_end(self, trainer, pl_module) -> None:
        self.at("after the last epoch", self.epoch)


class LoaderOfNewWorkers(DataLoader):
    """A loader that starts its processes anew in each epoch."""

    def __init__(self, *args, **options) -> None:
        super().__init__(*args, **{**options, "persistent_workers": False})


def train_until(
    stop: Stop, flags: list[str], threads: int, persistent: bool, variables: dict[str, str]
) -> None:
    """Run `fit` in this process until a signal stops it."""
    multiprocessing.set_start_method("fork", force=True)  # of loaders, as in a process of its own
    os.environ.update(variables)
    torch.set_num_threads(threads)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if not persistent:
        images.DataLoader = LoaderOfNewWorkers
    callbacks, save = trainer.checkpoint_callbacks, WholeCheckpointIO.save_checkpoint

    def save_unless_stopped(self, checkpoint, path, storage_options=None) -> None:
        if path.endswith("last.ckpt"):
            stop.at("before the last checkpoint", checkpoint["epoch"])
        save(self, checkpoint, path, storage_options)

    WholeCheckpointIO.save_checkpoint = save_unless_stopped
    trainer.checkpoint_callbacks = lambda *a, **k: [stop, *callbacks(*a, **k)]
    fit.main(flags)


def stopped(
    point: str,
    *flags: str,
    sent: signal.Signals = signal.SIGKILL,
    epoch: int = LAST - 1,
    persistent: bool = True,
    **variables: str,
) -> int:
    """The exit status of a `fit` that is sent a signal, in a process of its own."""
    prepare(FORKSERVER_PRELOAD)
    process = multiprocessing.get_context("forkserver").Process(
        target=train_until,
        args=(
            Stop(point, sent, epoch),
            list(flags),
            torch.get_num_threads(),
            persistent,
            variables,
        ),
    )
    process.start()
    process.join()
    return process.exitcode


def assert_same_run(folder: Path, whole: Path) -> None:
    """Checkpoints and metrics are equal to the last bit, and so is what the record says of them."""
    for name in ("last", "best"):
        assert_same_training(checkpoint(whole, name), checkpoint(folder, name))
    ours, theirs = (
        [{k: v for k, v in row.items() if k != "seconds"} for row in RunFolder(f).read_metrics()]
        for f in (folder, whole)
    )
    assert ours == theirs
    ours, theirs = record(folder), record(whole)
    assert ours["status"] == "finished"
    assert (ours["metrics"], ours["best"]) == (theirs["metrics"], theirs["best"])
    assert ours["cost"]["images"] >= theirs["cost"]["images"]


def assert_same_as_left_alone(folder: Path, root: Path) -> None:
    """The run equals one of the same configuration, on as many threads, that nobody stops."""
    threads = torch.get_num_threads()
    torch.set_num_threads(record(folder)["threads"])
    fit.main([f"--config={folder / 'config.yaml'}", f"--run.root={root}", "--run.wandb=disabled"])
    torch.set_num_threads(threads)
    assert_same_run(folder, only_run(root))


@pytest.fixture(scope="module")
def left_alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nobody stopped; loader processes change nothing in it."""
    root = tmp_path_factory.mktemp("whole")
    fit.main([*FLAGS, f"--run.root={root}"])
    return only_run(root)


@pytest.mark.parametrize(("point", "workers"), [*zip(POINTS, (2, 4, 0, 2), strict=True)])
def test_a_killed_run_resumes_to_the_same_weights(
    point: str, workers: int, left_alone: Path, tmp_path: Path
) -> None:
    epoch = LAST if point == "after the last epoch" else LAST - 1
    flags = [*FLAGS, f"--data.num_workers={workers}", f"--run.root={tmp_path}"]
    assert stopped(point, *flags, epoch=epoch) == -signal.SIGKILL
    folder = only_run(tmp_path)
    assert record(folder)["status"] == "running"
    fit.main(["--resume", str(folder)])
    assert_same_run(folder, left_alone)


@pytest.mark.slow
@pytest.mark.parametrize("persistent", [True, False], ids=["persistent", "new each epoch"])
@pytest.mark.parametrize("workers", [0, 2, 4])
@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_resumes_to_the_same_weights(  # noqa: PLR0917
    sent: signal.Signals,
    workers: int,
    persistent: bool,
    left_alone: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not persistent:
        monkeypatch.setattr(images, "DataLoader", LoaderOfNewWorkers)
    flags = [*FLAGS, f"--data.num_workers={workers}", f"--run.root={tmp_path}"]
    status = stopped("within an epoch", *flags, sent=sent, persistent=persistent)
    assert status == (-sent if sent == signal.SIGKILL else 130)
    folder = only_run(tmp_path)
    fit.main(["--resume", str(folder)])
    assert_same_run(folder, left_alone)


@pytest.mark.slow
def test_a_run_that_is_stopped_twice_resumes_to_the_same_weights(
    left_alone: Path, tmp_path: Path
) -> None:
    flags = [*FLAGS, "--data.num_workers=2", f"--run.root={tmp_path}"]
    assert stopped("within an epoch", *flags, epoch=1) == -signal.SIGKILL
    folder = only_run(tmp_path)
    again = ["--resume", str(folder)]
    assert stopped("between epochs", *again, epoch=LAST, sent=signal.SIGTERM) == 130
    fit.main(again)
    assert_same_run(folder, left_alone)


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(["--recipe.global_batch=24"], id="accumulated batches"),
        pytest.param(["--trainer.reload_dataloaders_every_n_epochs=1"], id="loaders made anew"),
        pytest.param(["--trainer.val_check_interval=2"], id="validated within an epoch"),
    ],
)
def test_it_does_so_under_other_settings_of_the_trainer(flags: list[str], tmp_path: Path) -> None:
    flags = [*FLAGS, *flags, "--trainer.limit_train_batches=6", "--data.num_workers=2"]
    fit.main([*flags, f"--run.root={tmp_path / 'whole'}"])
    assert stopped("within an epoch", *flags, f"--run.root={tmp_path / 'cut'}") == -signal.SIGKILL
    folder = only_run(tmp_path / "cut")
    fit.main(["--resume", str(folder)])
    assert_same_run(folder, only_run(tmp_path / "whole"))


def test_a_slurm_job_that_is_queued_again_goes_on_in_its_run(
    left_alone: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SLURM's warning stops the run as SIGTERM does, without a checkpoint within an epoch."""
    job = {"SLURM_JOB_ID": "7", "SLURM_JOB_NAME": "a", "SLURM_NTASKS": "1"}
    job |= dict.fromkeys(("SLURM_PROCID", "SLURM_LOCALID", "SLURM_NODEID"), "0")
    flags = [*FLAGS, "--data.num_workers=2", f"--run.root={tmp_path}", "--run.id=7"]
    assert stopped("within an epoch", *flags, sent=signal.SIGUSR1, **job) == 130
    folder = only_run(tmp_path)
    assert record(folder)["status"] == "interrupted"
    assert not list(folder.rglob("hpc*"))
    for name, value in {**job, "SLURM_RESTART_COUNT": "1"}.items():
        monkeypatch.setenv(name, value)
    fit.main(flags)
    assert_same_run(folder, left_alone)
    assert [*tmp_path.glob("*/*")] == [folder]


@pytest.mark.slow
def test_two_processes_resume_to_the_same_weights(tmp_path: Path) -> None:
    flags = [*FLAGS, "--data.num_workers=2", "--trainer.devices=2", "--trainer.accelerator=cpu"]
    for name, spoil in (("whole", ""), ("cut", "KILL")):
        done = spoilt(*flags, f"--run.root={tmp_path / name}", SPOIL=spoil)
        assert (done.returncode == 0) == (name == "whole"), done.stderr
    folder = only_run(tmp_path / "cut")
    assert 0 < record(folder)["cost"]["epochs"] < EPOCHS
    again = start("--resume", str(folder))
    _, err = again.communicate()
    assert again.returncode == 0, err
    assert_same_run(folder, only_run(tmp_path / "whole"))
