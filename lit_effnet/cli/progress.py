"""Lines of progress on standard output."""

import sys


def say(line: str) -> None:
    """Print a line at once, also where output is buffered."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()
