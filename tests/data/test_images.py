"""`ImageData`: batches, normalisation, order and repeatability."""

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.transforms import functional as T

from lit_effnet.data import images
from lit_effnet.data.augment import Augment
from lit_effnet.data.catalog import IMAGENET_MEAN, IMAGENET_STD
from lit_effnet.data.images import ImageData, decode


def batches(data: ImageData, epoch: int = 0, count: int = 3) -> list[tuple[Tensor, Tensor]]:
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    return [batch for batch, _ in zip(loader, range(count), strict=False)]


def equal(a: list[tuple[Tensor, Tensor]], b: list[tuple[Tensor, Tensor]]) -> bool:
    pairs = zip(a, b, strict=True)
    return all(torch.equal(x, u) and torch.equal(y, v) for (x, y), (u, v) in pairs)


def test_batches_are_float32_images_and_int64_labels() -> None:
    for loader in (ImageData(num_workers=0).train_dataloader(), ImageData().val_dataloader()):
        batch, labels = next(iter(loader))
        assert batch.shape == (16, 3, 64, 64)
        assert batch.dtype == torch.float32
        assert batch.is_contiguous(memory_format=torch.channels_last)
        assert labels.shape == (16,)
        assert labels.dtype == torch.int64


def test_validation_images_equal_torchvisions_normalisation() -> None:
    data = ImageData(image_size=80, num_workers=0)
    batch, _ = next(iter(data.val_dataloader()))
    original = T.pil_to_tensor(data.splits["validation"][0]["image"]).float() / 255
    assert torch.allclose(batch[0], T.normalize(original, IMAGENET_MEAN, IMAGENET_STD), atol=1e-6)


def test_order_and_augmentation_follow_seed_and_epoch() -> None:
    first = batches(ImageData(num_workers=0, seed=1), epoch=2)
    assert equal(first, batches(ImageData(num_workers=0, seed=1), epoch=2))
    assert not equal(first, batches(ImageData(num_workers=0, seed=2), epoch=2))
    assert not equal(first, batches(ImageData(num_workers=0, seed=1), epoch=3))


def test_any_number_of_workers_gives_the_same_batches_in_every_epoch() -> None:
    augment = Augment(randaugment_layers=2)
    alone = ImageData(num_workers=0, augment=augment)
    shared = ImageData(num_workers=2, augment=augment)
    loader = shared.train_dataloader()  # its workers stay from epoch to epoch
    for epoch in (0, 1):
        loader.sampler.set_epoch(epoch)
        got = [batch for batch, _ in zip(loader, range(3), strict=False)]
        assert equal(got, batches(alone, epoch))


def test_an_epoch_shows_every_training_image_at_most_once() -> None:
    loader = ImageData(num_workers=0).train_dataloader()
    keys = list(loader.sampler)
    assert sorted(keys) == list(range(2160))
    loader.sampler.set_epoch(3)
    assert sorted(key % 2160 for key in loader.sampler) == list(range(2160))
    assert len(loader) == 2160 // 16


def test_evaluation_shows_every_image_once_in_order() -> None:
    data = ImageData(num_workers=0, batch_size=100)
    labels = torch.cat([y for _, y in data.test_dataloader()])
    assert labels.tolist() == data.splits["test"]["label"]


def test_resolution_moves_the_image_size() -> None:
    assert ImageData(resolution=1.5).image_size == 96
    assert ImageData(image_size=224, resolution=300 / 224).image_size == 300


def test_what_is_known_of_the_data() -> None:
    data = ImageData()
    assert data.num_classes == 9
    assert data.sizes() == {"train": 2160, "validation": 540, "test": 540}
    assert data.fingerprint == ImageData(image_size=48).fingerprint
    assert "train:" in data.fingerprint


def test_decoding_is_rgb_and_bad_bytes_are_an_error() -> None:
    rgb = np.zeros((4, 5, 3), np.uint8)
    rgb[..., 0] = 200
    _, png = cv2.imencode(".png", rgb[..., ::-1])
    assert np.array_equal(decode(png.tobytes()), rgb)
    with pytest.raises(ValueError, match="image: cannot be decoded"):
        decode(b"<html>no image</html>")


@pytest.mark.parametrize(("cores", "workers"), [(1, 0), (2, 0), (4, 3), (64, 8)])
def test_workers_leave_a_core_to_the_training(
    cores: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "_available_cores", lambda: range(cores))
    assert images.default_workers() == workers


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "photo"}, "name 'photo': must be one of photos, imagenet"),
        ({"image_size": 31}, "image_size 31: must give at least 32 pixels"),
        ({"resolution": 0.4}, "image_size 64 times resolution 0.4: must give at least 32 pixels"),
        ({"batch_size": 0}, "batch_size 0: must be at least 1"),
        ({"num_workers": -1}, "num_workers -1: must not be negative"),
    ],
)
def test_bad_numbers_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageData(**arguments)  # type: ignore[arg-type]


def test_a_data_set_that_cannot_be_reached_is_one_line_at_once() -> None:
    data = ImageData("imagenet")
    with pytest.raises(ValueError, match=r"^name 'imagenet': ILSVRC/imagenet-1k cannot") as raised:
        data.setup("fit")
    assert "\n" not in str(raised.value)
