"""Calibration images are training images only, spread over the classes, always the same ones."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from lit_effnet.data.batches import DecodedImages
from lit_effnet.data.images import ImageData
from lit_effnet.deploy.base import single_images
from lit_effnet.deploy.calibration_flags import CalibrationSpec
from lit_effnet.deploy.calibration_images import draw_balanced, draw_batches


def test_as_many_of_each_class_as_there_are() -> None:
    labels = np.repeat([0, 1, 2], [100, 100, 4])
    counts = Counter(labels[draw_balanced(labels, 24, 0)].tolist())
    assert counts == {0: 10, 1: 10, 2: 4}


def test_the_seed_decides_which_images() -> None:
    labels = np.repeat(np.arange(9), 50)
    first, again, other = (draw_balanced(labels, 45, seed) for seed in (0, 0, 1))
    assert first.tolist() == again.tolist() != other.tolist()
    assert len(set(first.tolist())) == 45


def test_all_images_where_there_are_fewer() -> None:
    assert sorted(draw_balanced(np.array([0, 1, 0]), 300, 0).tolist()) == [0, 1, 2]


def test_only_rows_of_the_training_split_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    data = ImageData("photos", image_size=32, num_workers=0)
    asked = []
    whole = DecodedImages.__getitem__

    def remember(self: DecodedImages, key: int):
        asked.append((self.pixels, int(self.rows[key])))
        return whole(self, key)

    monkeypatch.setattr(DecodedImages, "__getitem__", remember)
    batches = draw_batches(data, 40, seed=3)
    assert set(data._prepared) == {"train"}  # no other split was opened
    pixels, used = data._prepared["train"]
    labels = np.asarray(data.splits["train"]["label"])[used]
    assert [row for _, row in asked] == used[draw_balanced(labels, 40, seed=3)].tolist()
    assert {source for source, _ in asked} == {pixels}
    assert [len(batch) for batch in batches] == [16, 16, 8]


def test_images_are_in_the_view_that_evaluation_gives() -> None:
    data = ImageData("photos", image_size=32, num_workers=0)
    (batch,) = draw_batches(data, 3, 0)
    labels = np.asarray(data.splits["train"]["label"])
    dataset = data.evaluation_loader("train").dataset
    image, _ = dataset[int(draw_balanced(labels, 3, 0)[0])]
    prepared = data.preprocessing
    wanted = (image / 255 - np.array(prepared.mean)) / np.array(prepared.std)
    torch.testing.assert_close(batch[0].permute(1, 2, 0), torch.tensor(wanted).float())


def test_images_one_by_one_are_those_of_the_batches() -> None:
    batches = [torch.arange(24.0).reshape(2, 3, 2, 2), torch.ones(1, 3, 2, 2)]
    images = list(single_images(batches))
    assert [tuple(image.shape) for image in images] == [(1, 3, 2, 2)] * 3
    assert torch.equal(torch.cat(images), torch.cat(batches))


def test_data_without_a_training_split_are_refused(tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        (tmp_path / "validation" / name).mkdir(parents=True)
        Image.new("RGB", (40, 40)).save(tmp_path / "validation" / name / "0.png")
    with pytest.raises(ValueError, match=r"^calibration_data.name null: .* has no split train"):
        draw_batches(ImageData(str(tmp_path), image_size=32), 3, 0)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"images": 0}, "calibration 0: must be at least 1 image"),
        ({"outliers": -0.1}, r"calibration_outliers -0\.1: must be from 0 to 0\.5"),
        ({"outliers": 0.6}, r"calibration_outliers 0\.6: must be from 0 to 0\.5"),
        ({"outliers": float("nan")}, "calibration_outliers nan: must be"),
    ],
)
def test_impossible_numbers_are_refused(values: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CalibrationSpec(**values)
