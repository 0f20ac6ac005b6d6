"""Tables of runs show the numbers of the runs."""

import json

import pandas as pd
import pytest

from lit_effnet.results.figures.coefficients import coefficient_points
from lit_effnet.results.frame.columns import frame_of
from lit_effnet.results.frame.records import Row
from lit_effnet.results.frame.shipped import RESULTS, read_shipped
from lit_effnet.results.tables.runs import (
    arms_table,
    coefficients_table,
    noise_table,
    rates_table,
    sigmas_table,
    transfer_table,
)
from tests.results.figures import examples
from tests.results.tables.test_measured import cells


def test_arms_are_sorted_by_cost_and_have_repeats_mean_and_interval() -> None:
    frame = read_shipped(RESULTS / "se_ratio_photos.json")
    rows = cells(arms_table(frame))[1:]
    costs = [float(row[3]) for row in rows]
    assert costs == sorted(costs)
    for row in rows:
        runs = frame[frame["arm"] == row[0].strip("`")].sort_values("seed")
        assert row[4] == ", ".join(f"{100 * value:.1f}" for value in runs["top1"])
        assert row[5] == f"{100 * runs['top1'].mean():.1f}"
        low, high = map(float, row[6].split(".."))
        assert low < float(row[5]) < high


def frame(*rows: Row) -> pd.DataFrame:
    """A table of rows, clean ones of finished runs where they do not say so."""
    known = {"status": "finished", "split": "validation"}
    return frame_of(
        [
            {**known, "condition": "clean", "condition_parameters": "{}", "run": f"{n}", **row}
            for n, row in enumerate(rows)
        ]
    )


def test_rates_are_shown_where_arms_have_several() -> None:
    runs = examples.scaling_runs()
    heading, *_ = cells(arms_table(runs.assign(learning_rate=0.4)))
    assert "rate" not in heading
    own = runs["arm"].eq("baseline").map({True: 0.8, False: 0.4})
    heading, *rows = cells(arms_table(runs.assign(learning_rate=own)))
    place = heading.index("rate")
    assert {row[0]: row[place] for row in rows}["`baseline`"] == "0.8"


def test_latencies_are_shown_where_all_runs_measured_one() -> None:
    runs = examples.scaling_runs()
    assert "latency, ms" not in cells(arms_table(runs.assign(latency_ms=float("nan"))))[0]
    heading, *rows = cells(arms_table(runs.assign(latency_ms=1.5 + runs["seed"])))
    assert {row[heading.index("latency, ms")] for row in rows} == {"2.50 (1.50..3.50)"}
    some = runs["seed"].where(runs["seed"] > 0).astype(float)
    assert "latency, ms" not in cells(arms_table(runs.assign(latency_ms=some)))[0]


def test_the_best_rate_of_each_arm_is_named() -> None:
    runs = frame(*({"arm": arm, "learning_rate": rate, "top1": top1, "macs": macs}
        for arm, macs, values in (("b", 2e6, (0.5, 0.6)), ("a", 1e6, (0.4, 0.3)))
        for rate, top1 in zip((0.1, 0.2), values, strict=True)))  # fmt: skip
    heading, *rows = cells(rates_table(runs))
    assert heading == ["arm", "MACs, M", "0.1", "0.2", "best rate"]
    assert rows == [["`a`", "1.0", "40.0", "30.0", "0.1"], ["`b`", "2.0", "50.0", "60.0", "0.2"]]


def test_no_rate_is_best_where_trials_are_unequal() -> None:
    values = [("a", 0.1, 0.4), ("a", 0.2, 0.3), ("b", 0.1, 0.5)]
    runs = frame(*({"arm": arm, "learning_rate": rate, "top1": top1, "macs": 1e6}
        for arm, rate, top1 in values))  # fmt: skip
    heading, *rows = cells(rates_table(runs))
    assert heading == ["arm", "MACs, M", "0.1", "0.2"]
    assert rows == [["`a`", "1.0", "40.0", "30.0"], ["`b`", "1.0", "50.0", ""]]


def test_candidates_are_sorted_by_accuracy_at_equal_cost() -> None:
    runs = examples.coefficient_runs()
    points, _ = coefficient_points(runs)
    _, *rows = cells(coefficients_table(runs))
    assert len(rows) == len(points)
    last = [float(row[-1]) for row in rows]
    assert last == sorted(last, reverse=True)
    assert rows[0][:3] == ["1.2", "1.1", "1.2"]
    assert last[0] == pytest.approx(100 * points["at_equal_macs"].max(), abs=0.05)


def test_a_transfer_has_a_row_for_each_start() -> None:
    rows = [
        {"recipe": recipe, "seed": seed, "split": split, "top1": top1 + seed / 100,
         "duration_s": 60.0 * (1 + seed), "run": f"{recipe}{seed}"}
        for recipe, first in (("finetune", 0.8), ("linear_probe", 0.7), ("quick", 0.2))
        for seed in range(3) for split, top1 in (("validation", first), ("test", first - 0.1))
    ]  # fmt: skip
    _, *rows = cells(transfer_table(frame(*rows)))
    assert rows[0] == [
        *("Lite0's weights, fine-tuned", "80.0, 81.0, 82.0", "81.0"),
        *("70.0, 71.0, 72.0", "71.0", "1, 2, 3"),
    ]
    assert [row[0] for row in rows[1:]] == ["Lite0's weights, linear probe", "random weights"]


def test_noise_has_a_column_for_each_sigma_and_the_part_that_is_retained() -> None:
    runs = examples.noise_runs()
    runs = runs[runs["recipe"] == runs["recipe"].iloc[0]]
    heading, *rows = cells(noise_table(runs))
    assert heading == ["arm", "MACs, M", "0", "0.1", "0.3", "retained, %"]
    for row in rows:
        of_arm = runs[runs["arm"] == row[0].strip("`")]
        means = of_arm.groupby("condition_parameters")["top1"].mean().sort_values(ascending=False)
        assert [float(cell) for cell in row[2:5]] == pytest.approx(100 * means, abs=0.05)
        assert float(row[5]) == pytest.approx(100 * means.iloc[-1] / means.iloc[0], abs=0.5)


def one_network() -> pd.DataFrame:
    """Rows of a network on clean images and under two sigmas."""
    rows: list[Row] = [{"top1": 0.9, "top5": 0.95, "calibration_error": 0.1}]
    for sigma in (0.2, 0.1):
        noisy = {"condition_parameters": json.dumps({"sigma": sigma}), "top1": 0.9 - sigma}
        rows.append(
            {"condition": "gaussian_noise", **noisy, "top5": 1 - sigma, "calibration_error": 0.2}
        )
    return frame(*rows)


def test_a_curve_of_noise_begins_with_clean_images() -> None:
    heading, *rows = cells(sigmas_table(one_network()))
    assert heading[1:] == ["0", "0.1", "0.2"]
    assert rows[0] == ["top-1, %", "90.0", "80.0", "70.0"]
    assert rows[2][1:] == ["10.0", "20.0", "20.0"]
