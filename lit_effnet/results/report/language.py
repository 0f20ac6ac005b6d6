"""Texts in the languages of a report."""

from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "zh"]
LANGUAGES: tuple[Language, ...] = ("en", "zh")


@dataclass(frozen=True)
class Text:
    """The same in both languages.

    Args:
        en: English.
        zh: Chinese.
    """

    en: str
    zh: str

    def of(self, language: Language) -> str:
        """The text in a language."""
        return self.en if language == "en" else self.zh

    def __add__(self, other: "Text") -> "Text":
        """One after the other."""
        return Text(self.en + other.en, self.zh + other.zh)

    def filled(self, **values: object) -> "Text":
        """The text with `{name}` replaced by values; a value may be a text itself."""
        filled = [
            self.of(language).format(
                **{
                    name: value.of(language) if isinstance(value, Text) else value
                    for name, value in values.items()
                }
            )
            for language in LANGUAGES
        ]
        return Text(*filled)


SPACE = Text(" ", "")  # Chinese sentences stand without one


def same(text: object) -> Text:
    """What reads the same in both: a name or a number."""
    return Text(str(text), str(text))


def joined(texts: list[Text], between: Text = SPACE) -> Text:
    """Texts one after the other.

    Args:
        texts: Sentences, or names.
        between: What stands between two; by default what stands between sentences.
    """
    return Text(between.en.join(t.en for t in texts), between.zh.join(t.zh for t in texts))
