"""Tables and figures of the pages are those of the data files."""

import re

import pytest

from lit_effnet.network.golden import golden_complexity
from lit_effnet.results.pages import (
    FIGURES,
    PAGES,
    ROOT,
    complexity_table,
    recorded_source,
    source_of,
    with_tables,
)


def test_the_pages_tables_are_those_of_the_data_files() -> None:
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    assert with_tables(texts) == texts, "run `make results`"
    for row in golden_complexity().values():
        assert row["macs"] is None or f"{row['macs']:,}" in "".join(texts)


def test_the_figures_are_those_of_the_data_files_and_are_shown() -> None:
    texts = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for figure in FIGURES:
        assert recorded_source(figure) == source_of(figure), "run `make results`"
        assert f"{figure}.png)" in texts


def test_pages_name_only_files_that_are_there() -> None:
    for page in PAGES:
        for link in re.findall(r"\]\((?!http)([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.relative_to(ROOT)}: {link}"


def test_complexity_marks_detectors_and_networks_that_are_not_counted() -> None:
    rows = complexity_table().rows
    (uncounted,) = [row for row in rows if row[0] == "amoebanet_b"]
    assert uncounted[:5] == ("amoebanet_b", "480", "-", "-", "-")
    assert uncounted[5].startswith("published figures only: 557 M, 84.3 %")
    label = " (detector, with class and box heads)"
    detectors = [row[0].removesuffix(label) for row in rows if row[0].endswith(label)]
    assert detectors == [f"efficientdet_d{index}" for index in range(5)]


def test_a_missing_mark_is_an_error() -> None:
    with pytest.raises(ValueError, match="0 have marks for the table 'complexity', must be one"):
        with_tables(["# A README without tables"])
    twice = "<!-- complexity -->\n<!-- /complexity -->"
    with pytest.raises(ValueError, match="2 have marks for the table 'complexity', must be one"):
        with_tables([twice, twice])
