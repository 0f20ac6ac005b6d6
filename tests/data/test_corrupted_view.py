"""Where corruptions are made, and that all networks see the same ones."""

import numpy as np
import pytest

from lit_effnet.data.corrupted_view import CorruptedEvaluation
from lit_effnet.data.corruptions.noise import GaussianNoise
from lit_effnet.data.corruptions.registry import make
from lit_effnet.data.images import ImageData
from lit_effnet.data.preprocessing import Preprocessing
from lit_effnet.data.transforms import Evaluation

IMAGE = np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)


def test_noise_is_made_at_the_reference_size_and_then_resized() -> None:
    prepared = Preprocessing(64, crop_fraction=0.875)
    seen = Evaluation(64, prepared)(IMAGE, (0,))
    small = GaussianNoise(0.2)(seen, np.random.default_rng(5))
    at_reference = CorruptedEvaluation(64, prepared, prepared, GaussianNoise(0.2))
    assert np.array_equal(at_reference(IMAGE, (9, 9, 5)), small)
    larger = CorruptedEvaluation(96, prepared, prepared, GaussianNoise(0.2))(IMAGE, (9, 9, 5))
    assert np.array_equal(larger, Evaluation(96, Preprocessing(64, 1.0))(small, (0,)))


def test_the_random_numbers_follow_from_the_row_alone() -> None:
    grey, prepared = np.full((64, 64, 3), 128, np.uint8), Preprocessing(64, 1.0)
    view = CorruptedEvaluation(64, prepared, prepared, GaussianNoise(0.1))
    assert np.array_equal(view(grey, (0, 0, 3)), view(grey, (7, 5, 3)))
    assert not np.array_equal(view(grey, (0, 0, 3)), view(grey, (0, 0, 4)))


def test_without_a_corruption_the_image_passes_the_reference_size_all_the_same() -> None:
    prepared = Preprocessing(64, 1.0)
    passed = CorruptedEvaluation(96, prepared, prepared)(IMAGE, (0, 0, 0))
    small = Evaluation(64, prepared)(IMAGE, (0,))
    assert np.array_equal(passed, Evaluation(96, prepared)(small, (0,)))
    assert not np.array_equal(passed, Evaluation(96, prepared)(IMAGE, (0,)))


def images(workers: int = 0, **options: object) -> np.ndarray:
    data = ImageData("photos", image_size=40, batch_size=64, num_workers=workers, **options)
    batches = data.evaluation_loader("validation", make("glass_blur", 3, "tiny"), data.reference)
    return np.concatenate([pixels.numpy() for pixels, _ in batches])


def test_all_networks_and_repeats_get_the_same_corrupted_images() -> None:
    assert np.array_equal(images(seed=0), images(seed=1))
    assert images(resolution=1.5).shape == (540, 3, 60, 60)


def test_the_corrupted_images_do_not_depend_on_the_number_of_workers() -> None:
    alone = images()
    assert np.array_equal(alone, images(workers=1))
    assert np.array_equal(alone, images(workers=2))


def test_a_shuffled_loader_gives_the_same_images_in_an_order_of_its_own() -> None:
    data = ImageData("photos", image_size=40, batch_size=60, num_workers=0)
    ordered = [labels for _, labels in data.evaluation_loader("validation")]
    shuffled = [labels for _, labels in data.evaluation_loader("validation", shuffled=True)]
    again = [labels for _, labels in data.evaluation_loader("validation", shuffled=True)]
    assert [len(set(labels.tolist())) for labels in ordered] == [1] * 9
    assert min(len(set(labels.tolist())) for labels in shuffled) > 4
    assert all(a.equal(b) for a, b in zip(shuffled, again, strict=True))
    assert sorted(label for batch in ordered for label in batch.tolist()) == sorted(
        label for batch in shuffled for label in batch.tolist()
    )


def test_a_split_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(ValueError, match="has no split tests, only train, validation, test"):
        ImageData("photos", num_workers=0).prepare("tests")
