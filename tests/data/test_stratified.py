"""A part of a split has its classes in their proportions, and is always the same."""

from types import SimpleNamespace

import numpy as np
import pytest

from lit_effnet.data.images import ImageData
from lit_effnet.data.rows import labels_of
from lit_effnet.data.stratified import stratified_order


@pytest.mark.parametrize("counts", [[60] * 9, [100, 10, 1], [1], [5, 0, 300], [1] * 40])
def test_each_part_has_each_class_in_its_share(counts: list[int]) -> None:
    labels = np.repeat(np.arange(len(counts)), counts)
    order = stratified_order(labels)
    assert sorted(order) == list(range(len(labels)))
    for n in range(1, len(labels) + 1):
        taken = np.bincount(labels[order[:n]], minlength=len(counts))
        wanted = n * np.array(counts) / len(labels)
        assert (abs(taken - wanted) <= 1).all()


def test_the_order_is_always_the_same_and_no_class_comes_in_the_splits_order() -> None:
    labels = np.repeat([0, 1], 50)
    order = stratified_order(labels)
    assert (order == stratified_order(labels)).all()
    assert list(order[labels[order] == 0]) != list(range(50))


def limited(rank: int, world: int, limit: float) -> ImageData:
    data = ImageData("photos", image_size=32, batch_size=5, num_workers=0)
    data.trainer = SimpleNamespace(world_size=world, global_rank=rank, limit_val_batches=limit)
    return data


def test_processes_share_one_stratified_part() -> None:
    parts = []
    for rank in range(2):
        (_, labels), *_ = limited(rank, 2, 1).val_dataloader()
        parts += labels.tolist()
    assert sorted(np.bincount(parts, minlength=9)) == [1] * 8 + [2]


def test_a_whole_split_is_in_its_own_order() -> None:
    data = limited(0, 1, 1.0)
    labels = [label for _, some in data.val_dataloader() for label in some.tolist()]
    assert labels == labels_of(data.splits["validation"]).tolist()


def test_images_to_look_at_are_of_all_classes_however_rows_take_turns() -> None:
    data = ImageData("photos", image_size=32)
    data.prepare("validation")
    turns = np.arange(540).reshape(9, 60).T.ravel()  # a row of each class, then the next
    data.images.splits["validation"] = data.splits["validation"].select(turns)
    data._prepared.clear()
    assert len({label for _, _, label in data.originals("validation", 9)}) == 9
