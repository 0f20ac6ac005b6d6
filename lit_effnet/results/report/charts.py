"""Figures of the page as shapes: what a template draws, and what resting on it tells.

Colours and texts are the page's, so that one drawing is right in light and dark and both languages.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from lit_effnet.results.figures.pareto import arm_points, pareto_front
from lit_effnet.results.frame.run_parts import METRICS, text_of
from lit_effnet.results.report.answers import NOISE
from lit_effnet.results.report.labelling import Placed, at_ends, placed
from lit_effnet.results.report.language import Text, same
from lit_effnet.results.report.sections import CLEAN, Section
from lit_effnet.results.report.shapes import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Chart,
    Mark,
    axis,
)
from lit_effnet.results.report.words import WORDS, arm_text, cost_text, number
from lit_effnet.results.stats.estimates import FRACTION, Estimate, Interval, Repeats, estimate
from lit_effnet.runs.csv_text import read_rows

ROW = 38  # of an arm in the figure of arms
MOST_LINES = 40


def arms_chart(
    found: Repeats, frame: pd.DataFrame, rows: Mapping[str, str], value: str, confidence: float
) -> Chart:
    """Each arm's runs, mean and interval, an arm in a row.

    Args:
        found: The repeats.
        frame: Their rows.
        rows: Row of the table of runs, by path.
        value: The accuracy.
        confidence: Of the intervals.
    """
    of = {
        arm: estimate([*values.values()], confidence, FRACTION)
        for arm, values in found.values.items()
    }
    order = sorted((arm for arm in of if of[arm].n), key=lambda arm: -(of[arm].mean or 0))
    every = [100 * v for arm in order for v in found.values[arm].values()]
    shown = _within_reach(every, [of[arm].t for arm in order])
    across = axis(shown, 10, WIDTH - RIGHT)
    paths = {(row["arm"], row["seed"]): row["run"] for row in frame.to_dict("records")}
    marks, bars, labels = [], [], []
    for index, arm in enumerate(order):
        y = TOP + ROW * index + 25.0
        labels.append(Placed(10, y - 11, arm_text(arm), "start"))
        if interval := of[arm].t:
            ends = (max(100 * interval.low, across.low), min(100 * interval.high, across.high))
            bars.append((across.at(ends[0]), y, across.at(ends[1]), y))
        mean = of[arm].mean or 0.0
        marks.append(Mark("mean", across.at(100 * mean), y, _mean_tip(arm, of[arm])))
        for seed, of_run in found.values[arm].items():
            run = str(paths.get((arm, seed), ""))
            tip = arm_text(arm) + same(f"\n{number(of_run)} (seed {seed})\n{run}")
            marks.append(Mark("dot", across.at(100 * of_run), y, tip, rows.get(run, "")))
    height = TOP + ROW * len(order) + BOTTOM
    about = WORDS["about_arms"].filled(confidence=100 * confidence)
    return Chart(
        "arms", WORDS["figure_arms"], about, height, WORDS[value], same(""),
        [(x, f"{v:g}") for x, v in across.ticks()], [], marks, bars, labels, "", len(every),
    )  # fmt: skip


def cost_chart(frame: pd.DataFrame, cost: str, value: str, runs: int) -> Chart | None:
    """Means of the arms against a cost; null where the runs do not know it or all cost the same.

    Args:
        frame: Rows of the repeats.
        cost: The column.
        value: The accuracy.
        runs: How many runs it rests on.
    """
    points = pareto_front(arm_points(frame, cost, value), cost, value)
    points = points[points["dominated"].notna()].sort_values([cost, "arm"])
    if len(points) < 2 or not points[cost].gt(0).all() or points[cost].nunique() < 2:
        return None
    x = axis([*points[cost].astype(float)], LEFT, WIDTH - RIGHT, log=True)
    y = axis([*(100 * points[value].astype(float))], HEIGHT - BOTTOM, TOP)
    marks, bars, names = [], [], []
    for row in points.to_dict("records"):
        at = x.at(row[cost]), y.at(100 * row[value])
        if np.isfinite(row["low"]):
            low, high = (float(np.clip(100 * row[s], y.low, y.high)) for s in ("low", "high"))
            bars.append((at[0], y.at(low), at[0], y.at(high)))
        name = arm_text(str(row["arm"]))
        mean, n = number(row[value]), row["n"]
        told = name + same(f"\n{mean}, n = {n}\n") + cost_text(cost, row[cost])
        front = not row["dominated"]
        marks.append(Mark("mean" if front else "behind", *at, told, front=front))
        names.append((name, at))
    front_points = [(mark.x, mark.y) for mark in marks if mark.front]
    title = WORDS["figure_cost"].filled(cost=WORDS[f"cost_{cost}"])
    return Chart(
        cost, title, WORDS["about_cost"], HEIGHT, WORDS[f"axis_{cost}"], WORDS[value],
        [(at, _short(v)) for at, v in x.ticks()], [(at, f"{v:g}") for at, v in y.ticks()],
        marks, bars, placed(names, WIDTH, HEIGHT - BOTTOM), _steps(front_points), runs,
    )  # fmt: skip


def noise_chart(section: Section, value: str) -> Chart | None:
    """Means of the arms at each level of Gaussian noise; null without such rows."""
    rows = section.rows
    noisy = rows[(rows["condition"] == NOISE) & rows[value].notna()].copy()
    levels = noisy["condition_parameters"].str.extract(r'"sigma": ([\d.e-]+)')[0]
    noisy["level"] = levels.astype(float)
    noisy = noisy[noisy["level"].notna()]
    if noisy.empty:
        return None
    # Clean images as the noise was added to them, and else as the network takes them.
    made_alike = rows[(rows["condition"] == CLEAN) & rows["made_at"].notna()]
    clean = pd.concat([made_alike, section.clean]).drop_duplicates("run")
    clean = clean[clean["run"].isin(noisy["run"])].assign(level=0.0)
    every = pd.concat([noisy[noisy["level"] > 0], clean])
    every = every[every[value].notna()]
    means = every.groupby(["arm", "level"])[value].mean()
    curves = {
        str(arm): [(float(level), float(of)) for (_, level), of in some.items()]
        for arm, some in means.groupby(level=0)
    }
    runs = int(noisy["run"].nunique())
    return lines_chart("noise", curves, value, WORDS["sigma"], runs)


def epochs_chart(section: Section, value: str) -> Chart | None:
    """Means of the arms after each epoch; null where there is one epoch, or the files are gone."""
    of_arm: dict[str, dict[int, list[float]]] = {}
    count = 0
    for row in section.runs.to_dict("records"):
        curve = dict(_epochs(str(row["run"]), value))
        count += bool(curve)
        for epoch, of in curve.items():
            of_arm.setdefault(str(row["arm"]), {}).setdefault(epoch, []).append(of)
    curves = {}
    for arm, epochs in of_arm.items():
        # Where some repeats are further than others the mean would jump.
        most = max(map(len, epochs.values()))
        curves[arm] = [(e + 1.0, float(np.mean(v))) for e, v in epochs.items() if len(v) == most]
    curves = {arm: curve for arm, curve in curves.items() if len(curve) > 1}
    if not curves or len(curves) > MOST_LINES:
        return None
    return lines_chart("epochs", curves, value, WORDS["epoch"], count)


def lines_chart(
    name: str,
    curves: Mapping[str, Sequence[tuple[float, float]]],
    value: str,
    x_label: Text,
    runs: int,
) -> Chart:
    """A line for each arm.

    Args:
        name: Of the figure, by which its title is known.
        curves: Points of each arm, an x and a fraction.
        value: What is shown.
        x_label: Below the axis.
        runs: How many are behind it.
    """
    x = axis([at for curve in curves.values() for at, _ in curve], LEFT, WIDTH - RIGHT)
    y = axis([100 * of for c in curves.values() for _, of in c], HEIGHT - BOTTOM, TOP)
    marks, ends = [], []
    for arm, curve in curves.items():
        points = [(x.at(at), y.at(100 * of)) for at, of in sorted(curve)]
        path = "M" + "L".join(f"{px:g} {py:g}" for px, py in points)
        last = sorted(curve)[-1]
        tip = arm_text(arm) + same(f"\n{number(last[1])} ({last[0]:g})")
        marks.append(Mark("line", *points[-1], tip, path=path))
        ends.append((arm_text(arm), points))
    names = at_ends(ends, HEIGHT - BOTTOM)
    return Chart(
        name, WORDS[f"figure_{name}"], WORDS[f"about_{name}"], HEIGHT, x_label, WORDS[value],
        [(at, f"{v:g}") for at, v in x.ticks()], [(at, f"{v:g}") for at, v in y.ticks()],
        marks, [], names, "", runs, curves,
    )  # fmt: skip


def _epochs(run: str, value: str) -> Iterator[tuple[int, float]]:
    """Validation after each epoch, from the run's `metrics.csv`."""
    try:
        for row in read_rows(text_of(run, METRICS)):
            told = row.get(f"val/{value}")
            if told:
                yield int(row["epoch"]), float(told)
    except (OSError, ValueError, KeyError, TypeError):
        return  # a line that is being written


def _within_reach(values: list[float], intervals: Sequence[Interval | None]) -> list[float]:
    """Values, and the intervals' ends where these do not push the values together."""
    low, high = min(values), max(values)
    reach = (high - low or 1.0) * 0.35
    ends = [100 * end for i in intervals if i for end in (i.low, i.high)]
    return [*values, *(min(max(end, low - reach), high + reach) for end in ends)]


def _mean_tip(arm: str, of: Estimate) -> Text:
    told = f"\n{number(of.mean or 0)}, n = {of.n}"
    if of.t:
        told += f"\n{100 * of.t.low:.1f} .. {100 * of.t.high:.1f}"
    return arm_text(arm) + same(told)


def _steps(points: Sequence[tuple[float, float]]) -> str:
    """Between two arms the cheaper one is what can be had."""
    ordered = sorted(points)
    path = f"M{ordered[0][0]:g} {ordered[0][1]:g}"
    return path + "".join(f"H{x:g}V{y:g}" for x, y in ordered[1:])


def _short(value: float) -> str:
    for size, letter in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"
