"""Cut missing splits from train.

Rule `hash`: an image's split follows from its own name or bytes, so that added files move no image.
Rule `shuffle`: the split follows from the number of images of the class. It is used for named data
sets, whose files do not change, and for runs that record no rule.
"""

import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lit_effnet.data.catalog import Entry
from lit_effnet.data.rows import chosen, labels_of

CUT_FRACTION = 0.1  # of train, for each missing split
CUT_SEED = 0  # not the run's seed, so that all runs on a data set share their splits

CutRule = Literal["hash", "shuffle"]
# Each split has its own range of hashes, so that it does not depend on the other.
PLACES = {"validation": (0.0, CUT_FRACTION), "test": (CUT_FRACTION, 2 * CUT_FRACTION)}


def missing_parts(
    splits: Mapping[str, Any], entry: Entry | None, rule: CutRule, root: str = ""
) -> tuple[dict[str, NDArray[np.int64]], Sequence[str]]:
    """Return the rows of train for each missing split and for train; empty if none is missing.

    Validation is cut, and test for a data set outside the catalog.

    Args:
        splits: The splits by name.
        entry: The catalog's entry, if there is one.
        rule: Rule of the cut.
        root: Folder that names of image files are relative to.
    """
    if "train" not in splits:
        return {}, ()
    wanted = [name for name in PLACES if name not in splits]
    if entry is not None:  # which test images exist is known; none are made up
        wanted = [name for name in wanted if name == "validation"]
    train = splits["train"]
    labels = labels_of(train)
    if rule == "hash" and wanted:
        parts = hashed_cut(labels, image_hashes(train, root), wanted)
        how = "at least one of each class; files that are added move none of train into it"
    else:
        parts = shuffled_cut(labels, wanted)
        how = "stratified, the same in every run"
    notes = []
    for name in wanted:
        if not len(parts[name]):
            least = "two" if name == wanted[0] else "three"
            notes.append(f"{name}: no class of train has {least} images, so none could be cut")
            del parts[name]
            continue
        counted = f"{len(parts[name]):,} image{'s' * (len(parts[name]) > 1)}"
        notes.append(f"{name} is {counted} cut from train, {how}")
    return parts if len(parts) > 1 else {}, notes


def hashed_cut(
    labels: NDArray[np.int64], hashes: NDArray[np.float64], wanted: Sequence[str]
) -> dict[str, NDArray[np.int64]]:
    """Return the indices of the train split and of the splits cut from it by image hash.

    Every class keeps at least one training image; if it has enough images, each split gets at least
    one, lowest hash first. Adding images never moves a training image to another split, except in
    very small classes.

    Args:
        labels: `int64 [N]`.
        hashes: `float64 [N]` in [0, 1]; images with equal hashes stay together.
        wanted: Names of the splits, highest priority first.
    """
    side = np.full(len(labels), "train", dtype=object)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        places = hashes[members]
        if len(members) > 1 and len(np.unique(places)) == 1:  # copies of one image: in their order
            places = np.random.default_rng(CUT_SEED).random(len(members))
        free = np.unique(places)[:-1]  # the highest stays in train
        for left, name in zip(reversed(range(len(wanted))), wanted, strict=True):
            low, high = PLACES[name]
            inside = free[(free >= low) & (free < high)]
            taken = (inside if len(inside) else free[:1])[: max(1, len(free) - left)]
            side[members[np.isin(places, taken)]] = name
            free = np.setdiff1d(free, taken)
    return {name: np.flatnonzero(side == name) for name in ("train", *wanted)}


def image_hashes(rows: Any, root: str = "") -> NDArray[np.float64]:
    """Return a hash of each image from 0 to 1, `float64 [N]`.

    It follows from the bytes of an image in a table, or from a file's name below `root`.
    """
    import pyarrow.compute as pc

    found: list[float] = []
    for chunk in rows.data["image"].chunks:
        contents, paths = (pc.struct_field(chunk, field) for field in ("bytes", "path"))
        for content, path in zip(contents, paths, strict=True):
            key = content.as_buffer() if content.is_valid else _name_below(root, path.as_py() or "")
            digest = blake2b(memoryview(key), digest_size=8).digest()
            found.append(int.from_bytes(digest, "big") / 2**64)
    return chosen(rows, np.asarray(found, np.float64))


def _name_below(root: str, path: str) -> bytes:
    """Return a file's name below a folder, the same on every system."""
    name = path.replace(os.sep, "/").removeprefix(root.replace(os.sep, "/").rstrip("/"))
    return unicodedata.normalize("NFC", name.lstrip("/")).encode()


def shuffled_cut(labels: NDArray[np.int64], wanted: Iterable[str]) -> dict[str, NDArray[np.int64]]:
    """Return the indices of train and of the splits cut from it in turn, at random."""
    left, parts = np.arange(len(labels)), {}
    for name in wanted:
        kept, cut = stratified_cut(labels[left], CUT_FRACTION, CUT_SEED)
        left, parts[name] = left[kept], left[cut]
    return {"train": left, **parts}


def stratified_cut(
    labels: NDArray[np.int64], fraction: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the indices that stay and those that are cut: a fraction of every class.

    At least one image of a class is cut, unless it has only one. Both are in ascending order.
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
    """Yield notes on splits without the official number of images."""
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
