"""Files that people hand in are read within bounds, and refused in one line."""

import os
import time
from pathlib import Path

import pytest

from lit_effnet.runs.documents import (
    MOST_YAML,
    DocumentError,
    json_rows,
    load_json,
    load_yaml,
    read_json,
    read_text,
    read_yaml,
)

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 10)
)
DIGITS = "1" * 400

BAD_YAML = {
    "a key twice": ("a: 1\nb: {c: 1, c: 2}\n", "x.yaml:2: b.c: given twice, first on line 2"),
    "a key twice, once in quotes": ("a: 1\n'a': 1\n", "x.yaml:2: a: given twice"),
    "a number for a key": ("1: random\n", "x.yaml:1: 1: a key must be text, and is a number"),
    "true for a key": ("a: {on: 1}\n", "x.yaml:1: a.on: a key must be text, and is true or false"),
    "a list for a key": ("? [a]\n: 1\n", "x.yaml:1: ?: a key must be text"),
    "an empty key": ("'': 1\n", "x.yaml:1: a key must be text, and is empty"),
    "a list in itself": ("a: &a [*a]\n", "x.yaml:1: a.0: contains itself"),
    "a mapping merged into itself": ("a: &a {<<: *a}\n", "x.yaml:1: a.<<: contains itself"),
    "nested aliases": (BOMB, "x.yaml:6: a5.1: expands to more than 200,000 values"),
    "an alias of nothing": ("a: *b\n", "x.yaml:1: not YAML: found undefined alias"),
    "deep brackets": ("a: " + "[" * 3000, "x.yaml:1: not YAML: exceeded maximum nesting depth"),
    "60 brackets": ("a: " + "[" * 60 + "]" * 60, "must be nested at most 50 deep"),
    "a long integer": (f"a: {DIGITS}\n", f"x.yaml:1: a: the integer {DIGITS[:30]}: must have at"),
    "an integer of 65 bits": (
        f"a: {2**64}\n",
        "x.yaml:1: a: the integer 18446744073709551616: must",
    ),
    "a tag": ("a: !!set {b}\n", "x.yaml:1: a: the tag !!set must be left out"),
    "a Python object": (
        "a: !!python/object:os.x {}\n",
        "the tag !!python/object:os.x must be left",
    ),
    "a date that is none": ("a: 2026-13-01\n", "x.yaml: not YAML: month must be in 1..12"),
}


@pytest.mark.parametrize("name", BAD_YAML)
def test_yaml_is_refused_in_one_line_with_file_line_and_key(name: str) -> None:
    text, message = BAD_YAML[name]
    began = time.process_time()
    with pytest.raises(DocumentError) as caught:
        load_yaml(text, "x.yaml")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert time.process_time() - began < 10  # the nested aliases are 387 million values


def test_yaml_that_is_right_is_what_yaml_makes_of_it() -> None:
    text = "a: &a {x: 1, y: [1.5, null, yes]}\nb: {<<: *a, x: 2}\nc: {d: {4: 2}}\ne: 18446744073709551615\n"
    assert load_yaml(text) == {
        "a": {"x": 1, "y": [1.5, None, True]},
        "b": {"x": 2, "y": [1.5, None, True]},
        "c": {"d": {4: 2}},  # by epoch, as Lightning's accumulation scheduler takes it
        "e": 2**64 - 1,
    }
    assert load_yaml("") is None


BAD_JSON = {
    "half": ('{"a": 1', "x.json: is not JSON, or incomplete ("),
    "a key twice": ('{"a": 1, "a": 2}', "x.json: 'a': given twice"),
    "deep": ('{"a":' * 100_000, "x.json: must be nested at most 50 deep"),
    "an integer of 65 bits": (
        f'{{"a": {2**64}}}',
        "x.json: the integer 18446744073709551616: must",
    ),
    "a long integer": (f'{{"a": -{DIGITS}}}', "must have at most 64 bits"),
}


@pytest.mark.parametrize("name", BAD_JSON)
def test_json_is_refused_in_one_line(name: str) -> None:
    text, message = BAD_JSON[name]
    with pytest.raises(DocumentError) as caught:
        load_json(text, "x.json")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_brackets_within_texts_are_no_depth() -> None:
    assert load_json('{"a": "' + "[" * 1000 + '\\"{"}') == {"a": "[" * 1000 + '"{'}


def test_of_json_lines_the_bad_ones_are_named_by_their_number() -> None:
    rows = dict(json_rows('{"a": 1}\n{"a": \n3\n'))
    assert rows[1] == {"a": 1}
    assert isinstance(rows[2], DocumentError)
    assert rows[3] == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a: é".encode("utf-16"), "not UTF-8 text, but UTF-16: save it as UTF-8"),
        ("a: é".encode("latin-1"), r"not UTF-8 text \(byte 3\)"),
        (b"\x89PNG\r\n\x1a\n\x00\x00\xff", r"not UTF-8 text \(binary\)"),
    ],
)
def test_what_is_no_utf8_is_named_by_what_it_looks_like(
    tmp_path: Path, content: bytes, message: str
) -> None:
    file = tmp_path / "x"
    file.write_bytes(content)
    for read in (read_text, read_yaml, read_json):
        with pytest.raises(DocumentError, match=f"^{file}: {message}$"):
            read(file)


def test_a_byte_order_mark_of_utf8_is_no_content(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text('{"a": "é"}', encoding="utf-8-sig")
    assert read_yaml(file) == read_json(file) == {"a": "é"}


def test_a_large_file_a_pipe_and_a_device_are_refused_before_they_are_read(tmp_path: Path) -> None:
    large, pipe = tmp_path / "large", tmp_path / "pipe"
    with large.open("wb") as file:
        file.truncate(10**10)
    os.mkfifo(pipe)
    with pytest.raises(DocumentError, match=r"large: must have at most 1 MiB"):
        read_yaml(large)
    with pytest.raises(DocumentError, match=r"large: must have at most 64 MiB"):
        read_json(large)
    for special in (pipe, Path("/dev/zero")):
        with pytest.raises(DocumentError, match=r"must be a regular file"):
            read_yaml(special)
    with pytest.raises(IsADirectoryError):
        read_yaml(tmp_path)


def test_ten_megabytes_of_json_take_a_moment(tmp_path: Path) -> None:
    file = tmp_path / "parameters.json"
    file.write_text("{" + ", ".join(f'"p{n}": [{n}, "{"x" * 80}"]' for n in range(100_000)) + "}")
    assert file.stat().st_size > MOST_YAML * 9
    began = time.process_time()
    assert len(read_json(file)) == 100_000
    assert time.process_time() - began < 10
