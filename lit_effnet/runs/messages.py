"""Messages on one line."""

import re

LONGEST = 290  # characters
LONGEST_WORD = 120  # a path or a name; its middle is left out first


def one_line(message: str) -> str:
    """Return a message in one line that a terminal prints as it is.

    Control characters are escaped. The middle of a long word, then of a long line, is left out.
    """
    line = " ".join(message.split())
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in line)
    half = LONGEST_WORD // 2
    line = re.sub(rf"(\S{{{half}}})\S{{{half},}}(\S{{{half}}})", r"\1...\2", line)
    if len(line) <= LONGEST:
        return line
    half = LONGEST // 2 - 3
    return f"{line[:half]} ... {line[-half:]}"
