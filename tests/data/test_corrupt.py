"""Noise: the formula, the same numbers for all, and where it is made."""

import numpy as np
import pytest

from lit_effnet.data.corrupt import CorruptedEvaluation, GaussianNoise
from lit_effnet.data.images import ImageData
from lit_effnet.data.preprocessing import Preprocessing
from lit_effnet.data.transforms import Evaluation

IMAGE = np.random.default_rng(0).integers(0, 256, (90, 70, 3), dtype=np.uint8)


def test_noise_is_the_reference_formula() -> None:
    """hendrycks/robustness: x / 255, plus normal(scale=c), clipped to 0..1, times 255."""
    scaled = np.array(IMAGE) / 255.0
    drawn = np.random.default_rng(7).normal(size=scaled.shape, scale=0.26)
    expected = np.uint8(np.clip(scaled + drawn, 0, 1) * 255)
    assert np.array_equal(GaussianNoise(0.26)(IMAGE, row=7), expected)


def test_noise_follows_from_the_row_alone_and_grows_with_sigma() -> None:
    grey = np.full((64, 64, 3), 128, np.uint8)
    first, second = (GaussianNoise(sigma)(grey, row=3).astype(float) - 128 for sigma in (0.05, 0.1))
    assert np.allclose(2 * first, second, atol=2.1)
    assert second.std() == pytest.approx(0.1 * 255, rel=0.05)
    assert not np.array_equal(GaussianNoise(0.1)(grey, 4), GaussianNoise(0.1)(grey, 3))
    assert GaussianNoise(0)(IMAGE, 3) is IMAGE


@pytest.mark.parametrize("sigma", [-0.1, float("nan"), float("inf")])
def test_a_bad_level_is_refused(sigma: float) -> None:
    with pytest.raises(ValueError, match=rf"noise {sigma}: must be a number of at least 0"):
        GaussianNoise(sigma)


def test_noise_is_made_at_the_reference_size_and_then_resized() -> None:
    prepared = Preprocessing(64, crop_fraction=0.875)
    small = GaussianNoise(0.2)(Evaluation(64, prepared)(IMAGE, (0,)), 5)
    assert np.array_equal(
        CorruptedEvaluation(64, 64, prepared, GaussianNoise(0.2))(IMAGE, (9, 9, 5)), small
    )
    larger = CorruptedEvaluation(96, 64, prepared, GaussianNoise(0.2))(IMAGE, (9, 9, 5))
    assert np.array_equal(larger, Evaluation(96, Preprocessing(64, 1.0))(small, (0,)))


def test_all_networks_and_repeats_get_the_same_noisy_images() -> None:
    def images(**options: object) -> np.ndarray:
        data = ImageData("photos", image_size=40, batch_size=16, num_workers=0, **options)
        return next(iter(data.noisy_loader("validation", 0.1)))[0].numpy()

    assert np.array_equal(images(seed=0), images(seed=1))
    assert images(resolution=1.5).shape == (16, 3, 60, 60)
