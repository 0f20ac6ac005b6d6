"""Conditions by name, family and level."""

import numpy as np
import pytest

from lit_effnet.data.corruptions.noise import GaussianNoise
from lit_effnet.data.corruptions.registry import GROUPS, REGISTRY
from lit_effnet.evaluation.conditions import Condition, ConditionOptions, parse_conditions

TINY = ConditionOptions("tiny")


def labels(words: str, choices: ConditionOptions = TINY) -> list[str]:
    return [condition.label for condition in parse_conditions(words, choices)]


def test_a_name_is_five_severities_and_a_level_is_one() -> None:
    assert labels("fog") == [f"fog:{severity}" for severity in range(1, 6)]
    assert labels("fog:2, contrast:5") == ["fog:2", "contrast:5"]
    assert labels("gaussian_noise:sigma=0.1") == ["gaussian_noise:sigma=0.1"]
    assert labels("clean,clean") == ["clean"]


def test_noise_is_a_curve_of_gaussian_noise_and_the_other_noises_by_severity() -> None:
    found = parse_conditions("noise", ConditionOptions("tiny", sigmas=(0.01, 0.7)))
    curve = [c.parameters["sigma"] for c in found if c.name == "gaussian_noise"]
    assert curve == [0.01, 0.7]
    others = [c.name for c in found if c.name != "gaussian_noise"]
    assert others == [n for n in ("shot_noise", "impulse_noise", "speckle_noise") for _ in range(5)]


def test_corruptions_are_the_fifteen_without_frost_where_its_images_are_not_at_hand(
    tmp_path,
) -> None:
    found = {condition.name for condition in parse_conditions("corruptions", TINY)}
    assert found == set(GROUPS["corruptions"]) - {"frost"}
    assert len(GROUPS["corruptions"]) == 15
    with pytest.raises(ValueError, match="frost_images: frost needs the folder"):
        parse_conditions("frost", TINY)


@pytest.mark.parametrize("family", ["blur", "weather", "digital", "extra"])
def test_a_family_is_named_by_its_word(family: str) -> None:
    assert len({condition.name for condition in parse_conditions(family, TINY)}) in (3, 4)


def test_a_severity_has_the_constants_that_were_chosen() -> None:
    sigmas = {
        scale: parse_conditions("gaussian_noise:3", ConditionOptions(scale))[0].parameters["sigma"]
        for scale in ("imagenet", "cifar", "tiny")
    }
    assert sigmas == {"imagenet": 0.18, "cifar": 0.08, "tiny": 0.12}
    (condition,) = parse_conditions("gaussian_noise:3", TINY)
    assert condition == Condition(GaussianNoise(0.12), 3, "tiny", "reference")


@pytest.mark.parametrize("name", [name for name in REGISTRY if name != "frost"])
def test_every_corruption_takes_a_level_of_its_own(name: str) -> None:
    (severe,) = parse_conditions(f"{name}:2", TINY)
    level = ":".join(f"{key}={float(value)}" for key, value in severe.parameters.items())
    (made,) = parse_conditions(f"{name}:{level}", TINY)
    assert made.corruption == severe.corruption
    assert made.severity is None
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    one, other = (c.corruption(image, np.random.default_rng(1)) for c in (made, severe))
    assert np.array_equal(one, other)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("nois", r"conditions 'nois': no such condition; nearest: noise$"),
        (
            "gausian_noise",
            r"conditions 'gausian_noise': no such condition; nearest: gaussian_noise",
        ),
        ("fog:6", r"conditions 'fog:6': a severity must be from 1 to 5"),
        ("fog:0", r"conditions 'fog:0': a severity must be from 1 to 5"),
        ("noise:3", r"conditions 'noise:3': noise has no level"),
        ("clean:1", r"conditions 'clean:1': clean has no level"),
        ("fog:", r"conditions 'fog:': a level must be a severity from 1 to 5, or strength=NUMBER"),
        ("gaussian_noise:0.1", r"a level must be a severity from 1 to 5, or sigma=NUMBER"),
        ("gaussian_noise:sigma=x", r"a level must be a severity from 1 to 5, or sigma=NUMBER"),
        (
            "gaussian_noise:sigma=-1",
            r"or sigma=NUMBER \(sigma -1.0: must be a number of at least 0",
        ),
        ("jpeg_compression:quality=50.5", r"quality 50.5: must be a whole number from 1 to 100"),
        ("spatter:mean=1", r"or mean=NUMBER:deviation=NUMBER"),
        ("gaussian_noise:level=1", r"a level must be a severity from 1 to 5, or sigma=NUMBER"),
        (" , ", r"conditions ' , ': must name one at least: clean, noise, corruptions"),
    ],
)
def test_a_mistake_is_told_with_what_is_accepted(words: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_conditions(words, TINY)
