"""Sentences that state the results of a figure, with its numbers; notebooks show them."""

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
from lit_effnet.results.findings.comparison_text import comparison_text
from lit_effnet.results.frame.columns import clean_rows
from lit_effnet.results.stats.comparison import POINTS, compare, compare_all
from lit_effnet.results.stats.equal_cost import around
from lit_effnet.results.stats.estimates import Repeats, repeats

Row = Mapping[str, Any]
Point = Mapping[Any, Any]

SINGLE = ("depth", "width", "resolution")
FULL_SE = 0.25  # of a block's input channels, as published


def accuracy(point: Point) -> str:
    """Return a mean with its interval and repeats: "81.2 % [79.9, 82.5], n = 3".

    Args:
        point: Mapping with `top1`, `low`, `high` and `n`.
    """
    n, mean = int(point["n"]), POINTS * float(point["top1"])
    if pd.isna(point["low"]):
        return f"{mean:.1f} %, n = {n}"
    low, high = POINTS * float(point["low"]), POINTS * float(point["high"])
    return f"{mean:.1f} % [{low:.1f}, {high:.1f}], n = {n}"


def scaling_sentence(frame: pd.DataFrame) -> str:
    """Compare the best single axis with compound scaling at the highest cost that both have.

    Args:
        frame: Rows of runs of one data set.

    Raises:
        ValueError: No run is finished, or the runs of one arm are not repeats of each other.
    """
    points = scaling_points(frame)
    by_arm = {str(point["arm"]): point for point in points.to_dict("records")}
    clean = clean_rows(frame)
    compound_rows = clean[clean["axis"] == "compound"]
    wanted, rounded = (
        [*compound_rows.loc[compound_rows["rounding"] == rounding, "arm"].unique()]
        for rounding in ("ceil", "round")
    )
    single = {*clean.loc[clean["axis"].isin(SINGLE), "arm"]}
    for compound, group in reversed(around(clean, wanted, spare=rounded).items()):
        rivals = sorted(single.intersection(group.arms), key=lambda arm: by_arm[arm]["top1"])
        if rivals:
            values = repeats(clean[clean["arm"].isin([*group.arms])])
            comparison = next(c for c in compare_all(values, compound) if c.a == rivals[-1])
            return (
                f"At {_times(points, group.arms[compound])} MACs, {compound} reaches "
                f"{accuracy(by_arm[compound])}; the best single axis, {rivals[-1]}, reaches "
                f"{accuracy(by_arm[rivals[-1]])}. {comparison_text(comparison).en}"
            )
    best_arm = points.sort_values("top1").to_dict("records")[-1]
    return (
        f"No cost has both compound scaling and a single axis. The best of {len(points)} arms is "
        f"{best_arm['arm']}: {accuracy(best_arm)} at {_times(points, best_arm['macs'])} MACs."
    )


def coefficient_sentence(frame: pd.DataFrame) -> str:
    """Return the best candidate of the search, and the rank of the published coefficients.

    Args:
        frame: Rows of runs of one data set.

    Raises:
        ValueError: There are fewer than three finished candidates at phi = 1.
    """
    points, slope = coefficient_points(frame)
    ranked = points.sort_values("at_equal_macs", ascending=False, ignore_index=True)
    named = [_candidate(point) for point in ranked.to_dict("records")]
    text = (
        f"Adjusted to {ranked['macs'].median() / 1e6:,.1f} M MACs ({POINTS * slope:+.1f} points "
        f"per doubling), the best of {len(ranked)} candidates is {named[0]} with "
        f"{POINTS * ranked['at_equal_macs'].iloc[0]:.1f} %"
    )
    published = _candidate(dict(zip(("alpha", "beta", "gamma"), PUBLISHED, strict=True)))
    if published not in named:
        return f"{text}. The published {published} is not among them."
    place = named.index(published)
    reached = POINTS * ranked["at_equal_macs"].iloc[place]
    if place == 0:
        return f"{text}, which is the published one."
    # All repeats of an arm are adjusted by the same amount. The best is compared as one of many.
    values = repeats(clean_rows(frame)).values
    shifts = zip(named, ranked["arm"], ranked["at_equal_macs"] - ranked["top1"], strict=True)
    moved = {
        name: {seed: value + shift for seed, value in values[arm].items()}
        for name, arm, shift in shifts
    }
    best = comparison_text(compare_all(Repeats(moved, {}), published)[0]).en
    return (
        f"{text}. The published {published} is rank {place + 1} of {len(ranked)} with "
        f"{reached:.1f} %. {best}"
    )


def se_sentence(frame: pd.DataFrame) -> str:
    """Compare the published SE ratio with none: accuracy and added cost.

    Args:
        frame: Rows of runs of one data set.

    Raises:
        ValueError: Fewer than two ratios have a finished run.
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
    comparison = compare(names[1], names[0], of_full, of_none)
    added = []
    for cost, word in (("parameters", "parameters"), ("macs", "MACs"), ("latency_ms", "latency")):
        of_cost = se_points(frame, cost).set_index("se_ratio")[cost]
        if pd.notna(of_cost[full]) and pd.notna(of_cost[ratios[0]]):
            added.append(f"{POINTS * (of_cost[full] / of_cost[ratios[0]] - 1):+.1f} % {word}")
    return (
        f"{names[1]} reaches {accuracy(ends[1])}; {names[0]} reaches {accuracy(ends[0])}. "
        f"{comparison_text(comparison).en} {names[1]} adds {', '.join(added)}."
    )


def transfer_sentence(frame: pd.DataFrame) -> str:
    """Return the best network and recipe for each data set, beside its other recipes.

    Args:
        frame: Rows of runs, of any data sets.

    Raises:
        ValueError: No run that started from pretrained weights is finished.
    """
    points = transfer_points(frame)
    texts = []
    for data, of_data in points.groupby("data"):
        best = of_data.sort_values("top1").to_dict("records")[-1]
        others = of_data[(of_data["arm"] == best["arm"]) & (of_data["recipe"] != best["recipe"])]
        recipe = RECIPES.get(best["recipe"], best["recipe"])
        text = f"On {data} the best is {best['arm']}, {recipe}: {accuracy(best)}"
        for other in others.to_dict("records"):
            text += f"; {RECIPES.get(other['recipe'], other['recipe'])}: {accuracy(other)}"
        texts.append(f"{text}.")
    return " ".join(texts)


def noise_sentence(frame: pd.DataFrame) -> str:
    """Return the highest and the lowest accuracy under the strongest noise.

    Args:
        frame: Rows of runs of one data set.

    Raises:
        ValueError: No finished run was evaluated under Gaussian noise.
    """
    points = noise_points(frame)
    sigma = float(points["sigma"].max())
    several = points["recipe"].nunique() > 1
    strongest = points[points["sigma"] == sigma].sort_values("top1").to_dict("records")
    clean = {
        (point["arm"], point["recipe"]): point
        for point in points[points["sigma"] == 0].to_dict("records")
    }

    def describe(point: Point) -> str:
        name = f"{point['arm']} (recipe {point['recipe']})" if several else str(point["arm"])
        before = clean.get((point["arm"], point["recipe"]))
        text = f"{name} reaches {accuracy(point)}"
        return text + (f" (clean: {accuracy(before)})" if before else "")

    text = f"Under Gaussian noise with sigma {sigma:g}, {describe(strongest[-1])}"
    if len(strongest) > 1:
        text += f", the highest of {len(strongest)} arms; {describe(strongest[0])}, the lowest"
    return f"{text}."


def efficiency_sentence(rows: Sequence[Row]) -> str:
    """Compare the two networks of nearly equal MACs whose latencies differ most.

    Args:
        rows: Rows of `measure`.

    Raises:
        ValueError: No network has both MACs and a latency.
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
            return f"{first['name']} takes {_ms(first):.1f} ms per image."
        pairs = [(last, first)]
    slow, quick = max(pairs, key=lambda pair: _ms(pair[0]) / _ms(pair[1]))
    text = (
        f"{slow['name']} has {slow['macs'] / quick['macs']:.2f} times the MACs of "
        f"{quick['name']} and {_ms(slow) / _ms(quick):.2f} times its latency "
        f"({_ms(slow):.1f} and {_ms(quick):.1f} ms per image, {slow['device']})"
    )
    parts = utilisation(slow), utilisation(quick)
    if parts[0] is not None and parts[1] is not None:
        text += (
            f"; in batches it reaches {POINTS * parts[0]:.0f} % of the device's peak FLOP/s, "
            f"{quick['name']} {POINTS * parts[1]:.0f} %"
        )
    return f"{text}."


def int8_sentence(rows: Sequence[Row]) -> str:
    """Return the accuracy and speed of the fastest INT8 network relative to float32.

    Args:
        rows: Rows of `quantize` for one network.

    Raises:
        ValueError: No row is in INT8 and timed.
    """
    points = int8_points(rows)
    in_float = [point for point in points if not point.in_int8]
    in_int8 = [point for point in points if point.in_int8]
    best = max(in_int8, key=lambda point: point.top1)
    quick = in_int8[0]
    text = (
        f"The fastest INT8 network is {quick.name}: {quick.latency_ms:.2f} ms of CPU time per image"
    )
    if quick.speedup is not None:
        text += f", {quick.speedup:.2f} times as fast as float32 in eager PyTorch"
    text += f", top-1 {POINTS * quick.top1:.1f} %"
    if in_float:
        text += f" ({POINTS * (quick.top1 - in_float[0].top1):+.1f} points against float32)"
    if best is not quick:
        text += f". The most accurate is {best.name}: {POINTS * best.top1:.1f} %"
    latencies = [point.latency_ms for point in in_float]
    if latencies and min(latencies) < quick.latency_ms:
        text += f". {in_float[0].program} in float32 is faster: {min(latencies):.2f} ms"
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
