"""Class numbers: the same in every process, in the order that people expect of numbers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from datasets import Dataset
from PIL import Image

from lit_effnet.data.labels import encode_labels, in_order
from lit_effnet.data.rows import labels_of
from lit_effnet.data.sources import find
from tests.conftest import ROOT

SHOWN = """
import sys
from lit_effnet.data.sources import find
found = find(sys.argv[1])
print(found.classes, found.fingerprint)
"""


@pytest.mark.parametrize(
    ("names", "order"),
    [
        (["10", "9", "1"], ("1", "9", "10")),
        (["01", "1", "001", "2"], ("001", "01", "1", "2")),
        (["b", "a", "10", "9"], ("10", "9", "a", "b")),
        (["²", "1"], ("1", "²")),  # a digit, but no decimal number
        (["-2", "5"], ("-2", "5")),
    ],
)
def test_numbers_are_sorted_by_value_and_all_else_as_text(
    names: list[str], order: tuple[str, ...]
) -> None:
    assert in_order(names) == in_order(reversed(names)) == order


def test_class_numbers_do_not_depend_on_the_process(tmp_path: Path) -> None:
    """Two processes with other hash seeds, as ranks have, see the same numbers and splits."""
    images = [bytes([index]) for index in range(80)]  # that are not decoded here
    table = Dataset.from_dict({"image": images, "label": ["1", "01", "001", "11"] * 20})
    table.to_parquet(tmp_path / "train.parquet")
    shown = {
        seed: subprocess.Popen(
            [sys.executable, "-c", SHOWN, str(tmp_path)],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in (0, 1)
    }
    first, second = (process.communicate()[0] for process in shown.values())
    assert first.startswith("('001', '01', '1', '11') ")
    assert first == second


def test_folders_named_by_number_are_sorted_by_value(tmp_path: Path) -> None:
    """As those of ImageNetV2, 0 to 999."""
    for number in range(12):
        folder = tmp_path / "validation" / str(number)
        folder.mkdir(parents=True)
        Image.new("RGB", (8, 8), (number, 0, 0)).save(folder / "x.png")
    found = find(str(tmp_path))
    assert found.classes == tuple(map(str, range(12)))
    assert not [note for note in found.notes if "sorted as text" in note]
    split = found.splits["validation"]
    files = [image["path"] for image in split["image"][:]]
    assert [int(Path(file).parent.name) for file in files] == labels_of(split).tolist()


def test_the_order_that_a_run_has_recorded_is_kept(tmp_path: Path) -> None:
    """Runs before this change recorded numbers in the order of text."""
    rows = {"train": Dataset.from_dict({"image": [b""] * 4, "label": [1, 2, 10, 2]})}
    encoded, names = encode_labels(rows, ["1", "10", "2"])
    assert names == ("1", "10", "2")
    assert labels_of(encoded["train"]).tolist() == [0, 2, 1, 2]
    with pytest.raises(ValueError, match=r"has classes that the run has not: \['10'\]"):
        encode_labels(rows, ["1", "2"])
