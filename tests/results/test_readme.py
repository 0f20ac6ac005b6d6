"""The README shows what the data files say."""

import pytest

from lit_effnet.network.golden import golden_complexity
from lit_effnet.results.readme import README, with_tables


def test_the_readmes_tables_are_those_of_the_data_files() -> None:
    text = README.read_text(encoding="utf-8")
    assert text == with_tables(text), "run `make results`"
    for row in golden_complexity().values():
        assert f"{row['macs']:,}" in text


def test_a_missing_mark_is_an_error() -> None:
    with pytest.raises(ValueError, match="no marks for the table 'complexity'"):
        with_tables("# A README without tables")
