"""Names that become folders."""

import pytest

from lit_effnet.runs.names import check_folder_name


@pytest.mark.parametrize("name", ["b0", "width 1.5", "Größe_2", "=x", ".hidden", "-1", "é" * 100])
def test_a_plain_name_of_one_folder_is_taken(name: str) -> None:
    check_folder_name(name, "group")


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", " ", " a", "a ", "a/b", "../a", "a\\b", "a:b", "a*", "a?", 'a"b'),
        *("a\nb", "a\rb", "\x1b[31mred", "a\tb", "a\0b", "\u202eabc", "\u200b", "a\udcffb"),
        *("a" * 224, "é" * 112),
    ],
)
def test_what_is_no_plain_name_is_refused_in_one_printable_line(name: str) -> None:
    with pytest.raises(ValueError, match=r"^run\.id .*: must be ") as caught:
        check_folder_name(name, "run.id")
    line = str(caught.value)
    assert line.isprintable()
    assert len(line) < 200
