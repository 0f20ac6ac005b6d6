"""The real `wandb` commands and trials of `fit`, against a stand-in for W&B's server."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import HUNG_S, ROOT, TINY
from tests.test_fit_resume import assert_same_as_left_alone
from tests.wandb_backend import Run, Sweep
from tests.wandb_server import WandbServer

SWEEPS = sorted((ROOT / "sweeps").glob("*.yaml"))
COMMAND = str(Path(sys.executable).with_name("wandb"))

SWEEP = """
project: ablation
method: grid
metric: {name: val/top1, goal: maximize}
command:
  - ${env}
  - ${interpreter}
  - -m
  - lit_effnet.fit
  - --run.group=depths
  - --config
  - ${args_json_file}
parameters:
  scaling.depth: {values: [0.3, 0.5, 0.7]}
  scaling.phi: {value: null}
  seed_everything: {value: 3}
"""


class Client:
    """A person's machine: W&B's commands, in an environment that knows the stand-in only."""

    def __init__(self, server: WandbServer, folder: Path) -> None:
        self.server = server
        self.folder = folder
        self.runs = folder / "runs"
        self.environment = server.environment(folder / "client")
        self.agents: list[subprocess.Popen] = []

    def run(
        self, *command: str, timeout: float = HUNG_S, **variables: str
    ) -> subprocess.CompletedProcess:
        """A command to its end."""
        return subprocess.run(
            command,
            cwd=ROOT,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def sweep(self, file: Path) -> Sweep:
        """`wandb sweep`, and what the server made of it."""
        done = self.run(COMMAND, "sweep", str(file))
        assert done.returncode == 0, done.stderr
        return self.server.sweeps[re.search(r"sweep with ID: (\S+)", done.stderr)[1]]

    def agent(self, sweep: Sweep, *flags: str) -> subprocess.Popen:
        """`wandb agent` in the background; its trials and itself end with the test."""
        log = self.folder / f"agent-{len(self.agents)}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                [COMMAND, "agent", *flags, sweep.path],
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.agents.append(process)
        return process

    def processes(self, agent: subprocess.Popen) -> list[int]:
        """An agent and its trials: each has a process group of its own, in one session."""
        numbers = [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]
        found = []
        for number in numbers:
            with suppress(ProcessLookupError, PermissionError):
                if os.getsid(number) == agent.pid:
                    found.append(number)
        return found

    def kill_trial(self, run: Run) -> None:
        """`kill -9` on the trial's process."""
        for number in self.processes(self.agents[-1]):
            words = Path(f"/proc/{number}/cmdline").read_text().split("\0")
            if any(f"config-{run.name}.json" in word for word in words):
                os.kill(number, signal.SIGKILL)

    def end(self) -> None:
        """Kill what is left."""
        for agent in self.agents:
            for number in self.processes(agent):
                with suppress(ProcessLookupError):
                    os.kill(number, signal.SIGKILL)
            agent.wait(HUNG_S)

    def record(self, run: Run) -> dict[str, Any]:
        """The run folder's record; there is one folder of the run's name."""
        (file,) = self.runs.glob(f"*/{run.name}/run.json")
        return json.loads(file.read_text())


@pytest.fixture
def server() -> Iterator[WandbServer]:
    """A stand-in that must have known all that it was asked."""
    with WandbServer() as server:
        yield server
    assert server.unknown == []


@pytest.fixture
def client(server: WandbServer, tmp_path: Path) -> Iterator[Client]:
    client = Client(server, tmp_path)
    yield client
    client.end()


def short(client: Client, text: str = SWEEP, *flags: str, **parameters: Any) -> Path:
    """A sweep file whose trials last a second, into the client's folder.

    The flags stand behind the agent's file, where they would overrule what the sweep varies.
    """
    sweep = yaml.safe_load(text)
    sweep["parameters"] |= parameters
    flags = (*TINY, "--trainer.max_epochs=1", f"--run.root={client.runs}", *flags)
    varied = sweep["parameters"]
    sweep["command"] += [f for f in flags if f.removeprefix("--").split("=")[0] not in varied]
    file = client.folder / "sweep.yaml"
    file.write_text(yaml.safe_dump(sweep, sort_keys=False))
    return file


def assert_whole(client: Client, run: Run) -> None:
    """A finished trial: its point is what was trained, and W&B has what the run folder has."""
    assert (run.state, run.exit_code, run.inits) == ("finished", 0, 1), run.output
    assert run.project == (client.server.sweeps[run.sweep].project if run.sweep else "ablation")
    record = client.record(run)
    (file,) = client.runs.glob(f"*/{run.name}/config.yaml")
    config = yaml.safe_load(file.read_text())
    for key, value in run.parameters.items():
        group, _, name = key.partition(".")
        assert (config[group][name] if name else config[group]) == value, key
    # The engine knows a point by its dotted keys; the rest is the configuration.
    assert run.config == {**config, **run.parameters, "run": run.config["run"]}
    assert {"scaling", "model", "recipe", "data", "trainer"} <= run.config.keys()
    logged = {key: row[key] for row in run.history for key in row if "/" in key}
    for key in ("val/top1", "val/loss", "train/loss"):
        assert logged[key] == pytest.approx(record["metrics"][key])
        assert run.summary[key] == pytest.approx(record["metrics"][key])


def test_a_sweep_is_made_without_a_warning(client: Client) -> None:
    done = client.run(COMMAND, "sweep", str(short(client)))
    (sweep,) = client.server.sweeps.values()
    assert done.returncode == 0
    assert done.stderr.splitlines()[-1] == f"wandb: Run sweep agent with: wandb agent {sweep.path}"
    assert sweep.path == f"me/ablation/{sweep.id}"
    assert "alformed" not in done.stderr
    assert "WARN" not in done.stderr
    assert sweep.violations == []
    assert sweep.config["parameters"]["scaling.phi"] == {"value": None}


def test_a_mistake_in_a_sweep_is_a_warning(client: Client) -> None:
    """W&B makes the sweep all the same, so that the test above would see nothing without it."""
    done = client.run(COMMAND, "sweep", str(short(client, **{"scaling.depth": {"vlaues": [1]}})))
    (sweep,) = client.server.sweeps.values()
    assert done.returncode == 0
    assert sweep.violations
    assert "Malformed sweep config detected" in done.stderr


def test_a_sweep_can_be_cancelled(client: Client) -> None:
    sweep = client.sweep(short(client))
    done = client.run(COMMAND, "sweep", "--cancel", sweep.path)
    assert done.returncode == 0, done.stderr
    assert sweep.state == "CANCELED"


def test_without_a_key_one_line_says_so(client: Client) -> None:
    del client.environment["WANDB_API_KEY"]
    done = client.run(COMMAND, "sweep", str(short(client)))
    assert done.returncode == 1
    assert "Error: No API key configured. Use `wandb login` to log in." in done.stderr.splitlines()
    assert client.server.sweeps == {}


@pytest.mark.slow
def test_each_trial_is_one_run_of_the_point_that_was_asked_for(client: Client) -> None:
    sweep = client.sweep(short(client))
    agent = client.agent(sweep, "--count", "3")
    assert agent.wait(HUNG_S) == 0
    runs = client.server.of_sweep(sweep.id)
    assert [run.parameters["scaling.depth"] for run in runs] == [0.3, 0.5, 0.7]
    assert len(client.server.runs) == len(runs)
    for run in runs:
        assert_whole(client, run)
        assert run.parameters["scaling.phi"] is run.config["scaling"]["phi"] is None
        assert client.record(run)["scaling"]["depth"] == run.parameters["scaling.depth"]
        assert client.record(run)["seed"] == 3


@pytest.mark.slow
def test_two_processes_are_still_one_run(client: Client) -> None:
    flags = ("--trainer.devices=2", "--trainer.strategy=ddp", "--trainer.accelerator=cpu")
    depths = {"scaling.depth": {"values": [0.3, 0.5]}}
    sweep = client.sweep(short(client, SWEEP, *flags, **depths))
    agent = client.agent(sweep)
    assert agent.wait(HUNG_S) == 0
    runs = client.server.of_sweep(sweep.id)
    assert len(client.server.runs) == len(runs) == 2
    for run in runs:
        assert_whole(client, run)
        assert client.record(run)["processes"] == 2


@pytest.mark.slow
def test_two_agents_share_a_sweep(client: Client) -> None:
    sweep = client.sweep(short(client, **{"seed_everything": {"values": [0, 1]}}))
    sweep.config["run_cap"] = 4
    agents = [client.agent(sweep), client.agent(sweep)]
    assert [agent.wait(HUNG_S) for agent in agents] == [0, 0]
    runs = client.server.of_sweep(sweep.id)
    assert len(client.server.runs) == len(runs) == 4
    assert len({tuple(run.parameters.values()) for run in runs}) == 4
    for run in runs:
        assert_whole(client, run)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("end", "state", "exit_code", "status"),
    [("stop", "killed", 130, "interrupted"), ("kill -9", "crashed", None, "running")],
)
def test_a_trial_that_was_ended_is_resumed_in_its_folder(
    end: str, state: str, exit_code: int | None, status: str, client: Client
) -> None:
    """It goes on from its last epoch when the server hands it out again, and is one run."""
    server, epochs = client.server, 100
    long = {"scaling.depth": 0.3, "trainer.max_epochs": epochs, "data.num_workers": 2}
    sweep = client.sweep(short(client, **{key: {"value": long[key]} for key in long}))
    agent = client.agent(sweep, "--count", "2")
    assert server.wait(lambda: any(run.history for run in server.runs.values()), HUNG_S)
    (run,) = server.runs.values()
    sweep.state = "FINISHED"  # the agent gets no other trial
    if end == "stop":
        server.stop(run.name)
    else:
        client.kill_trial(run)
    assert agent.wait(HUNG_S) == 0
    assert (run.state, run.exit_code) == (state, exit_code), run.output
    ended = client.record(run)
    assert ended["status"] == status
    assert 0 < ended["cost"]["epochs"] < epochs

    server.resume(run.name)
    agent = client.agent(sweep)
    assert agent.wait(HUNG_S) == 0
    assert (run.state, run.exit_code, run.inits) == ("finished", 0, 2), run.output
    assert len(server.runs) == 1
    record = client.record(run)
    assert (record["status"], record["cost"]["epochs"]) == ("finished", epochs)
    trained = [row["epoch"] for row in run.history if "train/loss" in row]
    assert trained == list(range(epochs))
    (folder,) = client.runs.glob(f"*/{run.name}")
    assert_same_as_left_alone(folder, client.folder / "left alone")


@pytest.mark.slow
def test_a_trial_that_fails_is_seen_and_the_next_one_runs(client: Client) -> None:
    """One is refused before it begins, one fails in training."""
    parameters = {
        "scaling.depth": {"value": 0.3},
        "trainer.max_steps": {"values": ["many", 0, -1]},
    }
    sweep = client.sweep(short(client, **parameters))
    agent = client.agent(sweep)
    assert agent.wait(HUNG_S) == 0
    refused, failed, finished = client.server.of_sweep(sweep.id)
    assert (refused.state, refused.exit_code, refused.upserts) == ("crashed", None, 0)
    assert (failed.state, failed.exit_code) == ("failed", 1)
    assert client.record(failed)["status"] == "failed"
    assert_whole(client, finished)


@pytest.mark.slow
def test_an_offline_run_is_uploaded_later(client: Client) -> None:
    flags = [*TINY, "--trainer.max_epochs=1", f"--run.root={client.runs}", "--run.project=ablation"]
    fit = (sys.executable, "-m", "lit_effnet.fit", *flags, "--run.group=arms", "--run.id=one")
    trained = client.run(*fit, WANDB_MODE="offline", timeout=HUNG_S)
    assert trained.returncode == 0, trained.stderr
    assert client.server.requests == []
    (offline,) = client.runs.glob("arms/one/wandb/offline-run-*")
    done = client.run(COMMAND, "sync", str(offline))
    assert done.returncode == 0, done.stderr
    (run,) = client.server.runs.values()
    assert (run.name, run.group, run.sweep) == ("one", "arms", None)
    assert_whole(client, run)


@pytest.mark.parametrize("file", SWEEPS, ids=[file.stem for file in SWEEPS])
def test_every_sweep_of_the_project_is_accepted_without_a_warning(
    file: Path, client: Client
) -> None:
    done = client.run(COMMAND, "sweep", f"sweeps/{file.name}")
    (sweep,) = client.server.sweeps.values()
    assert done.returncode == 0
    assert sweep.violations == []
    assert "alformed" not in done.stderr
    assert "WARN" not in done.stderr
    assert sweep.project == "lit_effnet"
    assert sweep.config == yaml.safe_load(file.read_text())


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2])
def test_an_agent_runs_the_scaling_ablation_on_the_photographs(
    processes: int, client: Client
) -> None:
    client.environment["LIT_EFFNET_ON"] = "photos"
    sweep = yaml.safe_load((ROOT / "sweeps/scaling_ablation.yaml").read_text())
    sweep["command"] += [
        "--trainer.max_epochs=1", "--trainer.limit_train_batches=3", "--trainer.limit_val_batches=2",
        f"--run.root={client.runs}", "--trainer.strategy=ddp", "--trainer.accelerator=cpu",
        f"--trainer.devices={processes}",
    ]  # fmt: skip
    if processes == 1:
        sweep["command"].remove("--trainer.strategy=ddp")
    file = client.folder / "scaling_ablation.yaml"
    file.write_text(yaml.safe_dump(sweep, sort_keys=False))
    made = client.sweep(file)
    assert client.agent(made, "--count", "3").wait(HUNG_S) == 0
    runs = client.server.of_sweep(made.id)
    assert [(run.parameters["scaling.arm"], run.parameters["seed_everything"]) for run in runs] == [
        ("baseline", 0), ("baseline", 1), ("baseline", 2),
    ]  # fmt: skip
    assert len(client.server.runs) == 3
    for run in runs:
        assert_whole(client, run)
        record = client.record(run)
        assert (record["arm"], record["data"]["name"]) == ("baseline", "photos")
        assert (record["processes"], run.inits) == (processes, 1)
        assert record["group"] == run.group == "scaling_ablation_photos"


@pytest.mark.slow
def test_the_launcher_runs_the_trials_that_the_agent_runs(client: Client) -> None:
    """The same file, the same points in the same order; what a trial trains is the same too."""
    file = short(client)
    made = client.sweep(file)
    assert client.agent(made).wait(HUNG_S) == 0
    agents = [client.record(run) for run in client.server.of_sweep(made.id)]
    root = client.folder / "launched"
    launcher = (sys.executable, "-m", "lit_effnet.sweep", str(file), f"--root={root}")
    done = client.run(*launcher, "--workers=1", timeout=HUNG_S, WANDB_MODE="offline")
    assert done.returncode == 0, done.stderr
    files = sorted(root.glob("depths/*/run.json"), key=lambda path: path.stat().st_mtime)
    ours = [json.loads(path.read_text()) for path in files]
    assert len(ours) == len(agents) == 3
    for mine, theirs in zip(ours, agents, strict=True):
        for key in ("arm", "seed", "config_hash", "scaling", "recipe", "complexity"):
            assert mine[key] == theirs[key], key
        # The last digits depend on the number of threads.
        assert mine["metrics"] == pytest.approx(theirs["metrics"], rel=1e-4)


@pytest.mark.slow
def test_what_the_launcher_recorded_offline_is_uploaded_with_its_group(client: Client) -> None:
    file = short(client, **{"scaling.depth": {"values": [0.3, 0.5]}})
    launcher = (sys.executable, "-m", "lit_effnet.sweep", str(file), f"--root={client.runs}")
    done = client.run(*launcher, timeout=HUNG_S, WANDB_MODE="offline")
    assert done.returncode == 0, done.stderr
    assert client.server.requests == []
    for offline in client.runs.glob("depths/*/wandb/offline-run-*"):
        synced = client.run(COMMAND, "sync", str(offline))
        assert synced.returncode == 0, synced.stderr
    assert len(client.server.runs) == 2
    for run in client.server.runs.values():
        assert (run.group, run.sweep) == ("depths", None)
        assert_whole(client, run)
