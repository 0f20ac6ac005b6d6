"""Measure the time and memory of the table of many run folders.

python benchmarks/results_table.py --runs 10000 --evaluations 3

The folders are made in a temporary directory first, which is not timed, so their files are still in
the system's cache. Memory is the peak of the process minus its memory before.
"""

import argparse
import json
import resource
import tempfile
import time
from pathlib import Path

from lit_effnet.results.frame.table import load, write

SIZES = (
    ("params", 4020358),
    ("macs", 125997568),
    ("activations", 2209414),
)


def main() -> None:
    """Make the folders, read them, and print seconds and memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--evaluations", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as root:
        for index in range(arguments.runs):
            make_run(Path(root) / f"group{index % 10}" / f"run{index:05d}", index, arguments)
        before = peak_mb()
        for reading in ("first", "again"):
            began = time.perf_counter()
            table = load([root])
            seconds = time.perf_counter() - began
            print(
                f"{reading:6}  {arguments.runs:,} folders, {len(table.frame):,} rows: "
                f"{seconds:.2f} s, {peak_mb() - before:.0f} MB above {before:.0f} MB"
            )
        assert table.frame["run"].nunique() == arguments.runs
        assert not table.skipped
        for name in ("table.parquet", "table.csv"):
            began = time.perf_counter()
            write(table.frame, Path(root) / name)
            size = (Path(root) / name).stat().st_size / 1e6
            print(f"{name}: {time.perf_counter() - began:.2f} s, {size:.1f} MB")


def make_run(folder: Path, index: int, arguments: argparse.Namespace) -> None:
    """Write a run folder of realistic size, without checkpoints."""
    folder.mkdir(parents=True)
    record = {
        "status": "finished",
        "group": folder.parent.name,
        "id": folder.name,
        "arm": f"depth {1 + index % 20 / 10:g}",
        "seed": index // 20,
        "started": "2026-01-01T00:00:00Z",
        "config_hash": f"{index:012x}",
        "scaling": {"depth": 1.0, "width": 1.0, "resolution": 1.0, "rounding": "ceil"},
        "model": {"name": "efficientnet"},
        "recipe": {"name": "quick", "epochs": 20, **{f"option{i}": 0.1 * i for i in range(20)}},
        "data": {
            "name": "cifar100",
            "fingerprint": "cf6bf0a90836a449",
            "images": {"train": 45000, "validation": 5000, "test": 10000},
            "classes": 100,
            "image_size": 128,
            "class_names": [f"class {i}" for i in range(100)],
        },
        "complexity": dict(SIZES),
        "versions": {f"package{i}": "1.2.3" for i in range(9)},
        "cost": {"seconds": 100.0 + index, "images": 900_000, "epochs": 20},
        "metrics": {"val/loss": 2.0, "val/top1": index % 1000 / 1000, "val/top5": 1.0},
        "throughput": {"images_per_s": 116.4},
        "best": {"epoch": 0, "val/top1": 0.5},
    }
    (folder / "run.json").write_text(json.dumps(record, indent=2))
    (folder / "config.yaml").write_text("trainer:\n  limit_val_batches: null\n" + "# rest\n" * 200)
    rows = [evaluation(index, number) for number in range(arguments.evaluations)]
    if rows:
        text = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "evaluations.jsonl").write_text(text)


def evaluation(index: int, number: int) -> dict[str, object]:
    """Return a row of evaluations.jsonl."""
    return {
        "id": f"{index:08x}{number:04x}",
        "condition": "gaussian_noise",
        "parameters": {"sigma": 0.1 * number},
        "severity": None,
        "made_at": "reference",
        "made_at_px": 128,
        "split": "validation",
        "data": "cifar100",
        "data_fingerprint": "cf6bf0a90836a449",
        "weights": "52d2af73f6a6c32c",
        "image_size": 128,
        "not_own": [],
        "batch_norm": "trained",
        "top1": 0.5,
        "top5": 0.9,
        "calibration_error": 0.02,
        "images": 5000,
        "seconds": 0.5,
        "device": "cpu",
        "evaluated": "2026-01-01T00:00:00Z",
    }


def peak_mb() -> float:
    """Return the peak memory of this process in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    main()
