"""Arms are compared where they cost the same, and nowhere else."""

import pytest

from lit_effnet.results.stats.equal_cost import around, at_equal_cost, groups_of
from tests.results.runs import frame

ARMS = {
    "base": [0.70, 0.71, 0.72],
    "deep": [0.72, 0.75, 0.72],
    "wide": [0.80, 0.82, 0.81],
    "large": [0.75, 0.75, 0.78],
}
MACS = {"base": 100, "deep": 200, "wide": 204, "large": 400}
PARAMETERS = {"base": 10, "deep": 20, "wide": 40, "large": 41}


def table(**columns: object):
    seconds = {"base": 5.0, "deep": 9.0, "wide": 9.1, "large": 9.2}
    known = {"macs": MACS, "parameters": PARAMETERS, "duration_s": seconds, "device": "one"}
    return frame(ARMS, **{**known, **columns})


def test_groups_are_of_nearly_one_cost() -> None:
    groups = groups_of(table(), "macs", 0.05)
    assert [[*group.arms] for group in groups] == [["base"], ["deep", "wide"], ["large"]]
    assert groups[1].arms == {"deep": 200, "wide": 204}
    assert [[*group.arms] for group in groups_of(table(), "macs", 0.01)] == [
        ["base"], ["deep"], ["wide"], ["large"],
    ]  # fmt: skip


def test_the_three_costs_stand_side_by_side_with_their_residuals() -> None:
    found = at_equal_cost(table(), ["wide"])
    told = found[["equal", "arm", "reference"]].to_numpy().tolist()
    assert told == [
        ["macs", "deep", "wide"],
        ["parameters", "large", "wide"],
        ["duration_s", "deep", "wide"],
        ["duration_s", "large", "wide"],
    ]
    assert found["residual"].to_list() == pytest.approx(
        [200 / 204 - 1, 0.025, 9 / 9.1 - 1, 9.2 / 9.1 - 1]
    )
    assert found["difference"].to_list() == pytest.approx([-0.08, -0.05, -0.08, -0.05])
    assert found["device"].fillna("").to_list() == ["", "", "one", "one"]


def test_p_values_are_adjusted_for_as_many_comparisons_as_there_are() -> None:
    found = at_equal_cost(table(), ["wide"])
    assert found["p"].nunique() == 2  # deep and wide cost as many MACs, and as much time
    assert 2 * found["p"].min() == pytest.approx(found["p_holm"].min())


def test_without_a_wanted_reference_it_is_the_cheapest_arm() -> None:
    found = at_equal_cost(table(), costs=["macs"])
    assert found[["arm", "reference"]].to_numpy().tolist() == [["wide", "deep"]]


def test_training_times_of_two_devices_are_never_equal() -> None:
    devices = {"base": "one", "deep": "one", "wide": "two", "large": "two"}
    groups = groups_of(table(device=devices), "duration_s")
    assert [(group.device, [*group.arms]) for group in groups] == [
        ("one", ["base"]),
        ("one", ["deep"]),
        ("two", ["wide", "large"]),
    ]


def test_unfinished_runs_are_in_no_group() -> None:
    runs = table()
    runs.loc[runs["arm"] == "deep", "status"] = "failed"
    assert at_equal_cost(runs, costs=["macs"]).empty
    assert [[*group.arms] for group in groups_of(runs, "macs")] == [["base"], ["wide"], ["large"]]


def test_a_negative_tolerance_is_refused() -> None:
    with pytest.raises(ValueError, match="tolerance -1: must not be negative"):
        groups_of(table(), "macs", -1)


def test_a_reference_is_in_the_middle_of_its_group() -> None:
    macs = {"a": 96, "b": 100, "c": 104, "d": 106, "e": 200}
    found = around(frame({name: [0.5] for name in macs}, macs=macs), ["e", "none", "b", "d"])
    assert {name: [*group.arms] for name, group in found.items()} == {
        "b": ["a", "b", "c"],
        "d": ["c", "d"],
        "e": ["e"],
    }
    assert [*found] == ["b", "d", "e"]


def test_a_spare_reference_stands_in_where_no_other_costs_nearly_as_much() -> None:
    macs = {"a": 96, "missed": 112, "spare": 100, "spare too": 101, "b": 200, "spare of b": 201}
    runs = frame({name: [0.5] for name in macs}, macs=macs)
    found = around(runs, ["missed", "b"], spare=["spare", "spare of b", "spare too", "none"])
    assert {name: [*group.arms] for name, group in found.items()} == {
        "spare": ["a", "spare", "spare too"],
        "missed": ["missed"],
        "b": ["b", "spare of b"],
    }


def test_a_reference_without_repeats_gives_way_to_a_spare_that_has_them() -> None:
    whole, few = [0.5, 0.6, 0.5], [0.5, 0.6]
    values = {"few": few, "a": whole, "spare": whole, "alone": few, "whole": whole}
    macs = {"few": 100, "a": 99, "spare": 101, "alone": 200, "whole": 102}
    runs = frame(values, macs=macs)
    assert [*around(runs, ["few", "alone"], spare=["spare"])] == ["spare", "alone"]
    assert [*around(runs, ["few", "alone"])] == ["few", "alone"]
    assert [*around(runs, ["whole", "few"], spare=["spare"])] == ["whole"]
