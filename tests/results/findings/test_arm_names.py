"""Names of arms for readers."""

import pytest

from lit_effnet.results.findings.arm_names import arm_names
from lit_effnet.results.frame.columns import frame_of


def names(*rows: dict[str, object]) -> list[tuple[str, str]]:
    return [(text.en, text.zh) for text in arm_names(frame_of([*rows])).values()]


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (("baseline", "depth at 2.04 x MACs", "B1"), ...),
        (("compound at 2 x MACs", "compound at 2 x MACs, round"), ...),
        (("baseline, se_ratio=0.0", "baseline, se_ratio=0.25"), ("se_ratio=0.0", "se_ratio=0.25")),
        # The default coefficient is shown where others differ from it.
        (("phi 1", "phi 1, alpha 1.3"), ("alpha 1.2", "alpha 1.3")),
        (("phi 1, alpha 1.3", "phi 2, alpha 1.3"), ("phi 1", "phi 2")),
        (("baseline", "phi 1"), ...),
        # An option that no column holds is shown where arms differ in it.
        (("baseline, activation=relu", "phi 1, activation=silu"), ...),
        (("baseline, x=1", "phi 1, x=1"), ("baseline", "phi 1")),
        # A name is never empty.
        (("baseline", "baseline, x=1"), ...),
        (("baseline, x=1",), ...),
        (("mine", "other, one"), ...),
    ],
)
def test_a_name_shows_what_differs(stored: tuple[str, ...], shown: tuple[str, ...]) -> None:
    english = [en for en, _ in names(*({"arm": arm} for arm in stored))]
    assert english == [*(stored if shown is ... else shown)]


def test_multipliers_are_relative_to_the_baseline() -> None:
    rows = [("baseline", 0.6, 0.3), ("depth 1.5", 0.9, 0.3), ("depth 1.5, width 2", 0.9, 0.6)]
    shown = names(*({"arm": arm, "depth": d, "width": w, "resolution": 1.0} for arm, d, w in rows))
    assert shown == [
        ("baseline", "基线"),
        ("depth 1.5", "深度 1.5"),
        ("depth 1.5, width 2", "深度 1.5, 宽度 2"),
    ]


def test_networks_are_shown_where_they_differ() -> None:
    b0 = {"arm": "baseline", "network": "efficientnet"}
    resnet = {"arm": "resnet50, baseline", "network": "resnet50"}
    assert [en for en, _ in names(b0, resnet)] == ["efficientnet", "resnet50"]
    assert [en for en, _ in names(b0, resnet | {"arm": "a", "network": None})] == ["baseline", "a"]


def test_names_are_translated() -> None:
    rounded, matched = "width at 2.04 x MACs, round", "width at 2.04 x MACs"
    shown = names({"arm": rounded}, {"arm": matched}, {"arm": "phi 1, se_ratio=0.5"})
    assert [zh for _, zh in shown] == [
        "宽度\uff082.04 倍 MACs\uff09, 四舍五入",
        "宽度\uff082.04 倍 MACs\uff09",
        "phi 1, se_ratio=0.5",
    ]
