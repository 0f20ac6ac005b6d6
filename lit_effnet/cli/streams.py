"""Output streams that end no command: of any encoding, closed, or without a reader."""

import codecs
import errno
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

READABLE = "lit_effnet.readable"
STAND_INS = {  # of characters that a stream's encoding lacks; others are escaped
    **{"×": "x", "²": "^2", "±": "+/-", "≈": "~", "≤": "<=", "≥": ">="},  # noqa: RUF001
    **{"→": "->", "…": "...", "–": "-", "−": "-"},  # noqa: RUF001
}


def prepare_streams() -> None:
    """Let standard output and error take any character, and outlive their reader."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started this process
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper) and stream.errors != READABLE:
            stream.reconfigure(errors=READABLE)
            for method in ("write", "flush"):
                setattr(stream, method, _outliving(getattr(stream, method), stream))


def _outliving(call: Callable[..., T], stream: io.TextIOWrapper) -> Callable[..., T]:
    """A stream's method that goes on, unread, where the reader (`| head`, a terminal) is gone."""

    def method(*arguments: Any) -> T:
        try:
            return call(*arguments)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO):
                raise
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)
            return call(*arguments)

    return method


def _readable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    lacking = error.object[error.start : error.end]
    known = (STAND_INS.get(c) or c.encode("ascii", "backslashreplace").decode() for c in lacking)
    return "".join(known), error.end


codecs.register_error(READABLE, _readable)
