"""Report bad input in one line on standard error, with exit status 2."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

from lit_effnet.runs.exit_status import BAD_INPUT, INTERRUPTED
from lit_effnet.runs.files import reason
from lit_effnet.runs.messages import one_line

T = TypeVar("T")

# torchrun and srun need about this long to end the other processes when one ends.
TIME_TO_END_OTHERS_S = 3.0


def fail(message: str) -> NoReturn:
    """Print `message` in one line on standard error and exit with status 2.

    Several processes on one machine usually find the same mistake. The first prints it at once,
    and its launcher ends the others while they wait; they print only what the first did not find.
    """
    local_rank = os.environ.get("LOCAL_RANK") or os.environ.get("SLURM_LOCALID") or "0"
    if local_rank != "0":
        time.sleep(TIME_TO_END_OTHERS_S)
    sys.stderr.write(f"error: {one_line(message)}\n")
    sys.exit(BAD_INPUT)  # W&B hooks sys.exit to read the status of an open run


@contextmanager
def one_line_errors(keys: Sequence[str] = (), arguments: Sequence[str] = ()) -> Iterator[None]:
    """Turn a ValueError or OSError from the code inside into one line, and exit with status 2.

    The suite's ValueErrors begin with the argument and its value ("batch_size 0: must be ...").

    Args:
        keys: Flags of the command; an argument is shown by the flag of its name.
        arguments: Words of the command line; a flag that was typed is preferred.
    """
    try:
        yield
    except ValueError as error:
        fail(name_flag(str(error), keys, arguments))
    except OSError as error:
        fail(os_error(error))


@contextmanager
def stopping(left: str) -> Iterator[None]:
    """On Ctrl-C, print `stopped` and `left`, what remains of the work, and exit with status 130."""
    try:
        yield
    except KeyboardInterrupt:
        sys.stderr.write(f"stopped; {left}\n")
        raise SystemExit(INTERRUPTED) from None


def written(what: str, write: Callable[..., T], *arguments: Any) -> T:
    """Return the result of `write(*arguments)`; fail in one line where it raises OSError.

    Args:
        what: File and content, as the line begins: "FOLDER: a row".
        write: Writes a file.
        arguments: Arguments of `write`.
    """
    try:
        return write(*arguments)
    except OSError as error:
        fail(f"{what} cannot be written ({error.strerror or error})")


def os_error(error: OSError) -> str:
    """Return the operating system's message, after the name of its file."""
    return reason(error) if error.filename is None else f"{error.filename}: {reason(error)}"


def name_flag(message: str, keys: Sequence[str], arguments: Sequence[str]) -> str:
    """Replace a message's first word, the name of an argument, by the flag of that name."""
    word = message.split(maxsplit=1)[0] if message else ""
    flags = [key for key in keys if word in (key, key.rsplit(".", 1)[-1])]
    typed = {argument.split("=")[0] for argument in arguments}
    flags = [flag for flag in flags if f"--{flag}" in typed] or flags
    return f"--{flags[0]}{message[len(word) :]}" if len(flags) == 1 else message
