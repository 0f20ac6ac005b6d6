"""Measure a trial's overhead besides its training: forked by the launcher, and as new process.

python benchmarks/trial_overhead.py --trials 12 --repeats 3

Both run the trials of one sweep file one after the other; an epoch of a small network on the
embedded photographs. The ways alternate in one run. A trial's training is what its run.json says.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent

FLAGS = ["--config=experiments/ablation/photos.yaml", "--trainer.max_epochs=1"]
SWEEP = {
    "method": "grid",
    "metric": {"name": "val/top1", "goal": "maximize"},
    "command": ["${env}", "${interpreter}", "-m", "lit_effnet.fit", *FLAGS, "--config",
                "${args_json_file}", "--run.group=overhead"],
}  # fmt: skip


def main() -> None:
    """Time both ways; print the overhead per trial of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    overheads: dict[str, list[float]] = {"launcher": [], "new process": []}
    walls: dict[str, list[float]] = {"launcher": [], "new process": []}
    for repeat in range(arguments.repeats):
        for name, way in (("launcher", launcher), ("new process", new_processes)):
            with tempfile.TemporaryDirectory() as folder:
                began = time.perf_counter()
                way(Path(folder), arguments.trials)
                wall = time.perf_counter() - began
                trained = training_seconds(Path(folder))
            assert len(trained) == arguments.trials
            walls[name].append(wall)
            overheads[name].append((wall - sum(trained)) / arguments.trials)
            print(
                f"repeat {repeat + 1}, {name}: {wall:.1f} s, of which training {sum(trained):.1f} s"
            )
    for name, wall in walls.items():
        each = overheads[name]
        print(
            f"{name}: {statistics.median(wall):.1f} s for {arguments.trials} trials; besides "
            f"training {statistics.median(each):.2f} s a trial ({min(each):.2f}..{max(each):.2f}), "
            "the command's own start included"
        )


def launcher(folder: Path, trials: int) -> None:
    """Run `python -m lit_effnet.sweep`, one trial at a time."""
    file = folder / "sweep.yaml"
    sweep = {**SWEEP, "parameters": {"seed_everything": {"values": list(range(trials))}}}
    file.write_text(yaml.safe_dump(sweep), encoding="utf-8")
    run([sys.executable, "-m", "lit_effnet.sweep", str(file), "--workers=1", f"--root={folder}"])


def new_processes(folder: Path, trials: int) -> None:
    """Run `python -m lit_effnet.fit` for each trial, as W&B's agent does."""
    for seed in range(trials):
        run([sys.executable, "-m", "lit_effnet.fit", *FLAGS, f"--seed_everything={seed}",
             f"--run.root={folder}"])  # fmt: skip


def run(command: list[str]) -> None:
    """Run a command on all cores."""
    environment = {key: value for key, value in os.environ.items() if key != "OMP_NUM_THREADS"}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)


def training_seconds(folder: Path) -> list[float]:
    """Return the training times that the runs record."""
    records = [json.loads(file.read_text()) for file in folder.glob("*/*/run.json")]
    return [record["cost"]["seconds"] for record in records]


if __name__ == "__main__":
    main()
