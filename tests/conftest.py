"""What tests share: no network, no W&B account, and a short run to look at."""

import os
from pathlib import Path

import pytest
import torch

# Before anything imports the hub or W&B: tests are offline, also where a key is configured.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["WANDB_MODE"] = "disabled"
for name in ("WANDB_API_KEY", "WANDB_RUN_ID", "WANDB_RUN_GROUP", "WANDB_PROJECT"):
    os.environ.pop(name, None)

ROOT = Path(__file__).parent.parent

# A network of 0.3 M parameters on a few batches: everything happens, in about a second.
TINY = [
    "--scaling.width=0.25",
    "--scaling.depth=0.3",
    "--data.image_size=32",
    "--data.batch_size=8",
    "--data.num_workers=0",
    "--trainer.limit_train_batches=3",
    "--trainer.limit_val_batches=2",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "gpu" in item.keywords and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
        if "realdata" in item.keywords and "LIT_EFFNET_DATA" not in os.environ:
            item.add_marker(pytest.mark.skip(reason="LIT_EFFNET_DATA names no folder"))


@pytest.fixture
def tiny(tmp_path: Path) -> list[str]:
    """Flags of a run that takes a second, into a folder of the test's own."""
    return [*TINY, "--trainer.max_epochs=2", f"--run.root={tmp_path}"]
