"""Figures draw the numbers of their frames, in any language, and no text covers another."""

import re
from collections.abc import Callable, Iterator
from itertools import combinations
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from lit_effnet.results.figures.arms import arms_figure
from lit_effnet.results.figures.coefficients import coefficient_figure, coefficient_points
from lit_effnet.results.figures.drawing import COLUMN_IN, PAGE_IN, arm_looks, english
from lit_effnet.results.figures.efficiency import efficiency_figure
from lit_effnet.results.figures.equal_cost import equal_cost_figure, equal_cost_points
from lit_effnet.results.figures.int8 import int8_figure
from lit_effnet.results.figures.interactive import interactive_svg
from lit_effnet.results.figures.noise import noise_figure
from lit_effnet.results.figures.scaling import scaling_figure
from lit_effnet.results.figures.se_ratio import se_ratio_figure
from lit_effnet.results.figures.transfer import transfer_figure
from lit_effnet.results.frame.columns import frame_of
from lit_effnet.scaling.arms import named_properties
from tests.results.figures import examples

FIGURES: dict[str, tuple[Callable[..., Figure], Any]] = {
    "scaling": (scaling_figure, examples.scaling_runs),
    "arms": (arms_figure, examples.scaling_runs),
    "equal_cost": (equal_cost_figure, examples.scaling_runs),
    "coefficients": (coefficient_figure, examples.coefficient_runs),
    "se_ratio": (se_ratio_figure, examples.se_runs),
    "transfer": (transfer_figure, examples.transfer_runs),
    "noise": (noise_figure, examples.noise_runs),
    "efficiency": (efficiency_figure, examples.efficiency_rows),
    "int8": (int8_figure, examples.int8_rows),
}
OF_RUNS = [name for name in FIGURES if name not in ("efficiency", "int8")]


def properties_of(arm: str) -> dict[str, Any]:
    """Axis and rounding of an arm."""
    properties = named_properties(arm)
    return {"axis": properties.axis, "rounding": properties.rounding}


def points(figure: Figure) -> set[tuple[float, float]]:
    """Where the figure has markers."""
    found = [c for panel in figure.axes for c in panel.collections if isinstance(c, PathCollection)]
    return {(round(x, 4), round(y, 4)) for c in found for x, y in c.get_offsets()}  # type: ignore


def texts(figure: Figure) -> Iterator[Text]:
    """Titles, labels, legends, notes and what stands beside points; no numbers of axes."""
    of_axes = {
        label
        for panel in figure.axes
        for axis in (panel.xaxis, panel.yaxis)
        for label in axis.get_ticklabels(which="both")
    }
    for text in figure.findobj(Text):
        if text.get_text().strip() and text.get_visible() and text not in of_axes:
            yield text


@pytest.mark.parametrize("width", [COLUMN_IN, PAGE_IN])
@pytest.mark.parametrize("name", FIGURES)
def test_no_text_covers_another_or_leaves_the_figure(name: str, width: float) -> None:
    make, data = FIGURES[name]
    figure = make(data(), width_in=width)
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    boxes = {text: text.get_window_extent(renderer) for text in texts(figure)}
    for (one, box), (other, beside) in combinations(boxes.items(), 2):
        smaller = Bbox.from_extents(box.x0 + 1, box.y0 + 1, box.x1 - 1, box.y1 - 1)
        assert not smaller.overlaps(beside), (one.get_text(), other.get_text())
    inside = figure.bbox.padded(2)
    for text, box in boxes.items():
        assert inside.x0 <= box.x0 <= box.x1 <= inside.x1, text.get_text()
        assert inside.y0 <= box.y0 <= box.y1 <= inside.y1, text.get_text()


@pytest.mark.parametrize("name", FIGURES)
def test_each_label_is_translated(name: str) -> None:
    make, data = FIGURES[name]
    asked: set[str] = set()

    def words(text: str, /, **values: object) -> str:
        asked.add(text)
        return f"~{english(text, **values)}~"

    plain, figure = make(data()), make(data(), words=words)
    labels = [label for p in figure.axes for label in (p.get_xlabel(), p.get_ylabel()) if label]
    labels += [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    labels += [figure.get_supxlabel()]
    assert all("~" in label for label in labels if not label.startswith("$"))
    assert asked
    assert "~" not in "".join(text.get_text() for text in texts(plain))


def test_the_scaling_curves_are_the_means() -> None:
    runs = examples.scaling_runs()
    drawn = points(scaling_figure(runs))
    means = runs.groupby("arm").agg(macs=("macs", "median"), top1=("top1", "mean"))
    expected = zip(means["macs"], 100 * means["top1"], strict=True)
    assert drawn == {(macs, round(top1, 4)) for macs, top1 in expected}


def test_the_baseline_begins_each_curve() -> None:
    figure = scaling_figure(examples.scaling_runs())
    curves = [line for line in figure.axes[0].lines if len({*line.get_xdata()}) > 1]  # type: ignore
    starts = [line.get_xdata()[0] for line in curves if line.get_linestyle() == "-"]  # type: ignore
    assert starts
    assert set(starts) == {4e6}


def test_arms_of_one_cost_stand_against_compound_scaling() -> None:
    runs = examples.scaling_runs()
    drawn = points(equal_cost_figure(runs))
    found = equal_cost_points(runs).to_dict("records")
    means = 100 * runs.groupby("arm")["top1"].mean()
    costs = runs.groupby("arm")["macs"].median()
    assert found
    for point in found:
        assert point["reference"].startswith("compound at ")
        assert not point["reference"].endswith("round")
        assert costs[point["arm"]] / costs[point["reference"]] == pytest.approx(1, abs=0.1)
        assert point["times"] == pytest.approx(costs[point["reference"]] / costs["baseline"])
        difference = means[point["arm"]] - means[point["reference"]]
        assert 100 * point["difference"] == pytest.approx(difference)
    assert {x for x, _ in drawn} == {round(100 * point["difference"], 4) for point in found}
    with pytest.raises(ValueError, match="arms of one cost, a compound one among them"):
        equal_cost_figure(runs[runs["axis"] != "compound"])


def test_arms_stand_in_the_order_of_their_cost() -> None:
    runs = examples.scaling_runs()
    figure = arms_figure(runs, width_in=PAGE_IN)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    costs = runs.groupby("arm")["macs"].median()
    assert [costs[name] for name in names] == sorted(costs)
    means = 100 * runs.groupby("arm")["top1"].mean()
    assert points(figure) == {(round(means[n], 4), row) for row, n in enumerate(names)}


def test_an_unknown_cost_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cost 'price': must be one of macs, "):
        arms_figure(examples.scaling_runs(), "price")


def test_candidates_are_compared_at_equal_macs() -> None:
    found, slope = coefficient_points(examples.coefficient_runs())
    doublings = np.log2(found["macs"] / found["macs"].median())
    assert np.polyfit(doublings, found["at_equal_macs"], 1)[0] == pytest.approx(0, abs=1e-9)
    assert found["top1"].to_list() == pytest.approx(found["at_equal_macs"] + slope * doublings)
    figure = coefficient_figure(examples.coefficient_runs())
    cells = [image.get_array() for panel in figure.axes for image in panel.images]
    drawn = np.concatenate(
        [np.ma.filled(cell, np.nan).ravel() for cell in cells if cell is not None]
    )
    assert sorted(drawn[np.isfinite(drawn)]) == pytest.approx(sorted(100 * found["at_equal_macs"]))


def test_the_published_candidate_has_a_frame_where_it_was_searched() -> None:
    runs = examples.coefficient_runs()
    frames = [len(p.patches) for p in coefficient_figure(runs).axes]
    without = coefficient_figure(runs[runs["arm"] != "phi 1"])
    assert sum(frames) == 1
    assert sum(len(p.patches) for p in without.axes) == 0
    assert "published" not in without.get_supxlabel()


def test_each_ratio_stands_at_its_costs() -> None:
    runs = examples.se_runs()
    figure = se_ratio_figure(runs)
    assert len(figure.axes) == 3
    for panel, cost in zip(figure.axes, ("parameters", "macs", "latency_ms"), strict=True):
        drawn = sorted(
            x
            for c in panel.collections
            if isinstance(c, PathCollection)
            for x, _ in c.get_offsets()
        )  # type: ignore
        assert drawn == pytest.approx(sorted(runs.groupby("arm")[cost].median()))


def test_a_cost_that_was_not_measured_is_said_to_be() -> None:
    figure = se_ratio_figure(examples.se_runs().assign(latency_ms=float("nan")))
    assert len(figure.axes) == 2
    assert "no run measured latency" in figure.get_supxlabel().replace("\n", " ")


def test_each_data_set_and_recipe_has_its_points() -> None:
    runs = examples.transfer_runs()
    figure = transfer_figure(runs)
    assert [p.get_title(loc="left") for p in figure.axes] == ["cifar100", "flowers102"]
    means = 100 * runs.groupby(["data", "arm", "recipe"])["top1"].mean()
    assert sorted({x for x, _ in points(figure)}) == pytest.approx(sorted({*means.round(4)}))


def test_noise_begins_at_the_clean_accuracy() -> None:
    runs = examples.noise_runs()
    curves = [line for line in noise_figure(runs).axes[0].lines if len(line.get_xdata()) == 3]  # type: ignore
    first = sorted(line.get_ydata()[0] for line in curves)  # type: ignore
    clean = runs[runs["condition"] == "clean"].groupby("arm")["top1"].mean()
    assert first == pytest.approx(sorted(100 * clean))


def test_many_arms_under_noise_have_a_panel_for_each_axis() -> None:
    scaled = [f"{axis} at {n} x MACs" for axis in ("width", "depth", "compound") for n in (2, 4, 8)]
    parts = [
        examples.noise_runs()
        .query("arm == 'baseline'")
        .assign(arm=arm, macs=place, run=arm, **properties_of(arm))
        for place, arm in enumerate(["baseline", *scaled, "compound at 2 x MACs, round", "odd"])
    ]
    repeats = [part.assign(run=part["run"] + part["seed"].astype(str)) for part in parts]
    figure = noise_figure(pd.concat(repeats, ignore_index=True))
    shown = [panel for panel in figure.axes if panel.axison]
    assert [panel.get_title(loc="left") for panel in shown] == [
        *("depth", "width", "compound", "other")
    ]
    names = [[text.get_text() for text in panel.get_legend().get_texts()] for panel in shown]  # type: ignore
    assert [len(of) for of in names] == [4, 4, 5, 2]
    assert all(of[0] == "baseline" for of in names)
    assert names[2][-1] == "compound at 2 x MACs, round"


def test_latencies_and_utilisation_are_those_measured() -> None:
    rows = examples.efficiency_rows()
    drawn = points(efficiency_figure(rows))
    assert drawn == {(r["macs"], r["latency"]["median_ms"]) for r in rows} | {
        (r["macs"], round(100 * r["inference"]["utilisation"], 4)) for r in rows
    }


def test_int8_is_filled_and_float_is_hollow() -> None:
    rows = examples.int8_rows()
    figure = int8_figure(rows)
    assert points(figure) == {(r["latency"]["1"]["cpu_ms"], 100 * r["top1"]) for r in rows}
    faces = [c.get_facecolor()[0].tolist() for c in figure.axes[0].collections]  # type: ignore
    assert sum(face[:3] == [1, 1, 1] for face in faces) == 2


@pytest.mark.parametrize("name", [name for name in OF_RUNS if name != "coefficients"])
def test_one_repeat_has_no_interval_and_says_so(name: str) -> None:
    make, data = FIGURES[name]
    figure = make(data()[lambda runs: runs["seed"] == 0])
    assert "n = 1, no interval" in figure.get_supxlabel().replace("\n", " ")


@pytest.mark.parametrize("name", FIGURES)
def test_without_results_it_says_what_is_missing(name: str) -> None:
    make, _ = FIGURES[name]
    with pytest.raises(ValueError, match=r"^(runs|rows): must have .* have"):
        make(frame_of([]) if name in OF_RUNS else [])


def test_an_arm_looks_like_its_axis() -> None:
    looks = arm_looks(examples.scaling_runs())
    assert len({*looks.values()}) == len(looks)
    markers = {arm.split(" ")[0]: look.marker for arm, look in looks.items()}
    assert markers == {
        "baseline": "*",
        "depth": "s",
        "width": "D",
        "resolution": "^",
        "compound": "o",
    }
    assert [arm for arm, look in looks.items() if look.hollow] == ["compound at 2 x MACs, round"]
    others = arm_looks(examples.se_runs())
    assert len({*others.values()}) == len(others)  # of one axis: each has a colour of its own


def test_an_interactive_figure_names_its_shapes_in_both_languages() -> None:
    figure = arms_figure(examples.scaling_runs())
    tip = next(mark.tip for mark in figure.marks.values() if mark.run)
    run = next(mark.run for mark in figure.marks.values() if mark.run)
    chinese = {tip: "提示", "top-1 accuracy (%)": "准确率"}
    made = [
        interactive_svg(figure, "x", "title", rows={run: "row"}, chinese=chinese) for _ in range(2)
    ]
    assert made[0] == made[1]
    root = ElementTree.fromstring(made[0])
    marks = [element for element in root.iter() if element.get("class") == "mark"]
    assert len(marks) == len(figure.marks)
    (linked,) = (mark for mark in marks if mark.get("data-run"))
    assert (linked.get("data-en"), linked.get("data-zh")) == (tip, "提示")
    assert "small circles" not in made[0]  # the page has the note as text
    assert "准确率" in made[0]
    identifiers = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(identifiers) == len({*identifiers})
    assert all("#x-" in reference for reference in re.findall(r"[(\"]#[^)\"]+", made[0]))
    assert figure.get_supxlabel()
