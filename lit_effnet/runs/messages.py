"""Messages on one line."""

LONGEST = 290  # characters


def one_line(message: str) -> str:
    """Return a message in one printable line; the middle of a long one is left out."""
    line = "".join(letter if letter.isprintable() else "?" for letter in " ".join(message.split()))
    if len(line) <= LONGEST:
        return line
    half = LONGEST // 2 - 3
    return f"{line[:half]} ... {line[-half:]}"
