"""EfficientDet's counts, again where effdet is installed, and what is said where it is not."""

import sys

import pytest
import torch

from lit_effnet.network.complexity import complexity
from lit_effnet.network.detection import DETECTORS, build_detector
from lit_effnet.network.golden import golden_complexity, published_only
from lit_effnet.network.registry import BASELINES, build

GOLDEN = golden_complexity()


def effdet_or_skip() -> None:
    pytest.importorskip("effdet", reason="needs effdet: make test-detection")


@pytest.mark.parametrize("name", DETECTORS)
def test_detectors_equal_the_golden_table_to_the_unit(name: str) -> None:
    effdet_or_skip()
    row = GOLDEN[name]
    with torch.device("meta"):
        cost = complexity(build_detector(name), DETECTORS[name])
    assert (cost.params, cost.macs, cost.activations) == (
        row["params"], row["macs"], row["activations"],
    )  # fmt: skip


def test_a_detector_has_class_and_box_heads_for_five_maps() -> None:
    effdet_or_skip()
    with torch.device("meta"):
        network = build_detector("efficientdet_d0", num_classes=7, image_size=256).eval()
        classes, boxes = network(torch.empty(2, 3, 256, 256))
    sides = [32, 16, 8, 4, 2]
    assert [tuple(c.shape) for c in classes] == [(2, 9 * 7, side, side) for side in sides]
    assert [tuple(b.shape) for b in boxes] == [(2, 9 * 4, side, side) for side in sides]


@pytest.mark.parametrize("name", DETECTORS)
def test_a_detectors_row_has_its_size_and_is_near_the_published_figures(name: str) -> None:
    row = GOLDEN[name]
    published = row["published"]
    assert (row["task"], row["image_size"]) == ("detection", DETECTORS[name])
    assert row["params"] / 1e6 == pytest.approx(published["params_m"], abs=0.05)
    assert row["macs"] / 1e9 == pytest.approx(published["macs_g"], rel=0.02)


def test_a_detector_is_no_baseline_to_train() -> None:
    assert not DETECTORS.keys() & BASELINES.keys()
    with pytest.raises(ValueError, match="network 'efficientdet_d0': must be one of efficientnet"):
        build("efficientdet_d0")


def test_without_effdet_one_error_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "effdet", None)
    with pytest.raises(ValueError, match=r"must have the package effdet .*make test-detection"):
        build_detector("efficientdet_d0")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("efficientdet_d9",), "network 'efficientdet_d9': must be one of efficientdet_d0, "),
        (
            ("efficientdet_d0", 90, 500),
            "image_size 500: efficientdet_d0 must have a multiple of 128",
        ),
        (("efficientdet_d0", 0), "num_classes 0: must be at least 1"),
    ],
)
def test_what_a_detector_cannot_be_is_refused(arguments: tuple, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        build_detector(*arguments)


def test_a_network_without_a_package_has_published_figures_and_no_counts() -> None:
    assert published_only() == ["amoebanet_b"]
    row = GOLDEN["amoebanet_b"]
    assert [row[key] for key in ("params", "macs", "activations")] == [None] * 3
    assert (row["image_size"], row["published"]["params_m"]) == (480, 557)
    assert row["published"]["source"]
