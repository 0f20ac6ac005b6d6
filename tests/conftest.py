"""What tests share: no network, no W&B account, and a short run to look at."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

# Before anything imports the hub or W&B: tests are offline, also where a key is configured.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["WANDB_MODE"] = "disabled"
# Decoded images and Arrow tables of the tests stay out of a person's own.
CACHE = tempfile.TemporaryDirectory(prefix="lit_effnet-tests-")
os.environ["LIT_EFFNET_CACHE"] = f"{CACHE.name}/decoded"
os.environ["HF_DATASETS_CACHE"] = f"{CACHE.name}/datasets"
for name in ("WANDB_API_KEY", "WANDB_RUN_ID", "WANDB_RUN_GROUP", "WANDB_PROJECT"):
    os.environ.pop(name, None)

if "PYTEST_XDIST_WORKER" in os.environ:  # one of several processes that share the cores
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)

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


# After so many seconds a test that hangs fails; no test is judged by how long it takes.
HUNG_S = 900


def until(condition: Callable[[], Any], process: subprocess.Popen | None = None) -> Any:
    """Wait for a condition's first true value, as long as the process is there that shall make it.

    Raises:
        AssertionError: the process has ended, or the test hangs.
    """
    began = time.monotonic()
    while not (value := condition()):
        assert process is None or process.poll() is None, "the process has ended"
        assert time.monotonic() - began < HUNG_S, "the test hangs"
        time.sleep(0.02)
    return value


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "gpu" in item.keywords and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))
        if "realdata" in item.keywords and "LIT_EFFNET_DATA" not in os.environ:
            item.add_marker(pytest.mark.skip(reason="LIT_EFFNET_DATA names no folder"))


def start(*arguments: str, command: str = "fit", **options: object) -> subprocess.Popen:
    """`fit`, or another command, in a process of its own, from the project's folder."""
    return subprocess.Popen(
        [sys.executable, "-m", f"lit_effnet.{command}", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Tests that run in the background ignore Ctrl-C, and would hand that down.
        **{"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.SIG_DFL), **options},
    )


@pytest.fixture
def real_data() -> Path:
    """The folder of real images; a test that asks for it is marked `realdata`."""
    return Path(os.environ["LIT_EFFNET_DATA"])


@pytest.fixture
def own_images(tmp_path: Path) -> Path:
    """A folder of three classes with twenty JPEG files each, as a person has them."""
    generator = np.random.default_rng(0)
    for label, name in enumerate(("cat", "dog", "test_tube")):
        folder = tmp_path / "images" / name
        folder.mkdir(parents=True)
        for index in range(20):
            height, width = generator.integers(40, 90, 2)
            noise = generator.integers(0, 80, (height, width, 3)) + 60 * label
            Image.fromarray(noise.astype(np.uint8)).save(folder / f"{index:02d}.jpg")
    return tmp_path / "images"


@pytest.fixture
def tiny(tmp_path: Path) -> list[str]:
    """Flags of a run that takes a second, into a folder of the test's own."""
    return [*TINY, "--trainer.max_epochs=2", f"--run.root={tmp_path}"]


@pytest.fixture(scope="session")
def photos_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of some seconds that has learnt to tell the photographs apart."""
    from lit_effnet import fit

    root = tmp_path_factory.mktemp("photos_run")
    fit.main(
        [
            f"--config={ROOT / 'experiments' / 'ablation' / 'photos.yaml'}",
            "--scaling.width=0.25",
            "--scaling.depth=0.5",
            "--data.image_size=48",
            "--trainer.max_epochs=3",
            f"--run.root={root}",
            "--run.id=trained",
        ]
    )
    return root / "ablation_photos" / "trained"


@pytest.fixture
def trained(photos_run: Path, tmp_path: Path) -> Path:
    """A copy of the trained run, that a test may write into."""
    shutil.copytree(photos_run, tmp_path / "runs" / "group" / "trained")
    return tmp_path / "runs" / "group" / "trained"
