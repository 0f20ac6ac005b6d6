"""State and operations of the stand-in for the W&B server, without HTTP.

The sweeps are W&B's own: its engine, the package `sweeps`, checks them and proposes their points.
"""

import json
import random
import re
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import yaml

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it defines its models in pydantic's old style
    import sweeps as engine

ENTITY = "me"
ENDED = ("finished", "failed", "crashed", "killed")


@dataclass
class Sweep:
    """A sweep: its file as it was sent, and what W&B's engine finds wrong with it."""

    id: str
    project: str
    text: str
    config: dict[str, Any]
    violations: list[str]
    state: str = "PENDING"

    @property
    def path(self) -> str:
        """What `wandb agent` is given."""
        return f"{ENTITY}/{self.project}/{self.id}"


@dataclass
class Run:
    """A run as W&B's pages would show it."""

    name: str
    project: str
    sweep: str | None = None
    parameters: dict[str, Any] = field(default_factory=dict)  # what the sweep asks for
    state: str = "pending"
    exit_code: int | None = None
    group: str | None = None
    display_name: str | None = None
    upserts: int = 0
    inits: int = 0  # how many `wandb.init` began or took it up
    stop_asked: bool = False
    config_sent: dict[str, Any] = field(default_factory=dict)
    streams: dict[str, list[str]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)

    @property
    def config(self) -> dict[str, Any]:
        """Plain values, without W&B's own."""
        return {k: v["value"] for k, v in self.config_sent.items() if k != "_wandb"}

    @property
    def history(self) -> list[dict[str, Any]]:
        """What was logged, a row for each step."""
        return [json.loads(line) for line in self.streams.get("wandb-history.jsonl", [])]

    @property
    def summary(self) -> dict[str, Any]:
        """The last values."""
        lines = self.streams.get("wandb-summary.json", [])
        return json.loads(lines[-1]) if lines else {}

    @property
    def output(self) -> str:
        """What the process printed, as W&B caught it."""
        return "\n".join(self.streams.get("output.log", []))

    def seen_by_engine(self) -> engine.SweepRun:
        """The run as W&B's engine takes it: a point counts by what the run says it is."""
        asked = {key: {"value": value} for key, value in self.parameters.items()}
        return engine.SweepRun(
            name=self.name,
            state=self.state,
            config={**asked, **self.config_sent},
            history=self.history,
            summary_metrics=self.summary,
            exitcode=self.exit_code,
        )


@dataclass
class Agent:
    """An agent, and the run that it works on."""

    id: str
    sweep: str
    run: str | None = None


class RefusedError(Exception):
    """An answer other than 200; never one of 500 and more, which the client retries for long."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class WandbBackend:
    """Sweeps, runs and agents, and a method for each GraphQL operation of W&B's clients."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.sweeps: dict[str, Sweep] = {}
        self.runs: dict[str, Run] = {}
        self.agents: dict[str, Agent] = {}
        self.requests: list[str] = []
        self.unknown: list[str] = []
        self.resumes: list[str] = []
        self.on_row: Callable[[], Any] = lambda: None  # called at each row of a history
        self.lock = threading.Condition(threading.RLock())
        self.operations: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "Viewer": self.viewer,
            "UpsertSweep": self.upsert_sweep,
            "SweepWithRuns": self.sweep_with_runs,
            "CreateAgent": self.create_agent,
            "Heartbeat": self.heartbeat,
            "UpsertBucket": self.upsert_bucket,
            "RunResumeStatus": self.run_resume_status,
            "CreateRunFiles": self.create_run_files,
            "ServerFeaturesQuery": lambda _: {"serverInfo": {"features": []}},
            "OrganizationCoreWeaveOrganizationID": lambda _: {
                "entity": {"organization": {"coreWeaveOrganizationId": None}}
            },
        }

    def wait(self, condition: Callable[[], Any], timeout: float) -> Any:
        """The condition's first true value, or its last one when the time is over."""
        with self.lock:
            self.lock.wait_for(condition, timeout)
            return condition()

    def of_sweep(self, sweep: str) -> list[Run]:
        """The runs of a sweep, in the order in which they were handed out."""
        return [run for run in self.runs.values() if run.sweep == sweep]

    def stop(self, run: str) -> None:
        """What the button "stop run" does: its agent ends the process."""
        with self.lock:
            self.runs[run].stop_asked = True

    def resume(self, run: str) -> None:
        """Hand the run out again, to the next agent that has nothing to do."""
        with self.lock:
            self.comes_back(self.runs[run])
            self.resumes.append(run)
            for agent in self.agents.values():  # which may not have told yet that it ended
                agent.run = None if agent.run == run else agent.run

    # GraphQL: a method for each operation, from its variables to its data.

    def query(self, body: dict[str, Any]) -> dict[str, Any]:
        """Answer one operation; W&B's public client names it in the query's text only."""
        named = re.search(r"\b(?:query|mutation)\s+(\w+)", body["query"])
        name = named[1] if named else body.get("operationName") or "no name"
        with self.lock:
            self.requests.append(name)
            if name not in self.operations:
                self.unknown.append(name)
                raise RefusedError(400, f"the stand-in does not know the operation {name}")
            data = self.operations[name](body.get("variables") or {})
            self.lock.notify_all()
            return data

    def viewer(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Whose the key is."""
        teams = {"edges": [{"node": {"name": ENTITY}}]}
        names = {"id": ENTITY, "entity": ENTITY, "username": ENTITY, "email": "me@example.com"}
        return {"viewer": {**names, "flags": "{}", "teams": teams}}

    def upsert_sweep(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Make a sweep, or change one's file or state; as with W&B a bad file is a warning only."""
        if variables.get("id"):
            sweep = next(s for s in self.sweeps.values() if s.id == variables["id"])
            sweep.state = variables.get("state") or sweep.state
        else:
            name = f"sweep{len(self.sweeps):03d}"
            project = variables.get("projectName") or "uncategorized"
            sweep = self.sweeps[name] = Sweep(name, project, "", {}, [])
        if variables.get("config") and yaml.safe_load(variables["config"]):
            sweep.text = variables["config"]
            sweep.config = yaml.safe_load(sweep.text)
            sweep.violations = engine.schema_violations_from_proposed_config(sweep.config)
        return {
            "upsertSweep": {
                "sweep": {"name": sweep.id, "project": self.project(sweep.project)},
                "configValidationWarnings": sweep.violations,
            }
        }

    def sweep_with_runs(self, variables: dict[str, Any]) -> dict[str, Any]:
        """A sweep's file, from which an agent takes the command; null where there is none."""
        sweep = self.sweeps.get(variables["sweep"])
        if sweep is None or sweep.project != variables["project"]:
            return {"project": {"sweep": None}}
        told = {"id": sweep.id, "name": sweep.id, "config": sweep.text, "state": sweep.state}
        return {"project": {"sweep": {**told, "runs": {"edges": []}}}}

    def create_agent(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Take an agent in."""
        agent = Agent(f"agent{len(self.agents):03d}", variables["sweep"])
        self.agents[agent.id] = agent
        if self.sweeps[agent.sweep].state == "PENDING":
            self.sweeps[agent.sweep].state = "RUNNING"
        return {"createAgent": {"agent": {"id": agent.id}}}

    def heartbeat(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Take note of what the agent's run does, and say what to do next."""
        agent = self.agents.get(variables["id"])
        if agent is None or agent.sweep not in self.sweeps:
            raise RefusedError(404, "agent or sweep not found")
        alive = json.loads(variables.get("runState") or "{}")
        if agent.run is not None and agent.run not in alive:
            self.gone(self.runs[agent.run])
            agent.run = None
        sweep = self.sweeps[agent.sweep]
        if sweep.state == "CANCELED":
            commands = [{"type": "exit"}]
        elif alive:
            self.stop_early(sweep)
            stopped = [run for run in alive if self.runs[run].stop_asked]
            commands = [{"type": "stop", "run_id": run} for run in stopped]
        else:
            commands = self.next_commands(agent, sweep)
        return {"agentHeartbeat": {"agent": {"id": agent.id}, "commands": json.dumps(commands)}}

    def upsert_bucket(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Make a run or change what is known of it; its process lives."""
        name, sweep = variables["name"], variables.get("sweep")
        if sweep and sweep not in self.sweeps:
            raise RefusedError(404, f"sweep {sweep} not found")
        inserted = name not in self.runs
        run = self.runs.setdefault(name, Run(name, variables.get("project") or "uncategorized"))
        run.upserts += 1
        run.inits += variables.get("host") is not None  # a process says it once
        run.sweep = sweep or run.sweep
        run.group = variables.get("groupName") or run.group
        run.display_name = variables.get("displayName") or run.display_name or name
        run.project = variables.get("project") or run.project
        run.config_sent |= json.loads(variables.get("config") or "{}")
        if run.state not in ENDED:
            run.state = "running"
        return {"upsertBucket": {"bucket": self.bucket(run), "inserted": inserted}}

    def run_resume_status(self, variables: dict[str, Any]) -> dict[str, Any]:
        """How far a run is whose process comes back; null for one that never began."""
        project = self.project(variables.get("project") or "uncategorized")
        run = self.runs.get(variables["name"])
        if run is None or not run.config_sent:
            return {"model": {**project, "bucket": None}}
        self.comes_back(run)
        return {"model": {**project, "bucket": self.bucket(run)}}

    def create_run_files(self, variables: dict[str, Any]) -> dict[str, Any]:
        """Where to upload files: here."""
        run = variables["run"]
        files = [
            {"name": f, "uploadUrl": f"{self.url}/upload/{run}/{f}"} for f in variables["files"]
        ]
        return {"createRunFiles": {"runID": run, "uploadHeaders": [], "files": files}}

    # What the operations share.

    def project(self, name: str) -> dict[str, Any]:
        """A project as all answers show it."""
        return {"id": name, "name": name, "entity": {"id": ENTITY, "name": ENTITY}}

    def bucket(self, run: Run) -> dict[str, Any]:
        """A run as its own process is shown it."""
        logs = ("output.log", "wandb-history.jsonl", "wandb-events.jsonl")
        output, history, events = (run.streams.get(name, []) for name in logs)
        return {
            "id": run.name,
            "name": run.name,
            "displayName": run.display_name,
            "config": json.dumps(run.config_sent),
            "sweepName": run.sweep,
            "project": self.project(run.project),
            "summaryMetrics": json.dumps(run.summary),
            "logLineCount": len(output),
            "historyLineCount": len(history),
            "historyTail": json.dumps(history[-1:]),
            "eventsLineCount": len(events),
            "eventsTail": json.dumps(events[-1:]),
            # Without the key "t" the client takes the run for one that never started.
            "wandbConfig": json.dumps({"t": 1}),
        }

    def next_commands(self, agent: Agent, sweep: Sweep) -> list[dict[str, Any]]:
        """For an agent with nothing to do: a run to take up, a new one, or the end."""
        kind = "resume"
        run = next(
            (self.runs[name] for name in self.resumes if self.runs[name].sweep == sweep.id), None
        )
        if run is not None:
            self.resumes.remove(run.name)
        elif sweep.state == "PAUSED":
            return []
        else:
            kind, run = "run", self.next_run(sweep)
        if run is None:
            return [{"type": "exit"}]
        agent.run = run.name
        arguments = {key: {"value": value} for key, value in run.parameters.items()}
        program = sweep.config.get("program")
        return [{"type": kind, "run_id": run.name, "program": program, "args": arguments}]

    def next_run(self, sweep: Sweep) -> Run | None:
        """The sweep's next point by W&B's engine, under a name of its own."""
        runs = self.of_sweep(sweep.id)
        if sweep.state == "FINISHED" or len(runs) >= sweep.config.get("run_cap", float("inf")):
            return None
        state = random.getstate()
        random.seed(len(runs))  # the same points in every test
        point = engine.next_run(sweep.config, [run.seen_by_engine() for run in runs])
        random.setstate(state)
        if point is None:
            return None
        # Where numpy is newer than the engine asks for, the values are numpy's.
        plain = json.loads(json.dumps(point.config, default=lambda value: value.item()))
        parameters = {key: entry["value"] for key, entry in plain.items()}
        run = Run(f"{sweep.id}-{len(runs)}", sweep.project, sweep.id, parameters)
        self.runs[run.name] = run
        return run

    def stop_early(self, sweep: Sweep) -> None:
        """Ask those runs to stop that the sweep's early termination gives up."""
        if "early_terminate" in sweep.config:
            runs = [run.seen_by_engine() for run in self.of_sweep(sweep.id)]
            for run in engine.stop_runs(sweep.config, runs):
                self.runs[run.name].stop_asked = True

    def comes_back(self, run: Run) -> None:
        """The run is to have a process again."""
        run.state, run.exit_code, run.stop_asked = "pending", None, False

    def gone(self, run: Run) -> None:
        """The agent no longer has the run's process; it said how it ended, or it crashed."""
        if run.state not in ENDED:
            run.state = "killed" if run.stop_asked else "crashed"

    def file_stream(self, name: str, body: dict[str, Any]) -> dict[str, Any]:
        """Lines of a run's files, from an offset on, and the process's exit status at its end."""
        with self.lock:
            run = self.runs[name]
            for file, chunk in (body.get("files") or {}).items():
                lines = run.streams.setdefault(file, [])
                lines[chunk["offset"] : chunk["offset"] + len(chunk["content"])] = chunk["content"]
                if file == "wandb-history.jsonl":
                    self.on_row()
            if body.get("complete"):
                run.exit_code = body.get("exitcode") or 0
                failed = "killed" if run.stop_asked else "failed"
                run.state = failed if run.exit_code else "finished"
            elif run.state == "pending":
                run.state = "running"
            self.lock.notify_all()
        return {"exitcode": None, "limits": {}}

    def upload(self, name: str, file: str, content: bytes) -> None:
        """Keep a file of a run."""
        with self.lock:
            self.runs[name].files[file] = content
