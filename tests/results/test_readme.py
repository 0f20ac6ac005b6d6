"""The README shows what the data files say."""

import pytest

from lit_effnet.network.golden import golden_complexity
from lit_effnet.results.readme import README, complexity_table, with_tables


def test_the_readmes_tables_are_those_of_the_data_files() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == with_tables(text), "run `make results`"
    for row in golden_complexity().values():
        assert row["macs"] is None or f"{row['macs']:,}" in text


def test_what_was_not_counted_is_a_dash_beside_the_published_figures() -> None:
    (line,) = [line for line in complexity_table().splitlines() if "amoebanet_b" in line]
    assert line.startswith(
        "| amoebanet_b | 480 | - | - | - | published figures only: 557 M, 84.3 %"
    )


def test_a_detector_is_told_from_a_classifier() -> None:
    label = "(detector, with class and box heads)"
    lines = [line for line in complexity_table().splitlines() if label in line]
    assert [line.split()[1] for line in lines] == [f"efficientdet_d{index}" for index in range(5)]
    assert all("published figures only" not in line for line in lines)


def test_a_missing_mark_is_an_error() -> None:
    with pytest.raises(ValueError, match="no marks for the table 'complexity'"):
        with_tables("# A README without tables")
