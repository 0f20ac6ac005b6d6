"""Shorten messages to one line."""

import re

LONGEST = 290  # characters, of which a path counts as PATH at most
END = 60  # characters kept at either end of a word that is three times as long
PATH = 30


def one_line(message: str) -> str:
    """Return a message in one printable line.

    Control characters are escaped. The middle of a long word, then of a long line, is left out.
    """
    line = " ".join(message.split())
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
    line = re.sub(rf"(\S{{{END}}})\S{{{END},}}(\S{{{END}}})", r"\1...\2", line)
    paths = (len(word) - PATH for word in line.split() if "/" in word)
    if len(line) <= LONGEST + sum(max(0, extra) for extra in paths):
        return line
    half = LONGEST // 2 - 3
    return f"{line[:half]} ... {line[-half:]}"
