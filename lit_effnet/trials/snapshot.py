"""Read the progress of a sweep's runs from their folders alone; nothing is written.

Any machine that sees the folders can read it, whoever runs the trials. A record that says `running`
may be of a process that is gone. Such a run is alive if it wrote recently, or holds its lock.
Shared file systems do not always pass locks between machines; there only recent writing counts.
"""

import fcntl
import json
import math
import os
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lit_effnet.runs.documents import read_json, read_yaml
from lit_effnet.runs.folder import FAILED, FINISHED, INTERRUPTED, RunFolder
from lit_effnet.trials.ledger import Entry, Status

FRESH_S = 60.0  # a run that wrote within this time is alive

# Where locks prove nothing: this time, or that of so many epochs if it is longer.
SILENT_S = 600.0
SILENT_EPOCHS = 5

READERS = 16  # threads, which mostly wait for the file system

LOCAL = ("bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs")

WRITTEN = ("metrics.csv", "run.json", "trial.log", "parameters.json")
LOCKS = (".trial.lock", ".lock")

# Keys of a record that are kept, if their value has this type.
KEPT = {"status": str, "arm": str, "seed": int, "cost": dict, "metrics": dict, "max_epochs": int}


@dataclass(frozen=True)
class RunSnapshot:
    """The state of a run folder at one moment.

    Args:
        folder: The run folder.
        status: MISSING where nothing has begun.
        record: Selected keys of `run.json`; empty before there is one.
        silent_s: Seconds since the run wrote anything; 0 where it has ended.
        point: The sweep's parameters of this trial; None if the folder lacks one of them.
    """

    folder: RunFolder
    status: Status
    record: Mapping[str, Any]
    silent_s: float
    point: Mapping[str, Any] | None

    @property
    def seconds(self) -> float:
        """Training time so far."""
        return float(self.record.get("cost", {}).get("seconds", 0))

    @property
    def epochs(self) -> int:
        """Number of trained epochs."""
        return int(self.record.get("cost", {}).get("epochs", 0))

    @property
    def done(self) -> float:
        """Fraction of its epochs that are trained."""
        return self.epochs / most if (most := self.record.get("max_epochs")) else 0.0


def read(group: Path, names: Iterable[str]) -> list[RunSnapshot]:
    """Return a snapshot of every run folder of a group.

    Args:
        group: The folder of the group's run folders; it may be missing.
        names: The sweep's parameters.
    """
    if not group.is_dir():
        return []
    with os.scandir(group) as entries:
        folders = sorted(Path(entry.path) for entry in entries if entry.is_dir())
    locks, wanted = locks_are_reliable(group), tuple(names)
    with ThreadPoolExecutor(READERS) as readers:
        return [*readers.map(lambda folder: snapshot(RunFolder(folder), wanted, locks), folders)]


def snapshot(folder: RunFolder, names: tuple[str, ...], locks: bool) -> RunSnapshot:
    """Return a snapshot of one run folder.

    Args:
        folder: The run folder.
        names: The sweep's parameters.
        locks: Whether a free lock proves that no process runs the trial.
    """
    # Each file is read once: on a shared file system every opening is a request to the server.
    status, whole = Entry(folder).state()
    record = _kept(whole)
    silent = 0.0
    if status in (Status.BEGUN, Status.MISSING):
        silent = time.time() - last_written(folder)
        status = _open(folder, record, silent, locks)
    return RunSnapshot(folder, status, record, silent, point_of(folder, names))


def _kept(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of `KEPT`, without values of another type."""
    kept = {key: record[key] for key, kind in KEPT.items() if isinstance(record.get(key), kind)}
    for key in {"cost", "metrics"} & kept.keys():
        kept[key] = {name: value for name, value in kept[key].items() if _is_number(value)}
    return kept


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _open(folder: RunFolder, record: Mapping[str, Any], silent: float, locks: bool) -> Status:
    """Return the status of a trial that has no final one."""
    # The launcher's failed trials have a note of that; this run failed under a W&B agent.
    ended = {INTERRUPTED: Status.INTERRUPTED, FAILED: Status.FAILED}
    if (recorded := record.get("status")) in ended:
        return ended[recorded]
    cost = record.get("cost", {})
    epoch = cost.get("seconds", 0) / max(1, cost.get("epochs", 0))
    patience = FRESH_S if locks else max(SILENT_S, SILENT_EPOCHS * epoch)
    if silent < patience or held(folder):
        return Status.RUNNING
    if recorded == FINISHED:  # it stopped in an evaluation after the training
        return Status.INTERRUPTED
    return Status.DEAD if record else Status.MISSING


def last_written(folder: RunFolder) -> float:
    """Return when the run last wrote, in seconds since the epoch; 0 for never."""
    times = [0.0]
    for name in WRITTEN:
        try:
            times.append((folder.path / name).stat().st_mtime)
        except OSError:
            continue
    return max(times)


def held(folder: RunFolder) -> bool:
    """Whether a process visible to this machine holds one of the run's locks."""
    for name in LOCKS:
        try:
            with (folder.path / name).open() as file:
                # A shared lock, released at once, and only of runs that were silent for long.
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            continue
    return False


def locks_are_reliable(path: Path) -> bool:
    """Whether the file system is local, as far as Linux says."""
    return file_system(path) in LOCAL


def file_system(path: Path) -> str | None:
    """Return the type of a folder's file system, like ext4 or nfs4; None where it is unknown."""
    try:
        lines = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    mounts = {Path(fields[1]): fields[2] for fields in map(str.split, lines)}
    here = path.resolve()
    return next((mounts[above] for above in (here, *here.parents) if above in mounts), None)


def point_of(folder: RunFolder, names: tuple[str, ...]) -> dict[str, Any] | None:
    """Return a trial's parameters from the launcher's file, else from its configuration."""
    try:
        point = read_json(folder.path / "parameters.json")
        return point if isinstance(point, dict) and point.keys() == {*names} else None
    except FileNotFoundError:
        return _from_config(folder, names)
    except (OSError, ValueError):
        return None


def _from_config(folder: RunFolder, names: tuple[str, ...]) -> dict[str, Any] | None:
    """Return the point of an agent's trial, whose parameters W&B keeps elsewhere."""
    point = {}
    try:
        config = read_yaml(folder.config)
        for name in names:
            value = config
            for key in name.split("."):
                value = value[key]
            point[name] = value
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return point


def canonical_json(point: Mapping[str, Any]) -> str:
    """Return one text for equal points, with 3.0 written as 3."""
    return json.dumps(_plain(point), sort_keys=True, default=str)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
