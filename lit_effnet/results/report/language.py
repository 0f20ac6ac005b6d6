"""Messages of a report: written in English, translated when they are shown.

As with gettext, the English message is the key of its translation in `report/chinese.py`:

    message = Text("{count} of {total} runs finished", count=9, total=45)
    message.of("zh")
"""

from collections.abc import Sequence
from typing import Literal

from lit_effnet.results.report.chinese import CHINESE

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")


class Text:
    """A message and the values of its placeholders.

    Args:
        message: English message, a literal, with placeholders as of `str.format`.
        values: Value of each placeholder; a `Text` is translated with the message.
    """

    def __init__(self, message: str, /, **values: object) -> None:
        self.message = message
        self.values = values

    def of(self, language: Language) -> str:
        """Return the text in a language; in English where a translation is missing."""
        message = self.message if language == "en" else CHINESE.get(self.message, self.message)
        if not self.values:
            return message
        values = self.values.items()
        return message.format(
            **{k: v.of(language) if isinstance(v, Text) else v for k, v in values}
        )

    @property
    def en(self) -> str:
        """English text."""
        return self.of("en")

    @property
    def zh(self) -> str:
        """Chinese text."""
        return self.of("zh")

    def filled(self, **values: object) -> "Text":
        """Return the message with further values."""
        return Text(self.message, **self.values, **values)

    def __add__(self, other: "Text") -> "Text":
        """Return this text followed by another one."""
        return joined([self, other], same(""))

    def __eq__(self, other: object) -> bool:
        """Compare what is shown in all languages."""
        return isinstance(other, Text) and all(self.of(la) == other.of(la) for la in LANGUAGES)

    def __hash__(self) -> int:
        """Hash the English text."""
        return hash(self.en)

    def __repr__(self) -> str:
        """Show the English text."""
        return f"Text({self.en!r})"


class _Joined(Text):
    def __init__(self, texts: Sequence[Text], between: Text) -> None:
        super().__init__("")
        self.texts, self.between = texts, between

    def of(self, language: Language) -> str:
        return self.between.of(language).join(text.of(language) for text in self.texts)


class _Same(Text):
    def of(self, language: Language) -> str:
        return self.message


SPACE = Text(" ")  # between sentences; Chinese has none


def same(text: object) -> Text:
    """Return a text that needs no translation: a name or a number."""
    return _Same(str(text))


def joined(texts: Sequence[Text], between: Text = SPACE) -> Text:
    """Return texts one after the other.

    Args:
        texts: Sentences or names.
        between: Separator; by default the one between sentences.
    """
    return _Joined(tuple(texts), between)
