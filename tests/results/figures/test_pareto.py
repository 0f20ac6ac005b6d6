"""Dominated arms are marked, and no label of the figure covers another."""

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text

from lit_effnet.results.figures.drawing import PAGE_IN
from lit_effnet.results.figures.files import write_figure
from lit_effnet.results.figures.pareto import arm_points, pareto_figure, pareto_front
from tests.results.runs import frame


def points(costs: list[float], values: list[float], names: list[str] | None = None) -> pd.DataFrame:
    names = names or [f"arm {index}" for index in range(len(costs))]
    return pd.DataFrame(
        {"arm": names, "macs": costs, "top1": values, "low": np.subtract(values, 0.01)}
    ).assign(high=lambda made: made["top1"] + 0.01, n=3, axis=None, rounding=None)


def dominated(costs: list[float], values: list[float]) -> list[bool]:
    return pareto_front(points(costs, values), "macs", "top1")["dominated"].to_list()


def test_an_arm_is_dominated_by_one_that_is_better_and_no_dearer() -> None:
    assert dominated([1, 2, 3, 4], [0.5, 0.4, 0.6, 0.6]) == [False, True, False, True]
    assert dominated([1, 1, 1], [0.5, 0.5, 0.4]) == [False, False, True]


def test_the_front_is_what_the_definition_says() -> None:
    rng = np.random.default_rng(0)
    arms = rng.integers(1, 12, (60, 2)).tolist()
    expected = [
        any(c <= cost and v >= value and (c < cost or v > value) for c, v in arms)
        for cost, value in arms
    ]
    assert dominated([cost for cost, _ in arms], [value for _, value in arms]) == expected


def test_an_arm_without_a_cost_is_neither() -> None:
    found = dominated([1, float("nan"), 2], [0.5, 0.9, 0.6])
    assert found[0] is found[2] is False
    assert found[1] is pd.NA


def test_points_are_means_with_the_intervals_of_their_repeats() -> None:
    runs = frame({"few": [0.5], "many": [0.6, 0.7, 0.8]}, macs={"few": 10, "many": 20})
    made = arm_points(runs, "macs")
    assert made[["arm", "macs", "n"]].to_numpy().tolist() == [["few", 10.0, 1], ["many", 20.0, 3]]
    assert made["top1"].to_list() == pytest.approx([0.5, 0.7])
    assert made["low"].isna().to_list() == [True, False]


def labels_of(figure: Figure) -> tuple[list[list[Annotation]], RendererAgg]:
    """The labels of each panel, drawn, and what measures them."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    return [
        [text for text in panel.texts if isinstance(text, Annotation)] for panel in figure.axes
    ], renderer


@pytest.mark.parametrize("count", [4, 9, 15])
def test_each_arm_is_named_and_no_label_covers_another(count: int) -> None:
    rng = np.random.default_rng(count)
    names = [f"resolution at {index} x MACs" for index in range(count)]
    made = points([*rng.choice([4e8, 8e8, 16e8], count)], [*rng.uniform(0.7, 0.8, count)], names)
    figure = pareto_figure(made)
    (labels,), renderer = labels_of(figure)
    boxes = [Text.get_window_extent(label, renderer) for label in labels]  # without its line
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    written = {label.get_text() for label in labels}
    written |= {text.get_text() for legend in figure.legends for text in legend.get_texts()}
    assert all(any(name in text for text in written) for name in names)


def test_costs_stand_side_by_side_with_an_axis_each() -> None:
    made = points([1e8, 2e8], [0.7, 0.8]).assign(latency_ms=[3.0, 2.0])
    figure = pareto_figure(made, ["macs", "latency_ms"], width_in=PAGE_IN)
    first, second = figure.axes
    assert {panel.get_xscale() for panel in figure.axes} == {"log"}
    assert first.get_xlabel() == "multiply-adds of one image"
    assert second.get_xlabel() == "latency of one image (ms)"
    assert first.get_ylabel() == "top-1 accuracy (%)"
    assert figure.get_size_inches()[0] == PAGE_IN


@pytest.mark.parametrize(
    ("costs", "values", "message"),
    [
        ([0.0, 1.0], [0.5, 0.6], "macs 0: must be above 0"),
        ([float("nan")], [0.5], "points: must have an arm with macs and top1"),
    ],
)
def test_what_has_no_place_on_the_axes_is_refused(costs: list, values: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pareto_figure(points(costs, values))


def test_files_are_the_same_for_the_same_figure(tmp_path: Path) -> None:
    for ending in ("png", "svg", "pdf"):
        for name in ("one", "two"):
            write_figure(
                pareto_figure(points([1e8, 2e8], [0.7, 0.8])), tmp_path / f"{name}.{ending}"
            )
        one, two = ((tmp_path / f"{name}.{ending}").read_bytes() for name in ("one", "two"))
        assert one == two
    with pytest.raises(ValueError, match=r"must end in .png, .svg, .pdf"):
        write_figure(Figure(), Path("figure.gif"))
