"""Options of the run and of Lightning's trainer, checked before anything is loaded or built."""

import re
from ast import literal_eval
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any

from lightning.pytorch import Trainer
from lightning.pytorch.accelerators import AcceleratorRegistry
from lightning.pytorch.strategies import StrategyRegistry
from lightning.pytorch.utilities.exceptions import MisconfigurationException

from lit_effnet.cli.output import quiet_libraries
from lit_effnet.data.corruptions.noise import GaussianNoise
from lit_effnet.runs.names import check_folder_name
from lit_effnet.training.distributed.strategy import COLLECTIVE_TIMEOUT_S
from lit_effnet.training.wandb_logging import Mode, check_timeout

NOT_IN_PROJECTS, LONGEST_PROJECT = "/\\#?%:", 128  # W&B's rule for a project's name

# auto, -1, a number of devices, or a list of them: 2 / [0, 1] / "0,1"
DEVICES = re.compile(r"auto|-1|[1-9]\d{0,5}|\[\d{1,6}(, \d{1,6})*\]|\d{1,6}(,\d{1,6})*,?(?<!^0)")

# Options that the trainer checks without looking at the machine.
NUMBERS = (
    *("max_steps", "min_steps", "min_epochs", "max_time", "gradient_clip_val"),
    *("gradient_clip_algorithm", "overfit_batches", "val_check_interval", "num_sanity_val_steps"),
    *("limit_train_batches", "limit_val_batches", "limit_test_batches", "limit_predict_batches"),
)

# Options of a trainer that is built only to be asked something.
BARE: dict[str, Any] = dict.fromkeys(
    ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False
)


@dataclass(frozen=True)
class RunOptions:
    """Options for recording a run and for its final evaluation.

    Args:
        root: Folder of all run directories; a path, or the URL of a store (s3://BUCKET/runs).
        group: Folder of the run's group. Defaults to the name of the experiment file, else of the
            data set.
        id: Name of the run directory. Defaults to W&B's run id, else to a timestamp.
        wandb: online, offline or disabled; auto is online with a key and offline without.
        project: W&B's project. Defaults to WANDB_PROJECT, else lit_effnet.
        test: Evaluate the final weights on the test split, once, at the end.
        latency: Measure the network's latency at batch size 1 before training.
        noise: Levels of Gaussian noise (sigma, for pixels from 0 to 1) for evaluating the final
            weights on the validation split. Noise is added at the baseline image size, before
            resizing.
        wandb_timeout: Seconds to wait for W&B's server. On timeout at start-up, W&B logs offline;
            at the end, the upload command is printed.
        stall_timeout: Seconds without a batch before multi-process training is considered hung
            and is ended.
    """

    root: str = "runs"
    group: str | None = None
    id: str | None = None
    wandb: Mode = "auto"
    project: str | None = None
    test: bool = False
    latency: bool = False
    noise: list[float] | None = None
    wandb_timeout: float = 60.0
    stall_timeout: float = 600.0


def check_seed(seed: Any) -> None:
    """Check the random seed.

    Raises:
        ValueError: it is not an integer from 0 to 2^32 - 1.
    """
    if isinstance(seed, bool) or not 0 <= seed < 2**32:
        raise ValueError(f"seed_everything {seed}: must be from 0 to 2^32 - 1")


def check_run(config: Any) -> None:
    """Check where a run is recorded and what is evaluated at its end.

    Raises:
        ValueError: an option of the run cannot be used, alone or with the trainer's options.
    """
    run, trainer = config.run, config.trainer
    check_timeout(run.wandb_timeout)
    if not 0 < run.stall_timeout < COLLECTIVE_TIMEOUT_S:
        most = f"{COLLECTIVE_TIMEOUT_S:g}"
        raise ValueError(f"stall_timeout {run.stall_timeout:g}: must be above 0 and below {most}")
    if run.group:
        check_folder_name(run.group, "group")
    project = run.project or ""
    fits = project.isprintable() and len(project) <= LONGEST_PROJECT
    if not fits or set(project) & set(NOT_IN_PROJECTS):
        raise ValueError(
            f"project {project[:40]!r}: must be at most {LONGEST_PROJECT} printable characters, "
            f"without {NOT_IN_PROJECTS}"
        )
    for sigma in run.noise or ():
        try:
            GaussianNoise(sigma)
        except ValueError as error:
            raise ValueError(f"run.noise: {error}") from error
    keeps_none = trainer.enable_checkpointing is False or bool(trainer.fast_dev_run)
    for name in ("noise", "test"):
        if getattr(run, name) and keeps_none:
            raise ValueError(f"run.{name}: needs the last checkpoint, but no checkpoint is kept")


def check_trainer(options: Any) -> None:
    """Validate the trainer options that can be checked without querying the hardware.

    Raises:
        ValueError: An option is invalid, or leaves nothing to train.
    """
    if options.max_epochs is not None and options.max_epochs < 1:
        raise ValueError(f"max_epochs {options.max_epochs}: must be at least 1")
    for name, known in (
        ("accelerator", ("auto", "gpu", *AcceleratorRegistry.available_accelerators())),
        ("strategy", ("auto", *StrategyRegistry.available_strategies())),
    ):
        value = getattr(options, name)
        if isinstance(value, str) and value not in known:
            near = get_close_matches(value, known, n=3) or sorted(known)
            raise ValueError(f"{name} {value!r}: must be one of {', '.join(near)}")
    if options.limit_train_batches == 0:
        raise ValueError("limit_train_batches 0: must leave a batch to train on")
    if not DEVICES.fullmatch(str(options.devices)):
        accepted = "auto, at least 1, or -1 for all there are, or a list of their numbers"
        raise ValueError(f"devices {options.devices}: must be {accepted}")
    for name in ("accumulate_grad_batches", "check_val_every_n_epoch"):
        value = getattr(options, name)
        if value is not None and value < 1:
            raise ValueError(f"{name} {value}: must be at least 1")
    _check_numbers(*(repr(getattr(options, name)) for name in NUMBERS))


@cache
def _check_numbers(*values: str) -> None:
    """Raise ValueError for numbers that Lightning's trainer refuses on any machine."""
    options = {name: literal_eval(value) for name, value in zip(NUMBERS, values, strict=True)}
    quiet_libraries()  # again, since importing Lightning resets the log level
    try:
        build_trainer(accelerator="cpu", devices=1, **options, **BARE)
    except MisconfigurationException as error:
        raise ValueError(f"trainer: {error}") from error


def build_trainer(**options: Any) -> Trainer:
    """Build Lightning's trainer.

    Raises:
        MisconfigurationException: it does not take the options, whichever exception it raises.
    """
    try:
        return Trainer(**options)
    except (TypeError, ValueError, OverflowError) as error:
        raise MisconfigurationException(f"trainer: {error}") from error
