"""What figures show, in words with their numbers: other data, another sentence."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from lit_effnet.results.figures.coefficients import PUBLISHED, coefficient_points
from lit_effnet.results.figures.efficiency import efficiency_rows, utilisation
from lit_effnet.results.figures.int8 import int8_points
from lit_effnet.results.figures.noise import noise_points
from lit_effnet.results.figures.scaling import scaling_points
from lit_effnet.results.figures.se_ratio import se_name, se_points
from lit_effnet.results.figures.transfer import RECIPES, transfer_points
from lit_effnet.results.frame.columns import clean_rows
from lit_effnet.results.stats.comparison import POINTS, compare, compare_all
from lit_effnet.results.stats.equal_cost import around
from lit_effnet.results.stats.estimates import Repeats, repeats

Row = Mapping[str, Any]
Point = Mapping[Any, Any]

SINGLE = ("depth", "width", "resolution")
FULL_SE = 0.25  # of a block's input channels, as published


def accuracy(point: Point) -> str:
    """A mean with its interval and repeats: "81.2 % (79.9 to 82.5, n = 3)".

    Args:
        point: With `top1`, `low`, `high` and `n`.
    """
    n, mean = int(point["n"]), POINTS * float(point["top1"])
    if pd.isna(point["low"]):
        return f"{mean:.1f} % (n = {n}, no interval)"
    low, high = POINTS * float(point["low"]), POINTS * float(point["high"])
    return f"{mean:.1f} % ({low:.1f} to {high:.1f}, n = {n})"


def scaling_sentence(frame: pd.DataFrame) -> str:
    """Compound scaling against the best single axis at the highest cost that both have.

    Args:
        frame: Rows of runs of one data set.

    Raises:
        ValueError: no run is finished, or runs of one arm are no repeats of each other.
    """
    points = scaling_points(frame)
    by_arm = {str(point["arm"]): point for point in points.to_dict("records")}
    clean = clean_rows(frame)
    compound_arms = points[points["axis"] == "compound"]
    wanted, rounded = (
        compound_arms[compound_arms["rounded"] == kind]["arm"].to_list() for kind in (False, True)
    )
    for compound, group in reversed(around(clean, wanted, spare=rounded).items()):
        there = points[points["arm"].isin([*group.arms])]
        single = there[there["axis"].isin(SINGLE)].sort_values("top1")["arm"].to_list()
        if single:
            found = repeats(clean[clean["arm"].isin([*group.arms])])
            best = next(one for one in compare_all(found, compound) if one.a == single[-1])
            return (
                f"At {_times(points, group.arms[compound])} MACs, {compound} reached "
                f"{accuracy(by_arm[compound])}; the best single axis, {single[-1]}, "
                f"{accuracy(by_arm[single[-1]])}: {best.verdict}."
            )
    best_arm = points.sort_values("top1").to_dict("records")[-1]
    return (
        f"No cost has both compound scaling and a single axis; of {len(points)} arms the best is "
        f"{best_arm['arm']} with {accuracy(best_arm)} at {_times(points, best_arm['macs'])} MACs."
    )


def coefficient_sentence(frame: pd.DataFrame) -> str:
    """The best candidate of the search, and where the published one stands.

    Args:
        frame: Rows of runs of one data set.

    Raises:
        ValueError: there are fewer than three finished candidates at phi = 1.
    """
    points, slope = coefficient_points(frame)
    ranked = points.sort_values("at_equal_macs", ascending=False, ignore_index=True)
    named = [_candidate(point) for point in ranked.to_dict("records")]
    text = (
        f"Of {len(ranked)} candidates at {ranked['macs'].median() / 1e6:,.1f} M multiply-adds (a "
        f"doubling is worth {POINTS * slope:+.1f} points here), the best is {named[0]} with "
        f"{POINTS * ranked['at_equal_macs'].iloc[0]:.1f} %"
    )
    published = _candidate(dict(zip(("alpha", "beta", "gamma"), PUBLISHED, strict=True)))
    if published not in named:
        return f"{text}; the published {published} is not among them."
    place = named.index(published)
    reached = POINTS * ranked["at_equal_macs"].iloc[place]
    if place == 0:
        return f"{text}, which is the published one."
    # An arm's repeats are all carried by as much; and the best of many is compared as one of many.
    values = repeats(clean_rows(frame)).values
    shifts = zip(named, ranked["arm"], ranked["at_equal_macs"] - ranked["top1"], strict=True)
    moved = {
        name: {seed: value + shift for seed, value in values[arm].items()}
        for name, arm, shift in shifts
    }
    told = compare_all(Repeats(moved, {}), published)[0].verdict
    return f"{text}; the published {published} is number {place + 1} with {reached:.1f} %: {told}."


def se_sentence(frame: pd.DataFrame) -> str:
    """The published SE ratio against none: accuracy, and what it adds to each cost.

    Args:
        frame: Rows of runs of one data set.

    Raises:
        ValueError: fewer than two ratios have a finished run.
    """
    points = se_points(frame)
    ratios = [float(ratio) for ratio in points["se_ratio"]]
    full = FULL_SE if FULL_SE in ratios else ratios[-1]
    ends = [
        points[points["se_ratio"] == ratio].to_dict("records")[0] for ratio in (ratios[0], full)
    ]
    names = [f"SE ratio {se_name(ratio)}" for ratio in (ratios[0], full)]
    values = repeats(clean_rows(frame)).values
    of_none, of_full = (values[str(end["arm"])] for end in ends)
    found = compare(names[1], names[0], of_full, of_none)
    added = []
    for cost, word in (("parameters", "parameters"), ("macs", "MACs"), ("latency_ms", "latency")):
        of_cost = se_points(frame, cost).set_index("se_ratio")[cost]
        if pd.notna(of_cost[full]) and pd.notna(of_cost[ratios[0]]):
            added.append(f"{POINTS * (of_cost[full] / of_cost[ratios[0]] - 1):+.1f} % {word}")
    return (
        f"{names[1]} reached {accuracy(ends[1])}, {names[0]} {accuracy(ends[0])}: {found.verdict}. "
        f"It costs {', '.join(added)}."
    )


def transfer_sentence(frame: pd.DataFrame) -> str:
    """The best network and recipe of each data set, and what fine-tuning adds to its probe.

    Args:
        frame: Rows of runs, of any data sets.

    Raises:
        ValueError: no run that began with trained weights is finished.
    """
    points = transfer_points(frame)
    told = []
    for data, of_data in points.groupby("data"):
        best = of_data.sort_values("top1").to_dict("records")[-1]
        others = of_data[(of_data["arm"] == best["arm"]) & (of_data["recipe"] != best["recipe"])]
        recipe = RECIPES.get(best["recipe"], best["recipe"])
        text = f"On {data} the best is {best['arm']}, {recipe}, with {accuracy(best)}"
        for other in others.to_dict("records"):
            text += f"; {RECIPES.get(other['recipe'], other['recipe'])}: {accuracy(other)}"
        told.append(f"{text}.")
    return " ".join(told)


def noise_sentence(frame: pd.DataFrame) -> str:
    """What is left under the strongest noise, of the arm with the most and of that with the least.

    Args:
        frame: Rows of runs of one data set.

    Raises:
        ValueError: no finished run was evaluated under Gaussian noise.
    """
    points = noise_points(frame)
    sigma = float(points["sigma"].max())
    several = points["recipe"].nunique() > 1
    strongest = points[points["sigma"] == sigma].sort_values("top1").to_dict("records")
    clean = {
        (point["arm"], point["recipe"]): point
        for point in points[points["sigma"] == 0].to_dict("records")
    }

    def told(point: Point) -> str:
        name = f"{point['arm']} by recipe {point['recipe']}" if several else str(point["arm"])
        before = clean.get((point["arm"], point["recipe"]))
        return f"{name} keeps {accuracy(point)}" + (f" of {accuracy(before)}" if before else "")

    text = f"Under Gaussian noise of sigma {sigma:g}, {told(strongest[-1])}"
    if len(strongest) > 1:
        text += f", the most of {len(strongest)}; {told(strongest[0])}, the least"
    return f"{text}."


def efficiency_sentence(rows: Sequence[Row]) -> str:
    """Two networks of nearly equal multiply-adds whose latencies differ the most.

    Args:
        rows: As `measure` writes them.

    Raises:
        ValueError: no network has multiply-adds and a latency.
    """
    shown = efficiency_rows(rows)
    pairs = [
        (a, b)
        for a in shown
        for b in shown
        if a is not b and 0.8 <= a["macs"] / b["macs"] <= 1.25 and _ms(a) >= _ms(b)
    ]
    if not pairs:
        first, last = shown[0], shown[-1]
        if first is last:
            return f"{first['name']} takes {_ms(first):.1f} ms for an image."
        pairs = [(last, first)]
    slow, quick = max(pairs, key=lambda pair: _ms(pair[0]) / _ms(pair[1]))
    text = (
        f"{slow['name']} has {slow['macs'] / quick['macs']:.2f} times the MACs of "
        f"{quick['name']}, and takes {_ms(slow) / _ms(quick):.2f} times as long for an image "
        f"({_ms(slow):.1f} and {_ms(quick):.1f} ms, {slow['device']})"
    )
    parts = utilisation(slow), utilisation(quick)
    if parts[0] is not None and parts[1] is not None:
        text += (
            f"; in batches it reaches {POINTS * parts[0]:.0f} % of the device's peak, "
            f"{quick['name']} {POINTS * parts[1]:.0f} %"
        )
    return f"{text}."


def int8_sentence(rows: Sequence[Row]) -> str:
    """The quickest network in INT8: what it loses against float32, and what it gains.

    Args:
        rows: As `quantize` writes them, of one network.

    Raises:
        ValueError: none is in INT8 and timed.
    """
    points = int8_points(rows)
    in_float = [point for point in points if not point.in_int8]
    in_int8 = [point for point in points if point.in_int8]
    best = max(in_int8, key=lambda point: point.top1)
    quick = in_int8[0]
    took = f"{quick.latency_ms:.2f} ms of processor time for an image"
    text = f"Quickest in INT8 is {quick.name}: {took}"
    if quick.speedup is not None:
        text += f", {quick.speedup:.2f} times as quick as PyTorch's eager float32"
    text += f", with {POINTS * quick.top1:.1f} %"
    if in_float:
        lost = POINTS * (quick.top1 - in_float[0].top1)
        text += f" ({lost:+.1f} points to float32)"
    if best is not quick:
        text += f"; most accurate is {best.name} with {POINTS * best.top1:.1f} %"
    floats = [point.latency_ms for point in in_float]
    if floats and min(floats) < quick.latency_ms:
        text += f"; in float32 {in_float[0].program} is quicker still, {min(floats):.2f} ms"
    return f"{text}."


def _times(points: pd.DataFrame, macs: float) -> str:
    baseline = points[points["axis"] == "baseline"]["macs"]
    if baseline.empty:
        return f"{macs / 1e6:,.1f} M"
    return f"{macs / baseline.iloc[0]:.2f} times the baseline's"


def _candidate(point: Point) -> str:
    return f"({', '.join(f'{point[name]:g}' for name in ('alpha', 'beta', 'gamma'))})"


def _ms(row: Row) -> float:
    return float(row["latency"]["median_ms"])
