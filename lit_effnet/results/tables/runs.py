"""Tables of runs for the docs: arms with their repeats, rates, coefficients, transfer, noise."""

import json
from collections.abc import Iterable
from dataclasses import replace
from statistics import mean
from typing import Any

import pandas as pd

from lit_effnet.cli import format as form
from lit_effnet.cli.tables import Column, PlainTable, Row, tabulate
from lit_effnet.results.figures.coefficients import coefficient_points
from lit_effnet.results.figures.noise import noise_points
from lit_effnet.results.frame.columns import clean_rows
from lit_effnet.results.frame.shipped import RESULTS, read_shipped, read_shipped_rows
from lit_effnet.results.stats.estimates import FRACTION, estimate
from lit_effnet.results.tables.columns import ARM, IMAGE_SIZE, LATENCY, MACS, PARAMETERS, TOP1

STARTS = {
    "finetune": "Lite0's weights, fine-tuned",
    "linear_probe": "Lite0's weights, linear probe",
    "quick": "random weights",
}
SPLITS = ("validation", "test")
REPEATS = Column("top-1", "repeats", form.each(form.percent), unit="%", left=True)
MEAN = Column("mean", "mean", form.percent)
INTERVAL = Column("95 % interval", "interval", form.interval(form.percent))
LEARNING_RATE = Column("rate", "learning_rate", form.plain)


def shipped_runs(name: str) -> pd.DataFrame:
    """Return the runs of a file in `results/`."""
    return read_shipped(RESULTS / f"{name}.json")


def shipped_evaluations(name: str) -> pd.DataFrame:
    """Return the evaluations of one network, as a file in `results/` holds them."""
    rows = read_shipped_rows(RESULTS / f"{name}.json")
    return pd.DataFrame(
        [{**row, "condition_parameters": json.dumps(row["parameters"])} for row in rows]
    )


def arms_table(frame: pd.DataFrame) -> PlainTable:
    """Return a row for each arm, from the cheapest on: its cost and its repeats.

    Latencies are shown where all runs measured one, rates where arms have several.

    Args:
        frame: Finished runs.
    """
    frame = clean_rows(frame).drop_duplicates("run", keep="last")
    has_several_rates = frame["learning_rate"].nunique() > 1
    is_timed = bool(frame["latency_ms"].notna().all())
    rows = []
    for arm in _by_cost(frame):
        runs = frame[frame["arm"] == arm].sort_values("seed")
        values, latencies = runs["top1"].tolist(), runs["latency_ms"]
        result = estimate(values, bounds=FRACTION)
        rows.append(
            {
                **runs.iloc[0].to_dict(),
                "latency": [latencies.median(), latencies.min(), latencies.max()],
                "repeats": values,
                "mean": result.mean,
                "interval": (result.t.low, result.t.high) if result.t else None,
            }
        )
    latency = replace(LATENCY, unit="ms", value="latency", write=form.spread(form.ratio))
    columns = (
        *(ARM, IMAGE_SIZE, PARAMETERS, MACS),
        *([latency] if is_timed else []),
        *([LEARNING_RATE] if has_several_rates else []),
        *(REPEATS, MEAN, INTERVAL),
    )
    return tabulate(columns, rows)


def rates_table(frame: pd.DataFrame) -> PlainTable:
    """Return top-1 of each arm by learning rate, and the best one where all arms have all rates.

    Args:
        frame: Runs of a sweep over learning rates, one repeat each.
    """
    frame = clean_rows(frame).drop_duplicates("run", keep="last")
    top1 = frame.pivot_table(index="arm", columns="learning_rate", values="top1")
    is_complete = bool(top1.notna().all(axis=None))
    rows = []
    for arm in _by_cost(frame):
        rates = top1.loc[arm]
        macs = frame.loc[frame["arm"] == arm, "macs"].iloc[0]
        rows.append({"arm": arm, "macs": macs, "best": rates.idxmax(), **_by_text(rates)})
    best = Column("best rate", "best", form.plain)
    columns = (ARM, MACS, *_accuracies(top1.columns), *([best] if is_complete else []))
    return tabulate(columns, rows)


def coefficients_table(frame: pd.DataFrame) -> PlainTable:
    """Return candidates for alpha, beta and gamma, the best at equal multiply-adds first.

    Args:
        frame: Runs of a coefficient search.
    """
    points, _ = coefficient_points(frame)
    points["interval"] = [
        None if pd.isna(low) else (low, high)
        for low, high in zip(points["low"], points["high"], strict=True)
    ]
    columns = (
        *(Column(name, name, form.plain) for name in ("alpha", "beta", "gamma")),
        *(MACS, TOP1, INTERVAL),
        Column("at equal MACs", "at_equal_macs", form.percent),
    )
    return tabulate(
        columns, points.sort_values("at_equal_macs", ascending=False).to_dict("records")
    )


def transfer_table(frame: pd.DataFrame) -> PlainTable:
    """Return accuracies and minutes of each repeat by the weights that a training begins with.

    Args:
        frame: Runs of `sweeps/transfer_flowers102.yaml`.
    """
    rows = []
    for recipe, start in STARTS.items():
        runs = frame[(frame["recipe"] == recipe) & (frame["condition"] == "clean")]
        runs = runs.sort_values("seed")
        top1 = {split: runs.loc[runs["split"] == split, "top1"].tolist() for split in SPLITS}
        means = {f"{split}_mean": mean(values) for split, values in top1.items()}
        validated = runs[runs["split"] == "validation"]
        # The processor's own time, which other work on the machine does not lengthen.
        seconds = validated["processor_s"].fillna(validated["duration_s"]).tolist()
        rows.append({"start": start, "seconds": seconds, **top1, **means})
    accuracies = (
        (replace(REPEATS, heading=split, value=split), replace(MEAN, value=f"{split}_mean"))
        for split in SPLITS
    )
    columns = (
        Column("begins with", "start", left=True),
        *(column for pair in accuracies for column in pair),
        Column("minutes", "seconds", form.each(form.number(".0f", 1 / 60))),
    )
    return tabulate(columns, rows)


def noise_table(frame: pd.DataFrame) -> PlainTable:
    """Return mean top-1 of each arm under Gaussian noise, by sigma.

    Args:
        frame: Runs that were evaluated under Gaussian noise.
    """
    points = noise_points(frame)
    sigmas = sorted(points["sigma"].unique())
    rows = []
    for arm, group in points.groupby("arm", sort=False):
        top1 = group.set_index("sigma")["top1"]
        costs = {"arm": arm, "macs": group["macs"].iloc[0]}
        rows.append({**costs, "retained": top1[sigmas[-1]] / top1[0.0], **_by_text(top1)})
    retained = Column("retained", "retained", form.number(".0f", 100), unit="%")
    return tabulate((ARM, MACS, *_accuracies(sigmas), retained), rows)


def sigmas_table(frame: pd.DataFrame) -> PlainTable:
    """Return top-1, top-5 and calibration error of one network under Gaussian noise, by sigma.

    Args:
        frame: Rows of one network.
    """
    known = frame[frame["condition"].isin(("clean", "gaussian_noise")) & frame["severity"].isna()]
    sigmas = [json.loads(text).get("sigma", 0.0) for text in known["condition_parameters"]]
    known = known.assign(sigma=sigmas).sort_values("sigma").drop_duplicates("sigma")
    known = known.set_index("sigma")
    scores = {"top1": "top-1, %", "top5": "top-5, %", "calibration_error": "calibration error, %"}
    rows = [{"score": label, **_by_text(known[name])} for name, label in scores.items()]
    score = Column("Gaussian noise, sigma", "score", left=True)
    return tabulate((score, *_accuracies(known.index)), rows)


def _by_cost(frame: pd.DataFrame) -> list[str]:
    """Return the arms, from the one with the fewest MACs on."""
    return [*frame.groupby("arm")["macs"].first().sort_values(kind="stable").index]


def _by_text(values: "pd.Series[Any]") -> Row:
    """Return values by their index as text, the key of a column."""
    return {f"{key:g}": float(value) for key, value in values.items()}


def _accuracies(values: Iterable[float]) -> list[Column]:
    """Return a column of accuracies for each rate or sigma."""
    return [Column(f"{v:g}", f"{v:g}", form.percent) for v in values]
