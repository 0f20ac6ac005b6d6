"""Prepare a command's output: one-line warnings, and streams that never raise."""

import codecs
import errno
import io
import os
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

READABLE = "lit_effnet.readable"
# Replacements of characters that a stream's encoding lacks; other characters are escaped.
STAND_INS = {
    **{"×": "x", "²": "^2", "±": "+/-", "≈": "~", "≤": "<=", "≥": ">="},  # noqa: RUF001
    **{"→": "->", "…": "...", "–": "-", "−": "-"},  # noqa: RUF001
}


# Warnings of libraries that need no action, each with the reason.
IGNORED_WARNINGS = (
    # torch uses its own deprecated name, through Lightning.
    r".*LeafSpec.*is deprecated",
    # Frozen modules are in evaluation mode on purpose.
    r"Found .* module\(s\) in eval mode at the start",
    # Depthwise kernels: channels-last and contiguous strides are the same order in memory.
    r"Grad strides do not match bucket view strides",
    # The run's own folder, when it is resumed.
    r"Checkpoint directory .* is not empty",
    # Utilisation is then left empty, or its peak is measured.
    r"FLOPs not found for ",
    # Small images in memory load faster without workers.
    r"The '\w+' does not have many workers",
    # The float16 gradient scaler skips steps until its scale fits.
    r"Detected call of `lr_scheduler.step\(\)` before",
)


def prepare_output() -> None:
    """Print warnings in one line each, and let the output streams take every character."""
    plain_warnings()
    prepare_streams()


def plain_warnings() -> None:
    """Print each warning in one line, without its line of code."""
    warnings.formatwarning = lambda message, *_, **__: (
        f"warning: {' '.join(str(message).split())}\n"
    )
    for message in IGNORED_WARNINGS:
        warnings.filterwarnings("ignore", message=message)


def quiet_libraries() -> None:
    """Hide hints and greetings of libraries; their warnings stay."""
    import logging

    for name in ("lightning.pytorch", "lightning.fabric", "wandb"):
        logging.getLogger(name).setLevel(logging.WARNING)


def prepare_streams() -> None:
    """Let standard output and error take any character, and survive a closed reader."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started this process
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper) and stream.errors != READABLE:
            stream.reconfigure(errors=READABLE)
            for method in ("write", "flush"):
                setattr(stream, method, _outliving(getattr(stream, method), stream))


def _outliving(call: Callable[..., T], stream: io.TextIOWrapper) -> Callable[..., T]:
    """Wrap a stream's method to discard output once the reader (`| head`, a terminal) is gone."""

    def method(*arguments: Any) -> T:
        try:
            return call(*arguments)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.EIO):
                raise
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, stream.fileno())
            os.close(devnull)
            return call(*arguments)

    return method


def _readable(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    missing = error.object[error.start : error.end]
    shown = (STAND_INS.get(c) or c.encode("ascii", "backslashreplace").decode() for c in missing)
    return "".join(shown), error.end


codecs.register_error(READABLE, _readable)
