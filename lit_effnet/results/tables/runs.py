"""Tables of runs for the pages: arms with their repeats, rates, coefficients, transfer, noise."""

import json
from collections.abc import Sequence

import pandas as pd

from lit_effnet.cli.tables import markdown_table
from lit_effnet.metrics.robustness import (
    ALEXNET_ERRORS,
    BENCHMARK,
    SEVERITIES,
    corruption_errors,
    mean_corruption_error,
)
from lit_effnet.results.figures.coefficients import coefficient_points
from lit_effnet.results.figures.noise import noise_points
from lit_effnet.results.frame.columns import clean_rows
from lit_effnet.results.frame.shipped import RESULTS, read_shipped, read_shipped_rows
from lit_effnet.results.stats.comparison import POINTS
from lit_effnet.results.stats.estimates import FRACTION, estimate

STARTS = {
    "finetune": "Lite0's weights, fine-tuned",
    "linear_probe": "Lite0's weights, linear probe",
    "quick": "random weights",
}


def shipped_runs(name: str) -> pd.DataFrame:
    """The runs of a file in `results/`."""
    return read_shipped(RESULTS / f"{name}.json")


def arms_table(frame: pd.DataFrame) -> str:
    """A row for each arm, from the cheapest on: what it costs, and its repeats.

    Latencies are the median of the repeats', with their range, where all runs measured one.

    Args:
        frame: Finished runs, as `table.load` gives them.
    """
    frame = clean_rows(frame).drop_duplicates("run", keep="last")
    rows = []
    costs = frame.groupby("arm")["macs"].first().sort_values(kind="stable")
    several = frame["learning_rate"].nunique() > 1
    timed = bool(frame["latency_ms"].notna().all())
    for arm in costs.index:
        runs = frame[frame["arm"] == arm].sort_values("seed")
        first = runs.iloc[0]
        cells = [
            f"`{arm}`",
            f"{first['image_size']}",
            f"{first['parameters'] / 1e6:.2f}",
            f"{first['macs'] / 1e6:.1f}",
            *([_median_and_range(runs["latency_ms"])] if timed else []),
            *([f"{first['learning_rate']:g}"] if several else []),
            _each(runs["top1"]),
            *_mean_and_interval(runs["top1"]),
        ]
        rows.append(cells)
    more = [*(["latency, ms"] if timed else []), *(["rate"] if several else [])]
    columns = ("arm", "px", "parameters, M", "MACs, M", *more, "top-1, %", "mean", "95 % interval")
    return markdown_table(columns, rows, left=(0, len(columns) - 3))


def rates_table(frame: pd.DataFrame) -> str:
    """Top-1 of each arm by learning rate, one repeat each; the best where trials are equal.

    Args:
        frame: Runs of a sweep over learning rates.
    """
    frame = clean_rows(frame).drop_duplicates("run", keep="last")
    top1 = frame.pivot_table(index="arm", columns="learning_rate", values="top1")
    equal = bool(top1.notna().all(axis=None))
    macs = frame.groupby("arm")["macs"].first().sort_values(kind="stable")
    rows = []
    for arm, cost in macs.items():
        told = ["" if pd.isna(value) else f"{POINTS * value:.1f}" for value in top1.loc[arm]]
        best = [f"{top1.loc[arm].idxmax():g}"] if equal else []
        rows.append([f"`{arm}`", f"{cost / 1e6:.1f}", *told, *best])
    rates = [f"{rate:g}" for rate in top1.columns]
    columns = ("arm", "MACs, M", *rates, *(["best rate"] if equal else []))
    return markdown_table(columns, rows)


def coefficients_table(frame: pd.DataFrame) -> str:
    """Candidates for alpha, beta and gamma, the best at equal multiply-adds first.

    Args:
        frame: Runs of a coefficient search.
    """
    points, _ = coefficient_points(frame)
    rows = []
    for point in points.sort_values("at_equal_macs", ascending=False).to_dict("records"):
        interval = ""
        if pd.notna(point["low"]):
            interval = f"{POINTS * point['low']:.1f}..{POINTS * point['high']:.1f}"
        cells = [
            *(f"{point[name]:g}" for name in ("alpha", "beta", "gamma")),
            f"{point['macs'] / 1e6:.1f}",
            f"{POINTS * point['top1']:.1f}",
            interval,
            f"{POINTS * point['at_equal_macs']:.1f}",
        ]
        rows.append(cells)
    columns = ("alpha", "beta", "gamma", "MACs, M", "top-1, %", "95 % interval", "at equal MACs")
    return markdown_table(columns, rows, left=())


def transfer_table(frame: pd.DataFrame) -> str:
    """What a training begins with: validation, test, and minutes of each repeat.

    Args:
        frame: Runs of `sweeps/transfer_flowers102.yaml`.
    """
    rows = []
    for recipe, start in STARTS.items():
        of_start = frame[(frame["recipe"] == recipe) & (frame["condition"] == "clean")]
        of_start = of_start.sort_values("seed")
        splits = [of_start[of_start["split"] == split] for split in ("validation", "test")]
        # The processor's own time, which other work on the machine does not lengthen.
        took = splits[0]["processor_s"].fillna(splits[0]["duration_s"])
        minutes = ", ".join(f"{seconds / 60:.0f}" for seconds in took)
        scores = [part for some in splits for part in (_each(some["top1"]), _mean(some["top1"]))]
        rows.append([start, *scores, minutes])
    columns = ("begins with", "validation, %", "mean", "test, %", "mean", "minutes")
    return markdown_table(columns, rows, left=(0, 1, 3))


def noise_table(frame: pd.DataFrame) -> str:
    """Mean top-1 of each arm under Gaussian noise, by sigma.

    Args:
        frame: Runs that were evaluated under Gaussian noise.
    """
    points = noise_points(frame)
    sigmas = sorted(points["sigma"].unique())
    rows = []
    for arm, some in points.groupby("arm", sort=False):
        by_sigma = some.set_index("sigma")["top1"]
        kept = by_sigma[sigmas[-1]] / by_sigma[0.0]
        means = [f"{POINTS * by_sigma[sigma]:.1f}" for sigma in sigmas]
        rows.append([f"`{arm}`", f"{some['macs'].iloc[0] / 1e6:.1f}", *means, f"{100 * kept:.0f}"])
    columns = ("arm", "MACs, M", *(f"{sigma:g}" for sigma in sigmas), "kept, %")
    return markdown_table(columns, rows)


def noise_lite0_table() -> str:
    """Lite0's released weights under Gaussian noise, as `evaluate` wrote it."""
    rows = read_shipped_rows(RESULTS / "noise_lite0.json")
    told = [{**row, "condition_parameters": json.dumps(row["parameters"])} for row in rows]
    return sigmas_table(pd.DataFrame(told))


def sigmas_table(frame: pd.DataFrame) -> str:
    """Top-1, top-5 and calibration error of one network under Gaussian noise, by sigma.

    Args:
        frame: Rows of one network.
    """
    rows = frame[frame["condition"].isin(("clean", "gaussian_noise")) & frame["severity"].isna()]
    given = [json.loads(text).get("sigma", 0.0) for text in rows["condition_parameters"]]
    rows = rows.assign(sigma=given).sort_values("sigma").drop_duplicates("sigma")
    scores = {"top1": "top-1, %", "top5": "top-5, %", "calibration_error": "calibration error, %"}
    cells = [[told, *(f"{POINTS * v:.1f}" for v in rows[name])] for name, told in scores.items()]
    columns = ("Gaussian noise, sigma", *(f"{sigma:g}" for sigma in rows["sigma"]))
    return markdown_table(columns, cells)


def corruptions_table(frame: pd.DataFrame) -> str:
    """Top-1 of one network by corruption and severity, and the mean errors below.

    Args:
        frame: Rows of one network.
    """
    known = frame[frame["severity"].notna()]
    every = known[["condition", "severity", "top1"]].to_dict("records")
    errors = corruption_errors(every)
    rows = []
    for name in dict.fromkeys(known["condition"]):
        top1 = known[known["condition"] == name].set_index("severity")["top1"]
        cells = [f"{POINTS * top1[severity]:.1f}" for severity in range(1, SEVERITIES + 1)]
        rows.append([f"`{name}`", *cells, f"{POINTS * errors[name]:.1f}"])
    severities = [f"{severity}" for severity in range(1, SEVERITIES + 1)]
    table = markdown_table(("top-1, %", *severities, "mean error"), rows)
    plain = mean_corruption_error(errors)
    relative = mean_corruption_error(errors, "AlexNet", ALEXNET_ERRORS)
    assert plain is not None
    assert relative is not None
    count = len(BENCHMARK) - len(plain.missing)
    without = f" (without {', '.join(plain.missing)})" if plain.missing else ""
    return (
        f"{table}\n\nOver {count} of the benchmark's {len(BENCHMARK)} corruptions{without} the "
        f"mean error is {POINTS * plain.value:.1f} %, and relative to AlexNet's published errors "
        f"{POINTS * relative.value:.1f} %."
    )


def _each(values: Sequence[float]) -> str:
    return ", ".join(f"{POINTS * value:.1f}" for value in values)


def _median_and_range(values: "pd.Series[float]") -> str:
    return f"{values.median():.2f} ({values.min():.2f}..{values.max():.2f})"


def _mean(values: "pd.Series[float]") -> str:
    return f"{POINTS * values.mean():.1f}"


def _mean_and_interval(values: "pd.Series[float]") -> list[str]:
    found = estimate(values.tolist(), bounds=FRACTION)
    interval = f"{POINTS * found.t.low:.1f}..{POINTS * found.t.high:.1f}" if found.t else ""
    return [f"{POINTS * (found.mean or 0.0):.1f}", interval]
