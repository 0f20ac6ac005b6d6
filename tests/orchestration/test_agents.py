"""Three W&B agents on one sweep, as on three machines of which one is lost; and `--status`."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lit_effnet import sweep
from lit_effnet.trials import snapshot
from tests.conftest import HUNG_S, ROOT
from tests.test_wandb import Client, short
from tests.wandb_backend import Run
from tests.wandb_server import WandbServer

EPOCHS = 40


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Client]:
    """Where agents run; they share the folder of run folders."""
    with WandbServer() as server:
        client = Client(server, tmp_path)
        yield client
        client.end()
    assert server.unknown == []


def lose(client: Client, index: int) -> None:
    """`kill -9` on an agent and all that it started, as when its machine is gone."""
    for number in client.processes(client.agents[index]):
        with suppress(ProcessLookupError):
            os.kill(number, signal.SIGKILL)


def agent_of(client: Client, run: Run) -> int:
    """Which of the client's agents has the trial's process."""
    for index, agent in enumerate(client.agents):
        for number in client.processes(agent):
            with suppress(OSError):
                words = Path(f"/proc/{number}/cmdline").read_text()
                if f"config-{run.name}.json" in words:
                    return index
    raise AssertionError(f"no agent runs {run.name}")


@pytest.mark.slow
def test_three_agents_run_each_trial_once_and_go_on_with_that_of_a_lost_machine(
    machines: Client,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(ROOT)
    client, server = machines, machines.server
    # Only the lock counts, without a minute of waiting.
    monkeypatch.setattr(snapshot, "FRESH_S", 0.0)
    monkeypatch.setattr(snapshot, "locks_are_reliable", lambda path: True)
    long = {"trainer.max_epochs": {"value": EPOCHS}, "seed_everything": {"values": [0, 1]}}
    file = short(client, **long)
    made = client.sweep(file)
    for _ in range(3):
        client.agent(made)
    assert server.wait(lambda: any(len(run.history) > 2 for run in server.runs.values()), HUNG_S)
    lost = next(run for run in server.runs.values() if run.history)
    index = agent_of(client, lost)
    lose(client, index)
    client.agents[index].wait(HUNG_S)
    with server.lock:  # W&B's server does so after some minutes without a word
        server.gone(lost)
    assert lost.state == "crashed"
    before = client.record(lost)
    assert (before["status"], 0 < before["cost"]["epochs"] < EPOCHS) == ("running", True)
    sweep.main([str(file), f"--root={client.runs}", "--status"])
    out = capsys.readouterr().out
    assert "1 dead" in out
    assert f"epoch {before['cost']['epochs']}/{EPOCHS}" in out
    assert lost.name in out

    server.resume(lost.name)  # taken by whichever agent is free first
    assert [agent.wait(HUNG_S) for n, agent in enumerate(client.agents) if n != index] == [0, 0]
    runs = server.of_sweep(made.id)
    assert len(server.runs) == len(runs) == 6
    assert len({tuple(run.parameters.values()) for run in runs}) == 6
    for run in runs:
        assert (run.state, run.exit_code) == ("finished", 0), run.output
        assert run.inits == (2 if run is lost else 1)
        assert client.record(run)["cost"]["epochs"] == EPOCHS
        trained = [row["epoch"] for row in run.history if "train/loss" in row]
        assert trained == list(range(EPOCHS))
    sweep.main([str(file), f"--root={client.runs}", "--status"])
    assert "6 finished of 6" in capsys.readouterr().out
