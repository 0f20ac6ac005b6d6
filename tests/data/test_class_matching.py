"""Classes of images and of networks: the same by name, whatever their numbers."""

import numpy as np
import pytest
from datasets import ClassLabel, Dataset, Features, Image

from lit_effnet.data.class_matching import KnownClasses, match
from lit_effnet.data.rows import labels_of
from lit_effnet.data.sources import find
from lit_effnet.network.imagenet import class_names

ANIMALS = KnownClasses("RUN", ("ant", "cat", "dog", "test_tube"))


def test_the_same_classes_in_another_order_have_their_numbers() -> None:
    matched = match(["dog", "test_tube", "ant", "cat"], ANIMALS)
    assert matched.numbers == (2, 3, 0, 1)
    assert matched.names == ANIMALS.names
    assert matched.note == "its classes are those of RUN in another order, matched by name"


def test_the_same_classes_in_the_same_order_need_no_word() -> None:
    assert match(ANIMALS.names, ANIMALS).note == ""
    spelt = match(["Ant", "CAT", "dog", "test tube"], ANIMALS)
    assert (spelt.numbers, spelt.note) == ((0, 1, 2, 3), "")


def test_some_of_the_classes_are_found_among_all() -> None:
    matched = match(["dog", "cat"], ANIMALS)
    assert matched.numbers == (2, 1)
    assert "has 2 of the 4 classes of RUN, matched by name" in matched.note


def test_numbers_of_all_classes_are_their_numbers() -> None:
    matched = match(["0", "1", "2", "3"], ANIMALS)
    assert matched.numbers == (0, 1, 2, 3)
    assert "are numbers, taken for the numbers of RUN's classes" in matched.note


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (
            ["ant", "cat", "cow"],
            r"its class 'cow' names none, or several, of the 4 classes of RUN \(ant, cat, dog",
        ),
        (["1", "2", "3", "4"], "such as 4: they are taken .* only where they are all of 0 to 3"),
        (["0", "1"], "only where they are all of 0 to 3"),
        (["ant", "cat", "dog", "test_tube", "owl"], "has 5 classes, and RUN has only 4"),
        (["Ant", "ant."], "none, or several, of the 4"),  # two names of one class
    ],
)
def test_other_classes_are_refused(found: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message) as error:
        match(found, ANIMALS)
    assert len(str(error.value)) < 250


def test_numbers_that_count_from_another_number_are_refused() -> None:
    with pytest.raises(ValueError, match="its 3 classes are numbers"):
        match(["0", "1", "2"], KnownClasses("RUN", ("1", "2", "3")))


def test_a_few_names_spelt_otherwise_are_taken_by_their_number() -> None:
    """As the 102 flowers, of which two copies spell two in two ways."""
    names = tuple(f"flower {k}" for k in range(40))
    matched = match([*names[:39], "lotus lotus"], KnownClasses("RUN", names))
    assert matched.numbers == tuple(range(40))
    assert "1 of its 40 classes have other names than RUN's (such as 'lotus lotus')" in matched.note
    swapped = ["lotus lotus", *names[2:39], names[0], names[1]]
    with pytest.raises(
        ValueError, match="its class 'lotus lotus' names none, or several, of the 40"
    ):
        match(swapped, KnownClasses("RUN", names))


def test_imagenets_classes_go_by_every_name() -> None:
    names = class_names()
    known = KnownClasses("lite0", tuple(first for first, *_ in names), names)
    assert match(list(map(str, range(1000))), known).numbers == tuple(range(1000))
    for found in (
        ["n01440764", "n03394916"],
        ["tench", "French_horn"],
        ["Tinca tinca", "french horn"],
        ["n01440764-tench", "n03394916-French-horn"],
    ):
        assert match(found, known).numbers == (0, 566)
    assert match(["n01440764", "n03394916"], known).names[566] == "n03394916"
    with pytest.raises(
        ValueError, match="its class 'crane' names none, or several"
    ):  # there are two
        match(["tench", "crane"], known)
    with pytest.raises(ValueError, match="only where they are all of 0 to 999"):
        match(list(map(str, range(1, 1001))), known)


def test_matching_changes_numbers_but_neither_splits_nor_fingerprint(tmp_path) -> None:
    """So that rows on the same images say so, whatever the network's order."""
    from lit_effnet.data.schema import Use

    names = ["dog", "cat"]
    features = Features({"image": Image(), "label": ClassLabel(names=names)})
    images = [{"bytes": bytes([k]), "path": None} for k in range(40)]
    Dataset.from_dict({"image": images, "label": [0, 1] * 20}, features).to_parquet(
        tmp_path / "train.parquet"
    )
    own = find(str(tmp_path))
    matched = find(str(tmp_path), use=Use(match=lambda found: match(found, ANIMALS)))
    assert matched.classes == ANIMALS.names
    for split, rows in own.splits.items():
        there = np.array([2, 1])[labels_of(rows)]
        assert labels_of(matched.splits[split]).tolist() == there.tolist()
    assert matched.fingerprint == own.fingerprint
