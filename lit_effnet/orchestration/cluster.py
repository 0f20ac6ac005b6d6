"""A sweep on many machines: what a trial asks of them, Ray, and SLURM's job arrays."""

import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from math import floor
from pathlib import Path
from typing import Any

from rich.console import Console

from lit_effnet.orchestration.live import close, watch
from lit_effnet.orchestration.planner import MODULE, PRELOADED, Options, Planner
from lit_effnet.orchestration.validate import Checked
from lit_effnet.runs.machine import available_cores
from lit_effnet.runs.paths import local
from lit_effnet.trials import ray_cluster, slurm
from lit_effnet.trials.command import SETTING
from lit_effnet.trials.launch import Launch
from lit_effnet.trials.ledger import Entry, Status
from lit_effnet.trials.process import Share
from lit_effnet.trials.ray_cluster import Node, RayCluster
from lit_effnet.trials.source import Listed
from lit_effnet.trials.sweep_file import load, problems


@dataclass(frozen=True)
class Resources:
    """What of a machine one trial gets; each may be a fraction."""

    cpus: float
    gpus: float


def devices_of(configs: Sequence[Any]) -> tuple[int, bool]:
    """Most devices that a trial's trainer asks for, and whether they may be GPUs.

    Raises:
        ValueError: a trial that wants several machines for itself.
    """
    most, on_gpu = 1, False
    for config in configs:
        trainer = config.trainer
        if trainer.num_nodes != 1:
            raise ValueError(
                f"trainer.num_nodes {trainer.num_nodes}: must be 1, a trial runs on one node"
            )
        devices = trainer.devices
        if isinstance(devices, str):
            devices = int(devices) if devices.isdigit() else devices.split(",")
        count = devices if isinstance(devices, int) else len(devices)
        most = max(most, count)
        on_gpu = on_gpu or str(trainer.accelerator) in ("auto", "gpu", "cuda")
    return most, on_gpu


def resources(
    configs: Sequence[Any], cpus: float | None, gpus: float | None, nodes: Sequence[Node]
) -> Resources:
    """What a trial gets: what was asked for, else by its trainer's devices.

    Args:
        configs: The trials' configurations.
        cpus: CPUs that were asked for; by itself a GPU's share of its node, else one a device.
        gpus: GPUs that were asked for; by itself one a device where any node has one.
        nodes: The machines.
    """
    devices, on_gpu = devices_of(configs)
    with_gpus = [node for node in nodes if node.gpus]
    if gpus is None:
        gpus = devices if with_gpus and on_gpu else 0
    if cpus is None:
        share = min((node.cpus / node.gpus for node in with_gpus), default=1.0)
        cpus = max(1, floor(share * gpus)) if gpus else devices
    return Resources(cpus, gpus)


def on_ray(planner: Planner, flags: Any, screen: Console) -> tuple[RayCluster, list[Share]]:
    """The cluster to run on, and a share for each trial that may be with it at a time.

    Raises:
        ValueError: there is no such cluster, or it cannot run the trials.
    """
    with screen.status(f"joining Ray ({flags.ray})"):
        nodes = ray_cluster.connect(flags.ray)
        configs = [*planner.configs.values()]
        given = resources(configs, flags.cpus_per_trial, flags.gpus_per_trial, nodes)
        ray_cluster.check_resources(nodes, given.cpus, given.gpus)
        ray_cluster.check_folders(nodes, planner.options.root)
    room = sum(node.room(given.cpus, given.gpus) for node in nodes)
    count = flags.workers or room
    each = f"{given.cpus:g} CPU" + (f", {given.gpus:g} GPU" if given.gpus else "")
    screen.print(f"ray: {len(nodes)} nodes; {count} trials at a time, {each} each")
    cluster = RayCluster(given.cpus, given.gpus, PRELOADED)
    return cluster, [Share(max(1, floor(given.cpus)), {})] * count


def write_job(file: Path, checked: Checked, flags: Any, screen: Console) -> None:
    """Write the script of a job array that runs what is missing of a sweep.

    Raises:
        ValueError: a search whose trials follow from one another, or nothing is missing.
    """
    planner = checked.planner
    assert planner is not None
    sweep, options, target = planner.sweep, planner.options, local(flags.slurm, "--slurm")
    if sweep.method == "bayes":
        raise ValueError(
            "--slurm: a bayes search needs each trial's result for the next; use --ray"
        )
    to_run = (Status.MISSING, Status.BEGUN, *([Status.FAILED] if flags.retry_failed else []))
    numbers = [t.number for t in checked.unlike if Entry(t.folder).status() in to_run]
    if not numbers:
        raise ValueError(f"--slurm {target}: nothing is missing, there is no script to write")
    # The machine that a job is written on need not have what it will run on.
    given = resources([*planner.configs.values()], flags.cpus_per_trial, flags.gpus_per_trial, ())
    if given.cpus != floor(given.cpus) or given.gpus != floor(given.gpus):
        raise ValueError("--slurm: --cpus_per_trial and --gpus_per_trial must be whole numbers")
    own = [str(file), f"--root={options.root}", f"--seed={options.seed}"]
    own += [f"--count={options.count}"] if options.count is not None else []
    own += [f"--repeats={options.repeats}"] if options.repeats is not None else []
    own += [f"--rates={flags.rates}"] if flags.rates is not None else []
    own += ["--retry-failed"] if flags.retry_failed else []
    setting = os.environ.get(SETTING)
    job = slurm.Job(
        name=sweep.name,
        numbers=numbers,
        at_a_time=flags.workers,
        cpus=int(given.cpus),
        gpus=int(given.gpus),
        options=shlex.split(flags.sbatch or ""),
        command=[sys.executable, "-m", "lit_effnet.sweep", *own],
        extra=options.extra,
        folder=str(Path.cwd()),
        logs=str(options.root.resolve()),
        variables={SETTING: setting} if setting else {},
    )
    written_by = shlex.join(["python", "-m", "lit_effnet.sweep", *sys.argv[1:]])
    target.write_text(slurm.script(job, str(target), written_by), encoding="utf-8")
    target.chmod(0o755)
    screen.print(f"{len(numbers)} trials; submit them by: sbatch {target}", soft_wrap=True)
    if flags.gpus_per_trial is None:
        screen.print("no GPU is asked for; --gpus_per_trial 1 asks for one")
    if sweep.early_terminate:
        screen.print("early_terminate: not in a job array, whose trials do not know each other")
    if max(numbers) > slurm.USUAL_LARGEST_ARRAY:
        screen.print(
            f"array: goes to {max(numbers):,}; SLURM's MaxArraySize is often 1001 "
            "(scontrol show config)"
        )


def run_one(file: Path, options: Options, flags: Any, screen: Console) -> None:
    """Run one trial of a sweep by its place in it, with all that this process may use.

    Raises:
        ValueError: the file is no sweep, or has no such trial.
    """
    sweep = load(file, options.repeats)
    if wrong := problems(sweep):
        raise ValueError(str(wrong[0]))
    if sweep.method == "bayes":
        raise ValueError("--trial: a bayes search has no trials before they are proposed")
    planner = Planner(sweep, options)
    trial = next(islice(planner.trials(begin=flags.trial - 1), 1), None)
    if trial is None:
        most = sum(1 for _ in planner.points())
        raise ValueError(f"--trial {flags.trial}: must be from 1 to {most}")
    share = Share(len(available_cores()), slurm.VARIABLES if "SLURM_JOB_ID" in os.environ else {})
    launch = Launch(sweep, Listed([trial]), MODULE, [share], flags.retry_failed)
    watch(launch, 1, len(trial.arm), screen)
    close(launch, planner, 1, screen)
