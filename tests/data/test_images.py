"""`ImageData`: batches, normalisation, order and repeatability."""

import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms import functional as T

from lit_effnet.data import images
from lit_effnet.data.augment import Augment
from lit_effnet.data.batches import DecodedImages, EpochSampler
from lit_effnet.data.decoding import BadImageError
from lit_effnet.data.images import ImageData
from lit_effnet.data.preprocessing import IMAGENET_MEAN, IMAGENET_STD, Preprocessing
from lit_effnet.data.rows import encoded


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
    original = T.pil_to_tensor(Image.open(BytesIO(encoded(data.splits["validation"], 0)))) / 255
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


@pytest.mark.parametrize("world", [2, 3, 7])
def test_processes_share_an_evaluation_without_a_repeated_image(world: int) -> None:
    data = ImageData("photos", batch_size=16, num_workers=0)
    data.prepare("test")
    shares = [data.evaluation_loader("test", processes=(world, r)).sampler for r in range(world)]
    assert sorted(row for share in shares for row in share) == list(range(540))


@pytest.mark.parametrize("world", [1, 2, 4])
def test_the_steps_of_an_epoch_have_the_same_images_in_any_number_of_processes(world: int) -> None:
    rows = DecodedImages(None, np.arange(103), np.arange(103), None, 0)
    alone = list(EpochSampler(rows, 1, 0, seed=3, step=20))
    shares = [list(EpochSampler(rows, world, rank, seed=3, step=20)) for rank in range(world)]
    assert len(alone) == 100
    for first in range(0, 100, 20):
        together = {
            row for share in shares for row in share[first // world : (first + 20) // world]
        }
        assert together == set(alone[first : first + 20])


def test_without_a_global_batch_processes_leave_out_what_they_cannot_share() -> None:
    rows = DecodedImages(None, np.arange(103), np.arange(103), None, 0)
    shares = [list(EpochSampler(rows, 4, rank, seed=0, step=4)) for rank in range(4)]
    assert [len(share) for share in shares] == [25] * 4
    assert len({row for share in shares for row in share}) == 100


def test_resolution_moves_the_image_size() -> None:
    assert ImageData(resolution=1.5).image_size == 96
    assert ImageData(image_size=224, resolution=300 / 224).image_size == 300


def test_what_is_known_of_the_data() -> None:
    data = ImageData()
    assert data.num_classes == 9
    assert data.sizes() == {"train": 2160, "validation": 540, "test": 540}
    assert data.fingerprint == ImageData(image_size=48).fingerprint


def test_preprocessing_decides_about_size_crop_and_normalisation() -> None:
    half = (0.5, 0.5, 0.5)
    data = ImageData(
        num_workers=0, resolution=1.5, preprocessing=Preprocessing(40, 0.75, "nearest", half, half)
    )
    assert data.image_size == 60
    batch, _ = next(iter(data.val_dataloader()))  # 80 pixels are the short side already
    original = T.pil_to_tensor(Image.open(BytesIO(encoded(data.splits["validation"], 0)))) / 255
    assert torch.allclose(batch[0], T.center_crop(2 * original - 1, 60), atol=1e-6)
    assert ImageData(image_size=48, preprocessing=Preprocessing(224)).image_size == 48


def test_batches_are_the_same_whether_images_are_kept_decoded_or_not(own_images: Path) -> None:
    options = {"image_size": 32, "batch_size": 8, "num_workers": 0}
    augment = Augment(randaugment_layers=2, crop_scale=(1.0, 1.0))  # some crops are whole images
    kept = ImageData(str(own_images), augment=augment, **options)
    read = ImageData(str(own_images), augment=augment, keep_decoded=False, **options)
    assert equal(batches(kept), batches(read))
    assert equal(list(kept.val_dataloader()), list(read.val_dataloader()))


def break_one(own_images: Path, split: str = "train") -> Path:
    rows = ImageData(str(own_images)).splits[split]
    file = Path(rows[3]["image"]["path"])
    file.write_bytes(b"<html>404</html>")
    return file


@pytest.mark.parametrize("keep_decoded", [True, False])
@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_bad_image_is_an_error_that_says_where(
    own_images: Path, keep_decoded: bool, num_workers: int
) -> None:
    file = break_one(own_images)
    data = ImageData(
        str(own_images), image_size=32, batch_size=8, keep_decoded=keep_decoded,
        num_workers=num_workers,
    )  # fmt: skip

    def read() -> None:
        data.setup("fit")
        list(data.train_dataloader())

    with pytest.raises(BadImageError) as raised:
        read()
    message = str(raised.value)
    assert f"train row {int(file.stem)} ({file}) before the cut: an HTML or XML page" in message
    assert message.startswith(f"name {str(own_images)!r}: ")
    assert f"`python -m lit_effnet.data {own_images} --check` lists them" in message
    assert "\n" not in message


@pytest.mark.parametrize("keep_decoded", [True, False])
def test_bad_images_are_left_out_if_asked_counted_and_told_once(
    own_images: Path, keep_decoded: bool
) -> None:
    for copy in range(1, 5):  # some 240 training images, of which one is less than a hundredth
        for file in list(own_images.rglob("[0-9][0-9].jpg")):
            (file.parent / f"{file.stem}-{copy}.jpg").write_bytes(file.read_bytes())
    options = {"image_size": 32, "batch_size": 8, "num_workers": 0, "keep_decoded": keep_decoded}
    file = break_one(own_images)
    data = ImageData(str(own_images), on_bad_image="skip", **options)
    count = len(data.splits["train"])
    with pytest.warns(UserWarning, match=f"1 of {count} images of train left out") as warned:
        data.setup("fit")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data.setup("fit")
        labels = torch.cat([y for _, y in data.train_dataloader()])
    assert len(warned) == 1
    assert str(file) in str(warned[0].message)
    assert data.sizes()["train"] == count - 1 > 200
    assert data.left_out == {"train": 1}
    assert len(labels) == (count - 1) // 8 * 8
    keys = list(data.train_dataloader().sampler)
    assert sorted(keys) == list(range(count - 1))
    for _ in range(3):
        break_one(own_images)
    rows = ImageData(str(own_images)).splits["train"]
    for row in (10, 20, 30):
        Path(rows[row]["image"]["path"]).write_bytes(b"")
    crowd = ImageData(str(own_images), on_bad_image="skip", **options)
    with pytest.raises(
        BadImageError, match=f"4 of {count} images of train cannot be decoded, more th"
    ):
        crowd.setup("fit")


def test_a_data_set_without_the_split_that_is_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    folder.mkdir()
    rows = ImageData().splits["test"].select(range(20))
    rows.to_parquet(folder / "validation.parquet")
    data = ImageData(str(folder))
    assert list(data.splits) == ["validation"]
    with pytest.raises(ValueError, match="has no split train, only validation"):
        data.setup("fit")
    assert len(next(iter(data.val_dataloader()))[1]) == 16


def test_a_catalog_name_with_other_classes_is_an_error(own_images: Path) -> None:
    data = ImageData("cifar10", path=str(own_images))
    with pytest.raises(ValueError, match="has 3 classes here instead of 10"):
        data.setup("fit")


@pytest.mark.realdata
def test_a_named_data_set_is_read_from_a_local_copy(real_data: Path) -> None:
    data = ImageData("flowers102", path=str(real_data / "flowers102"), image_size=64)
    data.setup("fit")
    images, labels = next(iter(data.train_dataloader()))
    assert images.shape == (16, 3, 64, 64)
    assert 0 <= labels.min() <= labels.max() < 102
    assert data.image_size == 64
    assert ImageData("flowers102").image_size == 224


@pytest.mark.parametrize(("cores", "workers"), [(1, 0), (2, 0), (4, 3), (64, 8)])
def test_workers_leave_a_core_to_the_training(
    cores: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "available_cores", lambda: range(cores))
    assert images.default_workers() == workers


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"image_size": 31}, "image_size 31: must give at least 32 pixels"),
        ({"resolution": 0.4}, "image_size 64 times resolution 0.4: must give at least 32 pixels"),
        ({"batch_size": 0}, "batch_size 0: must be at least 1"),
        ({"num_workers": -1}, "num_workers -1: must not be negative"),
        ({"keep_short_side": 48}, "keep_short_side 48: must be at least 64 pixels, which evaluat"),
        ({"name": "a/b", "path": "c"}, "path c: is for a copy of a named data set"),
    ],
)
def test_bad_numbers_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ImageData(**arguments)  # type: ignore[arg-type]


def test_an_unknown_name_is_named() -> None:
    with pytest.raises(ValueError, match=r"^name 'photo': must be one of photos, cifar10"):
        ImageData("photo").setup("fit")


def test_a_data_set_that_cannot_be_reached_is_one_line_at_once() -> None:
    data = ImageData("imagenet")
    with pytest.raises(ValueError, match=r"^name 'imagenet': ILSVRC/imagenet-1k cannot") as raised:
        data.setup("fit")
    assert "\n" not in str(raised.value)
