"""The pages show what the data files say."""

import re

import pytest

from lit_effnet.network.golden import golden_complexity
from lit_effnet.results.pages import (
    FIGURES,
    PAGES,
    ROOT,
    complexity_table,
    source_of,
    told_source,
    with_tables,
)


def test_the_pages_tables_are_those_of_the_data_files() -> None:
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    assert with_tables(texts) == texts, "run `make results`"
    for row in golden_complexity().values():
        assert row["macs"] is None or f"{row['macs']:,}" in "".join(texts)


def test_the_figures_are_of_the_data_files_and_are_shown() -> None:
    texts = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for figure in FIGURES:
        assert told_source(figure) == source_of(figure), "run `make results`"
        assert f"{figure}.png)" in texts


def test_pages_name_only_files_that_are_there() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\((?!http)([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.relative_to(ROOT)}: {link}"


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
    with pytest.raises(ValueError, match="0 have marks for the table 'complexity', must be one"):
        with_tables(["# A README without tables"])
    twice = "<!-- complexity -->\n<!-- /complexity -->"
    with pytest.raises(ValueError, match="2 have marks for the table 'complexity', must be one"):
        with_tables([twice, twice])
