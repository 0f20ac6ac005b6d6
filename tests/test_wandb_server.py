"""The stand-in for W&B's server where no client shows it: errors, and several agents at once."""

import base64
import json
import urllib.error
import urllib.request
from typing import Any

import pytest
import yaml

from tests.wandb_server import KEY, WandbServer


def post(server: WandbServer, query: str, key: str = KEY, **variables: Any) -> dict:
    """One GraphQL operation."""
    token = base64.b64encode(f"api:{key}".encode()).decode()
    request = urllib.request.Request(
        f"{server.url}/graphql",
        json.dumps({"query": query, "variables": variables, "operationName": ""}).encode(),
        {"Authorization": f"Basic {token}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)["data"]


def make_sweep(server: WandbServer, **config: Any) -> str:
    """A sweep of four points."""
    sweep = {
        "method": "grid",
        "parameters": {"a": {"values": [1, 2]}, "b": {"values": [None, 0.5]}},
    }
    text = yaml.safe_dump({**sweep, **config})
    made = post(server, "mutation UpsertSweep {}", config=text, projectName="p")
    return made["upsertSweep"]["sweep"]["name"]


def beat(server: WandbServer, agent: str, *alive: str) -> list[dict]:
    """The commands that an agent is given."""
    state = json.dumps(dict.fromkeys(alive, True))
    data = post(server, "mutation Heartbeat {}", id=agent, runState=state)
    return json.loads(data["agentHeartbeat"]["commands"])


def join(server: WandbServer, sweep: str) -> str:
    data = post(server, "mutation CreateAgent {}", sweep=sweep)
    return data["createAgent"]["agent"]["id"]


def test_what_it_does_not_know_is_refused_and_kept() -> None:
    """Not with a status of 500 and more: the client would ask again for twenty seconds."""
    with WandbServer() as server:
        with pytest.raises(urllib.error.HTTPError, match="400") as refused:
            post(server, "query Unheard($a: Int) { a }")
        assert b"Unheard" in refused.value.read()
        assert server.unknown == ["Unheard"]


def test_another_key_is_refused() -> None:
    with WandbServer() as server:
        with pytest.raises(urllib.error.HTTPError, match="401"):
            post(server, "query Viewer {}", key="b" * 40)
        assert post(server, "query Viewer {}")["viewer"]["entity"] == "me"


def test_agents_get_each_point_once_and_then_the_end() -> None:
    with WandbServer() as server:
        sweep = make_sweep(server)
        agents = [join(server, sweep), join(server, sweep)]
        points = []
        for _ in range(2):
            for agent in agents:
                (command,) = beat(server, agent)
                assert command["type"] == "run"
                points.append(tuple(v["value"] for v in command["args"].values()))
                assert beat(server, agent, command["run_id"]) == []
        assert set(points) == {(1, None), (1, 0.5), (2, None), (2, 0.5)}
        assert [beat(server, agent) for agent in agents] == 2 * [[{"type": "exit"}]]
        assert {run.state for run in server.runs.values()} == {"crashed"}


def test_a_cap_ends_a_random_search() -> None:
    with WandbServer() as server:
        sweep = make_sweep(server, method="random", run_cap=3)
        agent = join(server, sweep)
        kinds = [beat(server, agent)[0]["type"] for _ in range(4)]
        assert kinds == ["run", "run", "run", "exit"]


def test_a_stop_reaches_the_agent_and_a_resume_hands_the_run_out_again() -> None:
    with WandbServer() as server:
        agent = join(server, make_sweep(server))
        (first,) = beat(server, agent)
        server.stop(first["run_id"])
        assert beat(server, agent, first["run_id"]) == [{"type": "stop", "run_id": first["run_id"]}]
        (second,) = beat(server, agent)
        assert server.runs[first["run_id"]].state == "killed"
        server.resume(first["run_id"])
        assert beat(server, agent, second["run_id"]) == []
        assert beat(server, agent) == [{**first, "type": "resume"}]


def test_early_termination_stops_the_worse_run() -> None:
    """By W&B's own hyperband, from the histories that the runs sent."""
    with WandbServer() as server:
        hyperband = {"type": "hyperband", "min_iter": 1, "eta": 3}
        goal = {"name": "loss", "goal": "minimize"}
        sweep = make_sweep(server, early_terminate=hyperband, metric=goal)
        agents = [join(server, sweep), join(server, sweep)]
        good, bad = (beat(server, agent)[0]["run_id"] for agent in agents)
        for run, loss in ((good, 1.0), (bad, 10.0)):
            lines = {"offset": 0, "content": [json.dumps({"loss": loss})] * 2}
            server.file_stream(run, {"files": {"wandb-history.jsonl": lines}})
        assert beat(server, agents[0], good) == []
        assert beat(server, agents[1], bad) == [{"type": "stop", "run_id": bad}]
