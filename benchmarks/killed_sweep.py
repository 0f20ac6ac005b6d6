"""Kill a sweep at random moments, and count the finished trials that are lost or repeated.

python benchmarks/killed_sweep.py --kills 50

Trials are `fit` on the embedded photographs, a few seconds each. Every other kill -9 hits the
launcher, the rest one of its trials. A finished trial was repeated if its run.json changes, and
lost if it is gone.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent

SWEEP = {
    "method": "grid",
    "metric": {"name": "val/top1", "goal": "maximize"},
    "command": ["${env}", "${interpreter}", "-m", "lit_effnet.fit",
                "--config=experiments/ablation/photos.yaml", "--trainer.max_epochs=2",
                "--trainer.limit_train_batches=20", "--config", "${args_json_file}",
                "--run.group=killed"],
}  # fmt: skip


def main() -> None:
    """Kill so many times, then let the sweep end; exit with 1 if a trial was lost or repeated."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--trials", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sweep.yaml"
        seeds = {"seed_everything": {"values": list(range(arguments.trials))}}
        file.write_text(yaml.safe_dump({**SWEEP, "parameters": seeds}), encoding="utf-8")
        command = [sys.executable, "-m", "lit_effnet.sweep", str(file), f"--root={folder}"]
        finished: dict[Path, bytes] = {}
        wrong = {"lost": 0, "repeated": 0}
        launchers = kills = 0
        status: int | None = None
        while status != 0:
            if launchers > 2 * arguments.kills + 5:
                raise SystemExit("the sweep does not end")
            launchers += 1
            launcher = subprocess.Popen(
                command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            while launcher.poll() is None and kills < arguments.kills:
                if kills % 5:  # every fifth also hits a launcher that starts
                    wait_for_trials(launcher)
                time.sleep(draw.uniform(0, 10))
                trials = trials_of(launcher.pid)
                on_launcher = kills % 2 == 0 or not trials
                victim = launcher.pid if on_launcher else draw.choice(trials)
                try:
                    os.kill(victim, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                kills += 1
                print(f"kill {kills}: {'launcher' if on_launcher else 'a trial'}, "
                      f"{len(finished)} finished before", flush=True)  # fmt: skip
                if on_launcher:
                    break
            status = launcher.wait()
            time.sleep(1)
            look(Path(folder), finished, wrong)
        print(
            f"{kills} kill -9, {launchers} launches, {len(finished)} of {arguments.trials} trials "
            f"finished; lost {wrong['lost']}, repeated {wrong['repeated']}"
        )
        raise SystemExit(any(wrong.values()) or len(finished) != arguments.trials)


def wait_for_trials(launcher: subprocess.Popen[bytes]) -> None:
    """Wait until a trial runs, or the launcher has ended."""
    while launcher.poll() is None and not trials_of(launcher.pid):
        time.sleep(0.1)


def trials_of(launcher: int) -> list[int]:
    """Return the processes of the trials: children of the forking process."""

    def children(pid: int) -> list[int]:
        asked = ["pgrep", "-P", str(pid)]
        found = subprocess.run(asked, check=False, capture_output=True, text=True)
        return [int(line) for line in found.stdout.split()]

    return [trial for child in children(launcher) for trial in children(child)]


def look(folder: Path, finished: dict[Path, bytes], wrong: dict[str, int]) -> None:
    """Compare the trials that had finished with those of now."""
    for file, content in finished.items():
        if not file.exists():
            wrong["lost"] += 1
        elif file.read_bytes() != content:
            wrong["repeated"] += 1
    for file in folder.glob("killed/*/run.json"):
        content = file.read_bytes()
        if b'"status": "finished"' in content:
            finished[file] = content


if __name__ == "__main__":
    main()
