"""Run a sweep on many machines: resources of a trial, Ray, and SLURM job arrays."""

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
from lit_effnet.orchestration.options import (
    FORKSERVER_PRELOAD,
    TRIAL_MODULE,
    LaunchOptions,
    Options,
)
from lit_effnet.orchestration.planner import Planner
from lit_effnet.runs.machine import available_cores
from lit_effnet.runs.paths import local
from lit_effnet.trials import ray_cluster, slurm
from lit_effnet.trials.command import SETTING
from lit_effnet.trials.launch import Launch
from lit_effnet.trials.ledger import Entry, Status
from lit_effnet.trials.plan import Trial
from lit_effnet.trials.process import Share
from lit_effnet.trials.ray_cluster import Node, RayCluster
from lit_effnet.trials.source import Listed
from lit_effnet.trials.sweep_file import load, problems


@dataclass(frozen=True)
class Resources:
    """CPUs and GPUs of one trial; each may be a fraction."""

    cpus: float
    gpus: float


def devices_of(configs: Sequence[Any]) -> tuple[int, bool]:
    """Return the most devices that a trial asks for, and whether they may be GPUs.

    Raises:
        ValueError: A trial asks for several nodes.
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
        most = max(most, devices if isinstance(devices, int) else len(devices))
        on_gpu = on_gpu or str(trainer.accelerator) in ("auto", "gpu", "cuda")
    return most, on_gpu


def resources(configs: Sequence[Any], options: LaunchOptions, nodes: Sequence[Node]) -> Resources:
    """Return the resources of a trial: from the options, or from the devices of its trainer.

    By default, a trial gets one GPU per device if any node has one, with that GPU's share of the
    node's CPUs; otherwise one CPU per device.
    """
    cpus, gpus = options.cpus_per_trial, options.gpus_per_trial
    devices, on_gpu = devices_of(configs)
    with_gpus = [node for node in nodes if node.gpus]
    if gpus is None:
        gpus = devices if with_gpus and on_gpu else 0
    if cpus is None:
        share = min((node.cpus / node.gpus for node in with_gpus), default=1.0)
        cpus = max(1, floor(share * gpus)) if gpus else devices
    return Resources(cpus, gpus)


def on_ray(
    planner: Planner, options: LaunchOptions, screen: Console
) -> tuple[RayCluster, list[Share]]:
    """Join a Ray cluster; return it, and one share for each trial that is with it at a time.

    Raises:
        ValueError: There is no such cluster, or it cannot run the trials.
    """
    assert options.ray is not None
    with screen.status(f"joining Ray ({options.ray})"):
        nodes = ray_cluster.connect(options.ray)
        per_trial = resources([*planner.configs.values()], options, nodes)
        ray_cluster.check_resources(nodes, per_trial.cpus, per_trial.gpus)
        ray_cluster.check_folders(nodes, planner.options.root)
    places = sum(node.room(per_trial.cpus, per_trial.gpus) for node in nodes)
    count = options.workers or places
    each = f"{per_trial.cpus:g} CPU" + (f", {per_trial.gpus:g} GPU" if per_trial.gpus else "")
    screen.print(f"ray: {len(nodes)} nodes; {count} trials at a time, {each} each")
    cluster = RayCluster(per_trial.cpus, per_trial.gpus, FORKSERVER_PRELOAD)
    return cluster, [Share(max(1, floor(per_trial.cpus)), {})] * count


def write_job(
    planner: Planner, trials: Sequence[Trial], options: LaunchOptions, screen: Console
) -> None:
    """Write the script of a job array that runs what is missing of a sweep.

    Raises:
        ValueError: A search whose trials depend on earlier ones, or nothing is missing.
    """
    assert options.slurm is not None
    sweep, plan, target = planner.sweep, planner.options, local(options.slurm, "--slurm")
    if sweep.method == "bayes":
        raise ValueError(
            "--slurm: a bayes search needs each trial's result for the next one; use --ray"
        )
    to_run = (Status.MISSING, Status.BEGUN, *([Status.FAILED] if options.retry_failed else []))
    numbers = [t.number for t in trials if Entry(t.folder).status() in to_run]
    if not numbers:
        raise ValueError(f"--slurm {target}: no trial is missing, so there is no script to write")
    # The machine that a job is written on need not have what it will run on.
    per_trial = resources([*planner.configs.values()], options, ())
    if per_trial.cpus != floor(per_trial.cpus) or per_trial.gpus != floor(per_trial.gpus):
        raise ValueError("--slurm: --cpus_per_trial and --gpus_per_trial must be whole numbers")
    flags = [*plan.flags(), *(["--retry_failed"] if options.retry_failed else [])]
    setting = os.environ.get(SETTING)
    job = slurm.Job(
        name=sweep.name,
        numbers=numbers,
        at_a_time=options.workers,
        cpus=int(per_trial.cpus),
        gpus=int(per_trial.gpus),
        options=shlex.split(options.sbatch or ""),
        command=[sys.executable, "-m", "lit_effnet.sweep", str(sweep.path), *flags],
        extra=plan.extra,
        folder=str(Path.cwd()),
        logs=str(plan.root.resolve()),
        variables={SETTING: setting} if setting else {},
    )
    written_by = shlex.join(["python", "-m", "lit_effnet.sweep", *sys.argv[1:]])
    target.write_text(slurm.script(job, str(target), written_by), encoding="utf-8")
    target.chmod(0o755)
    screen.print(f"{len(numbers)} trials; submit them with: sbatch {target}", soft_wrap=True)
    if options.gpus_per_trial is None:
        screen.print("the job asks for no GPU; --gpus_per_trial 1 asks for one per trial")
    if sweep.early_terminate:
        screen.print("early_terminate: no effect in a job array, where trials run independently")
    if max(numbers) > slurm.USUAL_LARGEST_ARRAY:
        screen.print(
            f"array: goes to {max(numbers):,}; SLURM's MaxArraySize is often 1001 "
            "(scontrol show config)"
        )


def run_one(file: Path, options: Options, launch_options: LaunchOptions, screen: Console) -> None:
    """Run one trial of a sweep by its number, with all cores that this process may use.

    Raises:
        ValueError: The file is no sweep, or has no such trial.
        SystemExit: The trial did not finish.
    """
    number = launch_options.trial
    assert number is not None
    sweep = load(file, options.repeats)
    if mistakes := problems(sweep):
        raise ValueError(str(mistakes[0]))
    if sweep.method == "bayes":
        raise ValueError("--trial: the trials of a bayes search have no fixed numbers")
    planner = Planner(sweep, options)
    trial = next(islice(planner.trials(begin=number - 1), 1), None)
    if trial is None:
        most = sum(1 for _ in planner.points())
        raise ValueError(f"--trial {number}: must be from 1 to {most}")
    share = Share(len(available_cores()), slurm.VARIABLES if "SLURM_JOB_ID" in os.environ else {})
    launch = Launch(sweep, Listed([trial]), TRIAL_MODULE, [share], launch_options.retry_failed)
    watch(launch, 1, len(trial.arm), screen)
    close(launch, planner, 1, screen)
