"""Splits that do not exist, cut from train and from nowhere else."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lit_effnet.data.catalog import Entry
from lit_effnet.data.rows import labels_of

CUT_FRACTION = 0.1  # of train, for a split that does not exist
CUT_SEED = 0  # not the run's: all runs on a data set share their splits


def cut_missing(
    splits: dict[str, Any], entry: Entry | None
) -> tuple[dict[str, Any], Iterable[str]]:
    """Validation, and test of a set that is not of the catalog, cut from train where missing."""
    if "train" not in splits:
        return splits, ()
    wanted = [name for name in ("validation", "test") if name not in splits]
    if entry is not None:  # which test images exist is known; none are made up
        wanted = [name for name in wanted if name == "validation"]
    notes = []
    for name in wanted:
        kept, cut = stratified_cut(labels_of(splits["train"]), CUT_FRACTION, CUT_SEED)
        if not len(cut):
            notes.append(f"{name}: no class of train has two images, so none could be cut")
            continue
        counted = f"{len(cut):,} image{'s' * (len(cut) > 1)}"
        notes.append(f"{name} is {counted} cut from train, stratified, the same in every run")
        splits[name] = splits["train"].select(cut)
        splits["train"] = splits["train"].select(kept)
    return splits, notes


def stratified_cut(
    labels: NDArray[np.int64], fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Indices that stay and indices that are cut: a fraction of every class, at least one image.

    A class of one image stays whole. Both are in ascending order.
    """
    generator = np.random.default_rng(seed)
    cut: list[NDArray[np.int64]] = [np.empty(0, np.int64)]
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        if len(members) > 1:
            count = max(1, round(fraction * len(members)))
            cut.append(np.sort(generator.permutation(members)[:count]))
    taken = np.sort(np.concatenate(cut))
    return np.setdiff1d(np.arange(len(labels)), taken), taken


def not_official(splits: Mapping[str, Any], entry: Entry | None) -> Iterable[str]:
    """Notes on splits that have not the official number of images."""
    if entry is None:
        return
    for name, official in entry.splits.items():
        if name not in splits:
            yield f"{name} is missing here; the official one has {official.images:,} images"
            continue
        cut = name == "train" and "validation" not in entry.splits
        found = len(splits[name]) + (len(splits.get("validation", ())) if cut else 0)
        if found != official.images:
            yield f"{name} has {found:,} images where the official split has {official.images:,}"
