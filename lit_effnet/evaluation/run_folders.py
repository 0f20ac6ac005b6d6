"""Expand folders of runs to the runs inside them."""

import warnings
from collections.abc import Sequence

from lit_effnet.runs.folder import RunFolder
from lit_effnet.runs.paths import Location, locate


def run_folders(names: Sequence[str], *, one_of_each_arm: bool = False) -> list[str]:
    """Return the names, with each group's folder replaced by its runs that have weights.

    Args:
        names: Run folders, folders of groups, and released weights.
        one_of_each_arm: Whether a group gives only the repeat of each arm with the lowest seed.

    Raises:
        ValueError: a folder without run folders.
    """
    expanded: list[str] = []
    for name in names:
        path = locate(name)
        if not path.is_dir() or any(
            (path / file).exists() for file in ("run.json", "model.safetensors")
        ):
            expanded.append(name)
        else:
            expanded += map(str, _trained_runs(name, path, one_of_each_arm))
    return list(dict.fromkeys(expanded))


def _trained_runs(name: str, group: Location, one_of_each_arm: bool) -> list[Location]:
    runs = sorted((file.parent for file in group.glob("*/run.json")), key=str)
    trained = [run for run in runs if RunFolder(run).last_checkpoint.exists()]
    for run in runs:
        if run not in trained:
            warnings.warn(f"{run}: left out, it has no checkpoint", stacklevel=4)
    if not trained:
        raise ValueError(f"{name}: neither a run folder nor a folder of trained runs")
    if one_of_each_arm:
        records = {run: RunFolder(run).read() for run in trained}
        trained.sort(key=lambda run: records[run].get("seed") or 0)
        trained = list({records[run].get("arm"): run for run in reversed(trained)}.values())
        trained.sort(key=lambda run: records[run]["complexity"]["macs"])
    return trained
