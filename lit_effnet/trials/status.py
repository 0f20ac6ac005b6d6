"""How far the trials of a sweep are, from their run folders alone: nothing is written or asked.

Any machine that sees the folders can tell, whoever runs the trials. Of a run that says `running`
there is no telling but by what it does: it writes, or it holds its lock. A file system between
machines does not always pass locks on; there only silence tells.
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

FRESH_S = 60.0  # what wrote within that time lives
SILENT_S = 600.0  # where a lock tells nothing; or as long as five epochs, if that is longer
SILENT_EPOCHS = 5

READERS = 16  # threads; most of the time a file system is waited for

LOCAL = ("bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "overlay", "tmpfs", "xfs", "zfs")

WRITTEN = ("metrics.csv", "run.json", "trial.log", "parameters.json")
LOCKS = (".trial.lock", ".lock")
# Of a record, where it is of this kind.
KEPT = {"status": str, "arm": str, "seed": int, "cost": dict, "metrics": dict, "max_epochs": int}


@dataclass(frozen=True)
class Seen:
    """A run folder as it was found.

    Args:
        folder: The run folder.
        status: What has become of it; MISSING where a trial has begun nothing.
        record: What is needed here of its `run.json`; empty before there is one.
        silent_s: Since it wrote anything; 0 where it has ended.
        point: The sweep's parameters as its trial has them; null where it does not have them all.
    """

    folder: RunFolder
    status: Status
    record: Mapping[str, Any]
    silent_s: float
    point: Mapping[str, Any] | None

    @property
    def seconds(self) -> float:
        """What it has trained."""
        return float(self.record.get("cost", {}).get("seconds", 0))

    @property
    def epochs(self) -> int:
        """How many epochs it has trained."""
        return int(self.record.get("cost", {}).get("epochs", 0))

    @property
    def done(self) -> float:
        """Which part of its epochs that is."""
        return self.epochs / most if (most := self.record.get("max_epochs")) else 0.0


def read(group: Path, names: Iterable[str]) -> list[Seen]:
    """All run folders of a group.

    Args:
        group: The folder of the group's run folders; it may be missing.
        names: The sweep's parameters.
    """
    if not group.is_dir():
        return []
    with os.scandir(group) as found:
        folders = sorted(Path(entry.path) for entry in found if entry.is_dir())
    locks = locks_tell(group)
    wanted = tuple(names)
    with ThreadPoolExecutor(READERS) as readers:
        return [*readers.map(lambda folder: look(RunFolder(folder), wanted, locks), folders)]


def look(folder: RunFolder, names: tuple[str, ...], locks: bool) -> Seen:
    """One run folder; `locks` is whether a lock that nobody holds means that nobody runs it."""
    # Each file once: between machines every opening is a question to the server.
    status, whole = Entry(folder).state()
    record = _kept(whole)
    silent = 0.0
    if status in (Status.BEGUN, Status.MISSING):
        silent = time.time() - last_written(folder)
        status = _open(folder, record, silent, locks)
    return Seen(folder, status, record, silent, point_of(folder, names))


def _kept(record: Mapping[str, Any]) -> dict[str, Any]:
    """What is needed of a record, without values of another kind."""
    kept = {key: record[key] for key, kind in KEPT.items() if isinstance(record.get(key), kind)}
    for key in {"cost", "metrics"} & kept.keys():
        kept[key] = {name: value for name, value in kept[key].items() if _is_number(value)}
    return kept


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _open(folder: RunFolder, record: Mapping[str, Any], silent: float, locks: bool) -> Status:
    """What has become of a trial that did not come to its end."""
    # A launcher's trial that failed has that in its notes; this one is an agent's.
    ended = {INTERRUPTED: Status.INTERRUPTED, FAILED: Status.FAILED}
    if (told := record.get("status")) in ended:
        return ended[told]
    cost = record.get("cost", {})
    epoch = cost.get("seconds", 0) / max(1, cost.get("epochs", 0))
    patience = FRESH_S if locks else max(SILENT_S, SILENT_EPOCHS * epoch)
    if silent < patience or held(folder):
        return Status.RUNNING
    if told == FINISHED:  # and stopped in what was asked for after the training
        return Status.INTERRUPTED
    return Status.DEAD if record else Status.MISSING


def last_written(folder: RunFolder) -> float:
    """When the run last wrote, in seconds as `time.time` counts them; 0 for never."""
    times = [0.0]
    for name in WRITTEN:
        try:
            times.append((folder.path / name).stat().st_mtime)
        except OSError:
            continue
    return max(times)


def held(folder: RunFolder) -> bool:
    """Whether a process that this machine knows of holds one of the run's locks."""
    for name in LOCKS:
        try:
            with (folder.path / name).open() as file:
                # A shared one, given back at once; only of runs that have been silent for long.
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            continue
    return False


def locks_tell(path: Path) -> bool:
    """Whether the file system is this machine's own, as far as Linux tells."""
    return file_system(path) in LOCAL


def file_system(path: Path) -> str | None:
    """Type of the file system that a folder is on, like ext4 or nfs4; null where none tells."""
    try:
        lines = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    mounts = {Path(fields[1]): fields[2] for fields in map(str.split, lines)}
    here = path.resolve()
    return next((mounts[above] for above in (here, *here.parents) if above in mounts), None)


def point_of(folder: RunFolder, names: tuple[str, ...]) -> dict[str, Any] | None:
    """What the trial of a folder was given: by the launcher's file, else by its configuration."""
    try:
        point = read_json(folder.path / "parameters.json")
        return point if isinstance(point, dict) and point.keys() == {*names} else None
    except FileNotFoundError:
        return _from_config(folder, names)
    except (OSError, ValueError):
        return None


def _from_config(folder: RunFolder, names: tuple[str, ...]) -> dict[str, Any] | None:
    """The point of an agent's trial, whose parameters W&B keeps elsewhere."""
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


def spelt(point: Mapping[str, Any]) -> str:
    """What two points are told apart by, 3.0 spelt as 3."""
    return json.dumps(_plain(point), sort_keys=True, default=str)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value
