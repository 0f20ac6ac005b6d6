"""Run folders and frames for the tests of results, as a training and an evaluation leave them."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from lit_effnet.results.frame.columns import frame_of

RECORD = {
    "status": "finished",
    "arm": "baseline",
    "seed": 0,
    "started": "2026-01-02T03:04:05Z",
    "config_hash": "e6d172009897",
    "scaling": {"depth": 1.0, "width": 0.5, "resolution": 1, "rounding": "ceil"},
    "model": {"name": "efficientnet", "se_ratio": 0.25},
    "weights": None,
    "recipe": {"name": "quick"},
    "data": {
        "name": "photos",
        "fingerprint": "f0",
        "images": {"train": 80, "validation": 40, "test": 20},
        "classes": 9,
        "image_size": 64,
    },
    "complexity": {"params": 1000, "macs": 2000, "activations": 300},
    "latency": {"median_ms": 1.5, "device": "cpu"},
    "device": "a processor",
    "git_commit": "abc",
    "cost": {"seconds": 12.5, "images": 160, "epochs": 2},
    "metrics": {"val/top1": 0.75, "val/top5": 0.9, "val/loss": 1},
    "throughput": {"images_per_s": 50.0},
}
EVALUATION = {
    "id": "6b60aa31e50c",
    "condition": "clean",
    "parameters": {},
    "split": "validation",
    "data": "photos",
    "data_fingerprint": "f0",
    "weights": "w0",
    "image_size": 64,
    "not_own": [],
    "batch_norm": "trained",
    "top1": 0.5,
    "images": 40,
}


def make_run(folder: Path, *evaluations: dict[str, Any], **changes: Any) -> Path:
    """A run folder; `changes` replace parts of its record."""
    folder.mkdir(parents=True)
    record = {"group": folder.parent.name, "id": folder.name, **RECORD, **changes}
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "config.yaml").write_text("trainer:\n  limit_val_batches: null\n")
    if evaluations:
        lines = [json.dumps({**EVALUATION, **row}) + "\n" for row in evaluations]
        (folder / "evaluations.jsonl").write_text("".join(lines))
    return folder


def frame(arms: dict[str, list[float]], **columns: Any) -> pd.DataFrame:
    """A table of finished runs: the values of each arm, under seeds 0, 1 and so on."""
    known = {"status": "finished", "split": "validation", "condition": "clean", "newest": True}
    return frame_of(
        [
            {**known, "arm": arm, "run": f"{arm}/{seed}", "seed": seed, "top1": value}
            | {name: of[arm] if isinstance(of, dict) else of for name, of in columns.items()}
            for arm, values in arms.items()
            for seed, value in enumerate(values)
        ]
    )
