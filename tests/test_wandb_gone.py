"""W&B that goes away: the training finishes, the process ends, and a line says what to do.

The real client against the stand-in server. Six cases: the server is killed (1) or frozen (2) after
the first epoch; it is closed (3) or frozen or gives errors (4) at the start; W&B's own process is
killed (5); Ctrl-C while a run waits for the server at its end (6).
"""

import json
import os
import re
import shlex
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from lightning.pytorch import Callback, LightningModule, Trainer

from lit_effnet import fit
from lit_effnet.experiment.lightning_cli import Experiment
from lit_effnet.training import wandb_logging as tracking
from tests.conftest import HUNG_S, start
from tests.test_wandb import COMMAND, Client, short
from tests.wandb_server import WandbServer


class AtEpoch(Callback):
    """Does something when the second epoch begins and the server has the first one's values."""

    def __init__(self, server: WandbServer, do: Callable[[], None]) -> None:
        self.server, self.do = server, do

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if trainer.current_epoch == 1 and not self.server.away:
            assert self.server.wait(lambda: self.server.runs["one"].history, 60)
            self.do()


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """A person's machine, and this process in its environment."""
    import wandb

    wandb.teardown()  # what other tests have set up
    with WandbServer() as server:
        client = Client(server, tmp_path)
        monkeypatch.delenv("WANDB_MODE")
        for name, value in client.environment.items():
            if name.startswith("WANDB_"):
                monkeypatch.setenv(name, value)
        yield client
        client.end()
    wandb.teardown()


def flags(client: Client, tiny: list[str], timeout: float = 2) -> list[str]:
    return [*tiny, "--run.id=one", f"--run.wandb_timeout={timeout:g}", f"--run.root={client.runs}",
            "--run.project=ablation"]  # fmt: skip


def train(client: Client, arguments: list[str], do: Callable[[], None]) -> list[str]:
    """`fit` in this process; something is done at its second epoch. Gives its warnings of W&B."""
    at_epoch = property(lambda self: [AtEpoch(client.server, do)])
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        patch.setattr(Experiment, "callbacks", at_epoch)
        fit.main(arguments)
    return [str(w.message) for w in warned if "W&B" in str(w.message)]


def record(client: Client) -> dict:
    return json.loads((client.runs / "photos" / "one" / "run.json").read_text())


def assert_sent_later(client: Client, line: str) -> None:
    """The command in a line uploads the whole run to a server that is there."""
    command = shlex.split(re.search(r"with: (wandb sync .*)$", line)[1])  # a shell's words
    with WandbServer() as server:
        client.environment["WANDB_BASE_URL"] = server.url
        done = client.run(COMMAND, *command[1:])
        assert done.returncode == 0, done.stderr
        (run,) = server.runs.values()
        assert (run.name, run.state, run.exit_code) == ("one", "finished", 0)
        assert [row["epoch"] for row in run.history if "val/top1" in row] == [0, 1]


def cores() -> list[psutil.Process]:
    """W&B's own processes under this one."""
    return [
        child
        for child in psutil.Process().children(recursive=True)
        if child.name().startswith("wandb-core") and child.status() != psutil.STATUS_ZOMBIE
    ]


@pytest.mark.parametrize("how", ["closed", pytest.param("frozen", marks=pytest.mark.slow)])
def test_a_server_that_goes_away_in_the_training_is_waited_for_so_long_and_no_longer(
    how: str, client: Client, tiny: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (line,) = train(client, flags(client, tiny), lambda: client.server.go_away(how))
    assert (record(client)["status"], record(client)["cost"]["epochs"]) == ("finished", 2)
    said = capsys.readouterr().out.splitlines()
    assert "wandb    uploading the last values, 1 s at most; Ctrl-C skips them" in said
    assert len(line) < 300
    assert line.startswith(
        "W&B did not receive all values within 2 s; upload the rest later with: "
    )
    assert cores() == []
    assert_sent_later(client, line)


@pytest.mark.parametrize(
    "how",
    ["closed", *(pytest.param(how, marks=pytest.mark.slow) for how in ("frozen", "503"))],
)
def test_where_the_server_is_away_at_the_start_the_run_is_recorded_offline_under_its_id(
    how: str, client: Client, tiny: list[str]
) -> None:
    client.server.go_away(how)
    (line,) = train(client, flags(client, tiny, timeout=1), lambda: None)
    assert len(line) < 300
    assert line.startswith("W&B does not start online (")
    assert "); it records offline; upload later with: wandb sync /" in line
    assert record(client)["status"] == "finished"
    (folder,) = (client.runs / "photos" / "one" / "wandb").glob("*run-*-one")
    assert folder.name.startswith("offline-run-")
    assert cores() == []
    assert_sent_later(client, line)


def test_a_wandb_process_that_is_killed_ends_no_run(client: Client, tiny: list[str]) -> None:
    (line,) = train(client, flags(client, tiny), lambda: [core.kill() for core in cores()])
    assert line.startswith("W&B stopped logging (its service process has ended: ")
    assert "it lacks the values from epoch 2 on" in line
    assert (record(client)["status"], record(client)["cost"]["epochs"]) == ("finished", 2)


def test_ctrl_c_while_a_finished_run_waits_for_wandb_ends_the_waiting_only(
    client: Client,
    tiny: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def press_ctrl_c(line: str) -> None:
        assert line.startswith("wandb    uploading the last values")
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(tracking, "say", press_ctrl_c)
    monkeypatch.setattr(tracking, "SILENT_S", 0.1)
    assert not train(
        client, flags(client, tiny, timeout=HUNG_S), lambda: client.server.go_away("frozen")
    )
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "stopped uploading to W&B; the run is finished; upload the rest later with: "
    )
    assert record(client)["status"] == "finished"
    assert cores() == []
    assert_sent_later(client, line)


# The same in processes of their own, whose ends are seen too.


@pytest.mark.slow
def test_the_process_of_a_run_without_its_server_ends_at_ctrl_c(
    client: Client, tiny: list[str]
) -> None:
    client.server.on_row = lambda: client.server.go_away("frozen")
    process = start(*flags(client, tiny, timeout=600), env=client.environment)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("wandb    uploading the last values"):
            process.send_signal(signal.SIGINT)
    assert process.stderr is not None
    (line,) = process.stderr.read().splitlines()
    assert process.wait() == 0
    assert line.startswith(
        "stopped uploading to W&B; the run is finished; upload the rest later with: "
    )
    assert record(client)["status"] == "finished"
    assert_sent_later(client, line)


@pytest.mark.slow
def test_the_process_of_a_run_without_its_wandb_process_ends_by_status_0(
    client: Client, tiny: list[str]
) -> None:
    server, killed = client.server, threading.Event()

    def kill() -> None:
        """While the run cannot end: the server has not answered it."""
        for child in psutil.Process(process.pid).children():
            if child.name().startswith("wandb-core"):
                child.kill()
                killed.set()

    server.on_row = kill
    process = start(*flags(client, tiny), env=client.environment)
    _, err = process.communicate()
    assert killed.is_set()
    assert process.returncode == 0
    (line,) = err.splitlines()
    assert "W&B" in line
    assert record(client)["status"] == "finished"


@pytest.mark.slow
@pytest.mark.parametrize("how", ["frozen", "closed"])
def test_a_sweeps_trial_without_its_server_frees_its_worker(how: str, client: Client) -> None:
    client.server.on_row = threading.Thread(target=client.server.go_away, args=(how,)).start
    file = short(client, **{"scaling.depth": {"values": [0.3]}})
    launcher = (sys.executable, "-m", "lit_effnet.sweep", str(file), f"--root={client.runs}")
    done = client.run(*launcher, "--", "--run.wandb_timeout=2", timeout=None)
    assert done.returncode == 0, done.stderr
    (log,) = client.runs.glob("depths/*/trial.log")
    assert (
        "W&B did not receive all values within 2 s; upload the rest later with: wandb sync --no-skip-online /"
        in (log.read_text())
    )
    (file,) = client.runs.glob("depths/*/run.json")
    assert json.loads(file.read_text())["status"] == "finished"


LOOK_UPS = """
import os, socket
for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "getfqdn"):
    def ask(*arguments, own=getattr(socket, name), name=name, **options):
        with open(os.environ["LOOK_UPS"], "a") as file:
            print(name, arguments, file=file)
        return own(*arguments, **options)
    setattr(socket, name, ask)
"""


@pytest.mark.slow
def test_an_offline_run_looks_no_name_up(client: Client, tiny: list[str], tmp_path: Path) -> None:
    client.server.environment(client.folder / "client", quick=False)
    (client.folder / "client" / "home" / "sitecustomize.py").write_text(LOOK_UPS)
    asked = {**client.environment, "LOOK_UPS": str(tmp_path / "look-ups")}
    for name in ("WANDB_BASE_URL", "WANDB_ERROR_REPORTING", "WANDB_API_KEY"):
        del asked[name]
    process = start(*flags(client, tiny), env=asked)
    _, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    assert list((client.runs / "photos" / "one" / "wandb").glob("offline-run-*-one"))
    assert not (tmp_path / "look-ups").exists()
