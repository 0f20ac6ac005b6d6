"""Time one training alone, and two that share the cores, by the way that threads wait.

python benchmarks/shared_cores.py --repeats 3
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

# What libgomp takes from the environment; the first is its own default, the second the suite's.
WAITS = {
    "libgomp's default": {"GOMP_SPINCOUNT": "300000"},
    "the suite's": {"GOMP_SPINCOUNT": "1000"},
}
STEPS = 30


def seconds(together: int, wait: dict[str, str]) -> float:
    """Return the time of the slowest of `together` trainings: 30 steps of B0, 64 px, batch 16."""
    with tempfile.TemporaryDirectory() as root:
        command = [
            sys.executable,
            "-m",
            "lit_effnet.fit",
            f"--run.root={root}",
            "--run.wandb=disabled",
            "--trainer.max_epochs=1",
            f"--trainer.limit_train_batches={STEPS}",
            "--trainer.limit_val_batches=1",
        ]
        running = [
            subprocess.Popen(command, env={**os.environ, **wait}, stdout=subprocess.DEVNULL)
            for _ in range(together)
        ]
        for process in running:
            if process.wait():
                raise SystemExit("a training failed")
        records = [json.loads(file.read_text()) for file in Path(root).glob("*/*/run.json")]
    return max(record["cost"]["seconds"] for record in records)


def main() -> None:
    """Alternate the ways of waiting; print medians and ranges."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="timed rounds")
    repeats = parser.parse_args().repeats
    times: dict[tuple[str, int], list[float]] = {}
    for _ in range(repeats):
        for name, wait in WAITS.items():
            for together in (1, 2):
                times.setdefault((name, together), []).append(seconds(together, wait))
    print(f"{'threads wait by':20}{'trainings':>10}{'seconds (min..max)':>24}")
    for (name, together), taken in times.items():
        spread = f"{statistics.median(taken):.1f} ({min(taken):.1f}..{max(taken):.1f})"
        print(f"{name:20}{together:10d}{spread:>24}")


if __name__ == "__main__":
    main()
