"""A row tells all it depends on, and depends on nothing else."""

from dataclasses import replace
from pathlib import Path

import pytest

from lit_effnet.data.corruptions.noise import GaussianNoise
from lit_effnet.data.corruptions.registry import make
from lit_effnet.data.images import ImageData
from lit_effnet.data.preprocessing import Preprocessing
from lit_effnet.evaluation.conditions import Condition, ConditionOptions, parse_conditions
from lit_effnet.evaluation.evaluator import Evaluator, View
from lit_effnet.network.trained import network_of_run


@pytest.fixture
def evaluator(photos_run: Path) -> Evaluator:
    network, weights = network_of_run(photos_run)
    data = ImageData("photos", image_size=48, batch_size=64, num_workers=0)
    return Evaluator(network, data, "validation", weights.fingerprint, View.of(data))


def scores(row: dict) -> dict:
    return {key: value for key, value in row.items() if key not in ("seconds", "evaluated")}


def noise(sigma: float) -> Condition:
    return Condition(GaussianNoise(sigma), corrupt_at="reference")


def test_accuracy_falls_along_the_noise_curve(evaluator: Evaluator) -> None:
    clean = evaluator.row(Condition())
    curve = [evaluator.row(noise(sigma)) for sigma in (0.05, 0.2, 0.5, 1.0)]
    top1 = [clean["top1"], *(row["top1"] for row in curve)]
    assert top1[0] > 0.6
    assert top1 == sorted(top1, reverse=True)
    assert top1[-1] < top1[0] - 0.3
    assert {row["clean"] for row in curve} == {clean["id"]}


def test_every_condition_gives_a_row_of_one_schema(evaluator: Evaluator) -> None:
    conditions = parse_conditions(
        "clean,gaussian_noise:sigma=0.1,fog:1,glass_blur:2", ConditionOptions("tiny")
    )
    rows = [evaluator.row(condition) for condition in conditions]
    assert len({tuple(row) for row in rows}) == 1
    assert len({row["id"] for row in rows}) == len(rows)
    fog = rows[2]
    assert (fog["condition"], fog["severity"], fog["severities"]) == ("fog", 1, "tiny")
    assert sorted(fog["parameters"].values()) == [0.4, 3]
    assert (fog["made_at"], fog["made_at_px"], fog["images"]) == ("reference", 48, 540)
    assert fog["not_own"] == []
    assert rows[0]["clean"] is None


def test_a_row_does_not_depend_on_workers_or_batches(evaluator: Evaluator) -> None:
    condition = Condition(make("elastic_transform", 2, "tiny"), 2, "tiny", "reference")
    alone = scores(evaluator.row(condition))
    data = ImageData("photos", image_size=48, batch_size=50, num_workers=2)
    other = scores(replace(evaluator, data=data).row(condition))
    assert other.pop("calibration_error") == pytest.approx(alone.pop("calibration_error"), abs=1e-5)
    assert other == alone


def test_at_another_size_it_compares_with_clean_images_that_passed_the_reference_size(
    evaluator: Evaluator,
) -> None:
    larger = ImageData("photos", image_size=48, resolution=1.5, batch_size=64, num_workers=0)
    there = replace(evaluator, data=larger)
    conditions = there.with_clean([noise(0.1)])
    assert conditions == [Condition(corrupt_at="reference"), noise(0.1)]
    passed, noisy = (there.row(condition) for condition in conditions)
    assert noisy["clean"] == passed["id"] != there.id(Condition())
    assert (passed["made_at_px"], passed["image_size"]) == (48, 72)
    assert noisy["not_own"] == ["image_size 72 instead of 48"]
    at_input = replace(noise(0.1), corrupt_at="input")
    assert there.compared_with(at_input) == Condition()
    assert there.identity(at_input)["made_at_px"] == 72


@pytest.mark.parametrize(
    "change",
    [
        {"split": "test"},
        {"weights": "others"},
        {"adapt_batch_norm": True},
        {"own": View(64, 1.0, "bicubic")},
        {"reference": Preprocessing(40, 1.0)},
        {"data": ImageData("photos", image_size=64, batch_size=64, num_workers=0)},
        {"data": ImageData("photos", image_size=48, preprocessing=Preprocessing(48, 0.9))},
        {
            "data": ImageData(
                "photos", image_size=48, preprocessing=Preprocessing(48, 1.0, "bilinear")
            )
        },
    ],
)
def test_what_changes_the_numbers_changes_the_id(
    evaluator: Evaluator, change: dict[str, object]
) -> None:
    assert replace(evaluator, **change).id(noise(0.1)) != evaluator.id(noise(0.1))


def test_the_size_of_batches_is_told_where_it_changes_the_numbers(evaluator: Evaluator) -> None:
    other = replace(evaluator, data=ImageData("photos", image_size=48, batch_size=32))
    assert other.id(noise(0.1)) == evaluator.id(noise(0.1))
    told = replace(evaluator, adapt_batch_norm=True).id(noise(0.1))
    assert replace(other, adapt_batch_norm=True).id(noise(0.1)) != told


def test_levels_severities_and_places_have_ids_of_their_own(evaluator: Evaluator) -> None:
    severity = Condition(GaussianNoise(0.1), 3, "tiny", "reference")
    conditions = [noise(0.1), noise(0.2), severity, replace(noise(0.1), corrupt_at="input")]
    assert len({evaluator.id(condition) for condition in conditions}) == 4


def test_recalibration_is_told_and_helps_against_noise(evaluator: Evaluator) -> None:
    told = replace(evaluator, adapt_batch_norm=True)
    trained, recalibrated = evaluator.row(noise(0.3)), told.row(noise(0.3))
    assert trained["batch_norm"] == "trained"
    assert recalibrated["batch_norm"] == "recalibrated on batches of 64"
    assert recalibrated["top1"] > trained["top1"] + 0.05
