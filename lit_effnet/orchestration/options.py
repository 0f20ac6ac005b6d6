"""What a sweep trains, and where its trials run: the flags of the command, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lit_effnet.runs.paths import local

if TYPE_CHECKING:
    from lit_effnet.results.stats.learning_rates import Rates

# The module whose `main` runs a trial, and what the process that forks trials imports beforehand.
TRIAL_MODULE = "lit_effnet.fit"
FORKSERVER_PRELOAD = (TRIAL_MODULE, "lit_effnet.orchestration.forkserver_preload")

# Flags of `fit` that the launcher sets for each trial; a sweep's command may set the group.
LAUNCHER_FLAGS = ("--resume", "--run.id", "--run.root")
GROUP = "--run.group"


@dataclass(frozen=True)
class Options:
    """What a sweep trains.

    Args:
        root: Folder of all run folders.
        seed: Random seed of a random or bayes search.
        count: Largest number of trials; None for the sweep's own run_cap.
        extra: Further arguments of `fit` for every trial.
        rates: Chosen learning rates; arms without one keep the recipe's.
        rates_from: The runs by which the rates were chosen.
        repeats: Number of random seeds per arm; None for those of the file.
        on: Data set that the sweep's command must be able to take.

    Raises:
        ValueError: A number is too small, or a flag in `extra` is set by the launcher.
    """

    root: Path = Path("runs")
    seed: int = 0
    count: int | None = None
    extra: tuple[str, ...] = ()
    rates: "Rates | None" = None
    rates_from: str | None = None
    repeats: int | None = None
    on: str | None = None

    def __post_init__(self) -> None:
        _check_least({"count": self.count, "repeats": self.repeats}, 1)
        _check_least({"seed": self.seed}, 0)
        for word in self.extra:
            if (flag := word.split("=")[0]) in (*LAUNCHER_FLAGS, GROUP):
                raise ValueError(
                    f"{flag} after --: the launcher sets it; --root names the folder of all runs"
                )

    def flags(self) -> list[str]:
        """Return the flags of the command that give the same trials, without `on` and `extra`."""
        given = {"count": self.count, "repeats": self.repeats, "rates": self.rates_from}
        set_by_user = [f"--{name}={value}" for name, value in given.items() if value is not None]
        return [f"--root={self.root}", f"--seed={self.seed}", *set_by_user]


@dataclass(frozen=True, kw_only=True)
class LaunchOptions:
    """Where trials run, and how many at a time.

    Args:
        workers: Trials at a time; None for one per core or GPU.
        retry_failed: Run failed trials again.
        trial: Number of the only trial to run, from 1; None for all.
        ray: Address of a Ray cluster: local, auto or HOST:PORT.
        slurm: File for the script of a SLURM job array.
        sbatch: Further flags of sbatch.
        cpus_per_trial: CPUs of a trial on a cluster.
        gpus_per_trial: GPUs of a trial on a cluster; may be a fraction of one.

    Raises:
        ValueError: A number is out of range, or a flag has no use without another one.
    """

    workers: int | None = None
    retry_failed: bool = False
    trial: int | None = None
    ray: str | None = None
    slurm: str | None = None
    sbatch: str | None = None
    cpus_per_trial: float | None = None
    gpus_per_trial: float | None = None

    def __post_init__(self) -> None:
        _check_least({"workers": self.workers, "trial": self.trial}, 1)
        if self.slurm is not None and not local(self.slurm, "--slurm").parent.is_dir():
            folder = local(self.slurm, "--slurm").parent
            raise ValueError(f"slurm {self.slurm}: no such folder {folder}")
        if self.sbatch is not None and self.slurm is None:
            raise ValueError("--sbatch: needs --slurm FILE, the job that the flags are for")
        cpus, gpus = self.cpus_per_trial, self.gpus_per_trial
        for name, value in (("cpus_per_trial", cpus), ("gpus_per_trial", gpus)):
            if value is not None and self.ray is None and self.slurm is None:
                raise ValueError(f"{name} {value:g}: needs --ray or --slurm; here, use --workers")
        if cpus is not None and not cpus > 0:
            raise ValueError(f"cpus_per_trial {cpus:g}: must be above 0")
        if gpus is not None and not (0 <= gpus <= 1 or (gpus > 1 and gpus.is_integer())):
            raise ValueError(
                f"gpus_per_trial {gpus:g}: must be from 0 to 1, or a whole number above"
            )


def _check_least(numbers: Mapping[str, int | None], least: int) -> None:
    for name, value in numbers.items():
        if value is not None and value < least:
            raise ValueError(f"{name} {value}: must be at least {least}")
