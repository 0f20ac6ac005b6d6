"""A sweep's run folders for the tests of the report: two arms at one cost, and a cheaper one."""

import json
from pathlib import Path
from typing import Any

from tests.results.runs import make_run

# Top-1 by seed. The compound arm is better than the depth arm beyond doubt.
ARMS = {
    "baseline": (2_000_000, [0.70, 0.72, 0.71]),
    "depth at 2.04 x MACs": (4_080_000, [0.60, 0.61, 0.63]),
    "compound at 2.04 x MACs": (4_100_000, [0.80, 0.812, 0.829]),
}
FLAGS = {
    "baseline": "baseline",
    "depth at 2.04 x MACs": "axis=depth,budget=2.04",
    "compound at 2.04 x MACs": "axis=compound,budget=2.04",
}


def make_sweep(root: Path, group: str = "scaling_ablation_photos", **changes: Any) -> Path:
    """The folder of the sweep's runs, each with two epochs of metrics."""
    for arm, (macs, values) in ARMS.items():
        for seed, value in enumerate(values):
            add_run(root / group, arm, seed, value, macs, **changes)
    return root / group


def add_run(group: Path, arm: str, seed: int, value: float, macs: int, **changes: Any) -> Path:
    """A run folder of an arm."""
    name = f"{len(list(group.glob('*'))):03d}"
    folder = make_run(
        group / name,
        **{
            "arm": arm,
            "seed": seed,
            "max_epochs": 2,
            "complexity": {"params": macs // 10, "macs": macs, "activations": 300},
            "metrics": {"val/top1": value, "val/top5": 0.95, "val/loss": 1},
            **changes,
        },
    )
    point = {"scaling.arm": FLAGS.get(arm, arm), "seed_everything": seed}
    (folder / "parameters.json").write_text(json.dumps(point))
    lines = ["epoch,step,val/top1", f"0,5,{value / 2}", f"1,10,{value}"]
    (folder / "metrics.csv").write_text("\n".join(lines) + "\n")
    return folder
