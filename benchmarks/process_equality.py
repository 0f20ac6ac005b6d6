"""Compare training and evaluation in several processes with those in one.

python benchmarks/process_equality.py

Trains one epoch of a small network on the embedded photographs, without dropout, with one global
batch. Then evaluates a trained network in one, two and three processes on a test split of 25
images, which neither two nor three divide.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import yaml

from lit_effnet.data.images import ImageData
from lit_effnet.data.photos import photos

COMMON = [
    *("--scaling.width=0.25", "--scaling.depth=0.3", "--data.image_size=32"),
    *("--data.num_workers=0", "--recipe.name=plain", "--recipe.learning_rate=0.02"),
    *("--recipe.ema_decay=0.9", "--recipe.global_batch=128", "--trainer.max_epochs=1"),
    *("--trainer.accelerator=cpu", "--run.group=equality", "--run.wandb=disabled"),
]
WAYS = {
    "1 process of 128": ["--data.batch_size=128"],
    "2 of 64, shared batch norm": ["--data.batch_size=64", "--trainer.sync_batchnorm=true"],
    "2 of 64, batch norms of their own": ["--data.batch_size=64"],
    "1 of 64, 2 batches accumulated": ["--data.batch_size=64"],
    "2 of 32, shared, 2 accumulated": ["--data.batch_size=32", "--trainer.sync_batchnorm=true"],
}
REFERENCES = {"2 of 32, shared, 2 accumulated": "1 of 64, 2 batches accumulated"}


def fit(*arguments: str) -> None:
    """Run `fit` in a separate process."""
    subprocess.run(
        [sys.executable, "-m", "lit_effnet.fit", *arguments],
        check=True,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def weights(folder: Path, key: str) -> torch.Tensor:
    """Return all weights of a checkpoint in one vector."""
    state = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)[key]
    return torch.cat([value.double().flatten() for value in state.values()])


def compare_trainings(root: Path, precision: str) -> None:
    """Print the differences from one process."""
    for name, flags in WAYS.items():
        devices = (
            [] if any("devices" in flag for flag in flags) else [f"--trainer.devices={name[0]}"]
        )
        how = [f"--trainer.precision={precision}", f"--run.root={root}", f"--run.id={name}"]
        fit(*COMMON, *flags, *devices, *how)
    print(f"\n{precision}: largest difference of a weight (averaged weight), of the training loss")
    for name in WAYS:
        reference = REFERENCES.get(name, next(iter(WAYS)))
        here, there = (root / "equality" / run for run in (name, reference))
        gaps = [
            float((weights(here, key) - weights(there, key)).abs().max())
            for key in ("current_model_state", "state_dict")
        ]
        metrics = [json.loads((f / "run.json").read_text())["metrics"] for f in (here, there)]
        loss = abs(metrics[0]["train/loss"] - metrics[1]["train/loss"])
        top1 = " ".join(f"{m['val/top1']:.4f}" for m in metrics)
        print(f"{name:36} {gaps[0]:.1e} ({gaps[1]:.1e})  {loss:.1e}  top-1 {top1}  to {reference}")


def compare_evaluations(root: Path) -> None:
    """Print the test metrics of one run in one, two and three processes."""
    rows = photos()
    for split in ("train", "validation"):
        rows[split].to_parquet(root / "images" / f"{split}-00000-of-00001.parquet")
    few = rows["test"].select(range(0, 500, 20))
    few.to_parquet(root / "images" / "test-00000-of-00001.parquet")
    fit(*COMMON, "--data.batch_size=8", f"--data.name={root / 'images'}", f"--run.root={root}",
        "--run.id=tested", "--run.test=true", "--trainer.max_epochs=3")  # fmt: skip
    folder = root / "equality" / "tested"
    print(f"\ntest split of {ImageData(str(root / 'images')).prepare('test')} images")
    for processes in (1, 2, 3):
        record = json.loads((folder / "run.json").read_text())
        record.pop("test", None)
        (folder / "run.json").write_text(json.dumps(record))
        config = yaml.safe_load((folder / "config.yaml").read_text())
        config["trainer"]["devices"] = processes
        config["recipe"]["global_batch"] = 8 * processes
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        fit("--resume", str(folder))
        test = json.loads((folder / "run.json").read_text())["test"]
        shown = ", ".join(f"{name} {value:.6f}" for name, value in sorted(test.items()))
        print(f"{processes} process{'es' * (processes > 1):3} {shown}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        for precision in ("64-true", "32-true"):
            compare_trainings(Path(folder) / precision, precision)
        compare_evaluations(Path(folder))
