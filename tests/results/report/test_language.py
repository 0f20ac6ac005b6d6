# ruff: noqa: RUF001 # Chinese punctuation is meant
"""Messages of the report and their translation."""

import ast
import string
from collections.abc import Iterator

import pytest

from lit_effnet.results.report.chinese import CHINESE
from lit_effnet.results.report.language import SPACE, Text, joined, same
from tests.conftest import ROOT

# Whole messages of Latin letters, numbers and placeholders that are alike in both languages.
ALIKE = {"p = {p}"}


def messages() -> Iterator[str]:
    """Yield the message of each `Text(...)` in the package; each must be a literal."""
    for file in (ROOT / "lit_effnet" / "results").rglob("*.py"):
        if file.name == "language.py":
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Text":
                message = ast.literal_eval(node.args[0])
                assert isinstance(message, str)
                yield message


def placeholders(message: str) -> set[tuple[str, str]]:
    return {(name, form or "") for _, name, form, _ in string.Formatter().parse(message) if name}


def test_every_message_is_translated_and_no_translation_is_orphaned() -> None:
    assert {*messages(), SPACE.message} - ALIKE == set(CHINESE)


@pytest.mark.parametrize("message", CHINESE)
def test_a_translation_has_the_placeholders_of_its_message(message: str) -> None:
    assert placeholders(message) == placeholders(CHINESE[message])


def test_a_message_is_filled_when_it_is_shown() -> None:
    text = Text("{count} of {total} runs finished", count=1).filled(total=2)
    assert (text.en, text.zh) == ("1 of 2 runs finished", "2 次运行中已完成 1 次")
    assert (same("{x}") + Text("; ")).zh == "{x}；"
    assert joined([same("a"), Text("{number} s", number=same("{b}"))]).zh == "a{b} 秒"
    assert Text("no such message").zh == "no such message"
    assert {same("a"), same("a")} == {same("a")} != {Text("arm")}
