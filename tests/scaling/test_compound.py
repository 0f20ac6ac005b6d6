"""The paper's section 3: rounding rules, the released table, phi, and what is refused."""

import math
import warnings

import pytest

from lit_effnet.scaling.compound import (
    B0_STAGES,
    VARIANTS,
    Scaling,
    compound,
    round_channels,
    round_repeats,
    single_axis,
)

# Stem, stage channels, head; repeats. timm and the released builder agree on them.
RELEASED = {
    "b0": ([32, 16, 24, 40, 80, 112, 192, 320, 1280], [1, 2, 2, 3, 3, 4, 1]),
    "b1": ([32, 16, 24, 40, 80, 112, 192, 320, 1280], [2, 3, 3, 4, 4, 5, 2]),
    "b2": ([32, 16, 24, 48, 88, 120, 208, 352, 1408], [2, 3, 3, 4, 4, 5, 2]),
    "b3": ([40, 24, 32, 48, 96, 136, 232, 384, 1536], [2, 3, 3, 5, 5, 6, 2]),
    "b4": ([48, 24, 32, 56, 112, 160, 272, 448, 1792], [2, 4, 4, 6, 6, 8, 2]),
    "b5": ([48, 24, 40, 64, 128, 176, 304, 512, 2048], [3, 5, 5, 7, 7, 9, 3]),
    "b6": ([56, 32, 40, 72, 144, 200, 344, 576, 2304], [3, 6, 6, 8, 8, 11, 3]),
    "b7": ([64, 32, 48, 80, 160, 224, 384, 640, 2560], [4, 7, 7, 10, 10, 13, 4]),
    "b8": ([72, 32, 56, 88, 176, 248, 424, 704, 2816], [4, 8, 8, 11, 11, 15, 4]),
    "l2": ([136, 72, 104, 176, 344, 480, 824, 1376, 5504], [6, 11, 11, 16, 16, 22, 6]),
}


@pytest.mark.parametrize("name", RELEASED)
def test_variants_give_the_released_channels_repeats_and_image_sizes(name: str) -> None:
    scaling = VARIANTS[name].scaling
    stages = scaling.stages()
    channels = [scaling.channels(32), *(s.channels for s in stages), scaling.channels(1280)]
    assert (channels, [s.repeats for s in stages]) == RELEASED[name]
    assert scaling.image_size() == VARIANTS[name].image_size


def test_rounded_channels_are_multiples_of_eight_within_ten_percent_below() -> None:
    for channels in (16, 24, 40, 112, 320):
        for width in (0.1, 0.35, 0.5, 0.75, 1.05, 1.17, 1.33, 2.6, 5.0):
            rounded = round_channels(channels, width)
            assert rounded % 8 == 0
            assert rounded >= 8
            assert rounded >= 0.9 * channels * width
            assert rounded <= max(8, channels * width + 8)


def test_ceil_adds_a_block_to_every_stage_at_once_and_round_does_not() -> None:
    ceil = [s.repeats for s in Scaling(depth=1.001).stages()]
    assert ceil == [s.repeats + 1 for s in B0_STAGES]
    assert [s.repeats for s in Scaling(depth=1.001, rounding="round").stages()] == [
        s.repeats for s in B0_STAGES
    ]


def test_round_is_half_to_even_and_at_least_one_block_as_in_pycls() -> None:
    assert [s.repeats for s in Scaling(depth=1.5, rounding="round").stages()] == [
        2,
        3,
        3,
        4,
        4,
        6,
        2,
    ]
    assert round_repeats(1, 0.1, "round") == 1
    assert round_repeats(1, 0.1, "ceil") == 1


def test_compound_at_zero_is_b0_and_one_has_b2s_layers() -> None:
    assert compound(0) == Scaling()
    stages = compound(1).stages()
    assert [(s.channels, s.repeats) for s in stages] == [
        (s.channels, s.repeats) for s in VARIANTS["b2"].scaling.stages()
    ]
    assert compound(1).image_size() == 258  # b2 itself is released at 260


def test_negative_phi_gives_a_network_smaller_than_b0() -> None:
    small = compound(-2)
    assert max(small.depth, small.width, small.resolution) < 1
    assert sum(s.channels for s in small.stages()) < sum(s.channels for s in B0_STAGES)
    assert small.image_size() < 224


def test_the_paper_coefficients_give_their_product_without_a_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scaling = compound(1)
    product = scaling.depth * scaling.width**2 * scaling.resolution**2
    assert math.isclose(product, 1.92027, rel_tol=1e-6)


def test_a_product_far_from_two_warns() -> None:
    with pytest.warns(UserWarning, match=r"alpha \* beta\^2 \* gamma\^2 is 3\.\d+, not about 2"):
        compound(1, alpha=2.0)


@pytest.mark.parametrize("axis", ["depth", "width", "resolution"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 0.0, -1.0, 65.0])
def test_a_bad_multiplier_is_named_with_its_value_and_the_rule(axis: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"{axis} {value}: must be a finite number above 0"):
        Scaling(**{axis: value})


@pytest.mark.parametrize("arguments", [{"phi": math.nan}, {"phi": 1e9}, {"phi": 1, "alpha": 0.9}])
def test_bad_coefficients_are_refused(arguments: dict[str, float]) -> None:
    name = "alpha" if "alpha" in arguments else "phi"
    with pytest.raises(ValueError, match=f"{name} "):
        compound(**arguments)


def test_unknown_words_are_refused_with_the_accepted_ones() -> None:
    with pytest.raises(ValueError, match="depth, width, resolution"):
        single_axis("breadth", 2)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'ceil' or 'round'"):
        Scaling(rounding="floor")  # type: ignore[arg-type]
