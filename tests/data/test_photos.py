"""The embedded data set: sizes, classes, disjoint regions, the same at every call."""

import numpy as np
import pytest

from lit_effnet.data import photos as module
from lit_effnet.data.photos import NAMES, WINDOW, photographs, photos, regions, windows

SPLITS = ("train", "validation", "test")


def test_there_are_enough_patches_of_every_photograph_in_every_split() -> None:
    splits = photos()
    for split, least in zip(SPLITS, (2000, 500, 500), strict=True):
        counts = np.bincount(splits[split]["label"])
        assert len(counts) == len(NAMES) == 9
        assert counts.sum() >= least
        assert counts.min() == counts.max()
        assert splits[split].features["label"].names == list(NAMES)


@pytest.mark.parametrize("size", [17, WINDOW, 130])
def test_patches_have_the_asked_size(size: int) -> None:
    assert photos(size)["validation"][0]["image"].size == (size, size)


def test_a_second_making_gives_the_same_images() -> None:
    fingerprints = {split: rows._fingerprint for split, rows in photos().items()}
    photos.cache_clear()
    assert {split: rows._fingerprint for split, rows in photos().items()} == fingerprints


def test_splits_take_their_windows_from_pixels_of_their_own() -> None:
    """Every pixel is marked with its split; windows must show the mark of theirs only."""
    for name, photograph in photographs():
        marked = np.zeros((*photograph.shape[:2], 3), np.uint8)
        for mark, split in enumerate(SPLITS, start=1):
            for region in regions(marked, split):
                assert not region.any(), f"{name}: a region of two splits"
                region[:] = mark
        assert marked.all(), f"{name}: a pixel of no split"
        texture = np.random.default_rng(0).integers(0, 2, marked.shape, np.uint8)
        marked = marked * 64 + texture * 32  # or every window would count as blank
        for mark, split in enumerate(SPLITS, start=1):
            for window in windows(marked, split, count=20, seed=0):
                assert window.shape == (WINDOW, WINDOW, 3)
                assert set(np.unique(window // 64)) == {mark}


def test_about_half_of_every_photograph_is_for_training() -> None:
    for name, photograph in photographs():
        area = {split: sum(r.size for r in regions(photograph, split)) for split in SPLITS}
        total = sum(area.values())
        assert 0.45 < area["train"] / total < 0.55, name
        assert 0.15 < area["validation"] / total < 0.35, name
        assert 0.15 < area["test"] / total < 0.35, name


def test_the_docstring_tells_how_many_cells_the_validation_images_show() -> None:
    cells = sum(len(regions(module._reduced(p), "validation")) for _, p in photographs())
    assert module.__doc__ is not None
    assert f"the 540 validation images show {cells} cells" in " ".join(module.__doc__.split())


def test_blank_windows_are_left_out() -> None:
    rows = photos()["train"]["image"]
    assert min(np.asarray(image).std() for image in rows[::10]) > 0.9 * module.LEAST_SPREAD


def test_the_docstring_names_every_photograph_with_its_licence() -> None:
    assert module.__doc__ is not None
    for name in NAMES:
        assert f"| {name} |" in module.__doc__


def test_a_patch_size_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="patch_size 0: must be at least 1"):
        photos(0)
